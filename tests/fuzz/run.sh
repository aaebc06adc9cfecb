#!/usr/bin/env bash
# Runs libFuzzer on targets, each for so many seconds: `tests/fuzz/run.sh SECONDS [TARGET...]`, all targets by default.
# It keeps inputs that reach new code in target/fuzz/corpus, and one that breaks a promise in target/fuzz/broken.
# Works with the stable compiler: the coverage counters are a pass of LLVM's.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:?how many seconds for each target}
shift
# Dependencies are measured too: the readers of tickets, archives and events call into them.
flags=(--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks)
host=$(rustc -vV | sed -n 's/^host: //p')
# Named as a target, so that build scripts and macros are built without the counters.
env -u RUSTC_WORKSPACE_WRAPPER RUSTFLAGS="${flags[*]}" CARGO_PROFILE_DEV_OPT_LEVEL=2 CARGO_INCREMENTAL=0 \
  cargo build --package casting-fuzz --features libfuzzer --bin fuzz --target "$host" --target-dir target/fuzz
program=target/fuzz/$host/debug/fuzz

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls tests/fuzz/corpus)
mkdir -p target/fuzz/broken
for target in "${targets[@]}"; do
  mkdir -p "target/fuzz/corpus/$target"
  FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="target/fuzz/broken/$target-" \
    "target/fuzz/corpus/$target" "tests/fuzz/corpus/$target" 2>"target/fuzz/$target.log" || {
    echo "$target: broken, see target/fuzz/$target.log"
    tail -20 "target/fuzz/$target.log"
    exit 1
  }
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "target/fuzz/$target.log")
  covered=$(grep -o 'cov: [0-9]*' "target/fuzz/$target.log" | tail -1)
  echo "$target: ${seconds} s, $runs inputs, $covered, nothing broken"
done
