#!/usr/bin/env bash
# Installs what the tests need, then runs every check of the project. Fails at the first one that does.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n== %s\n' "$*"; }

if ! command -v cc >/dev/null; then
  say "Installing a C compiler (the embedded database is C)"
  apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev
fi

say "Format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings

say "Unit, contract and end-to-end tests"
cargo test --workspace
