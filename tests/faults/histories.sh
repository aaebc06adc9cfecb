#!/usr/bin/env bash
# Plays random histories of every kind and prints a line for each kind: tests/faults/histories.sh COUNT [FIRST_SEED].
# COUNT is that of the ledger's; longer kinds play a part of it. Fails at the first broken promise, and names its seed.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CASTING_TEST_HISTORIES=$1 CASTING_TEST_SEED=${2:-$(($(date +%s) / 86400 * 1000))}
cargo test --package casting-tests --test faults -- random_histories --nocapture --test-threads 1 2>&1 |
  grep --line-buffered --extended-regexp 'all promises held|panicked|CASTING_TEST_SEED=|^test result|^error'
