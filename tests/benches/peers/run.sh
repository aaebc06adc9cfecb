#!/usr/bin/env bash
# Owns the measurement beside the peers from a fresh clone: installs their pinned versions, then measures.
# tests/benches/peers/run.sh [PROGRAM], by default target/release/casting. README.md says what the table means.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
program=$(realpath "${1:-$root/target/release/casting}")
venv=$root/target/venv-peers

missing=()
has() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
has python3 python3
has node nodejs
has npm npm
has nginx nginx-light
has wrk wrk
has shellinaboxd shellinabox
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  echo "First: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
if [ ! -x "$program" ]; then
  echo "There is no $program. Build it (cargo build --release -p casting-local), or name another one." >&2
  exit 1
fi

[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
npm ci --prefix "$here" --silent --no-audit --no-fund

exec "$venv/bin/python" "$here/measure.py" "$program"
