#!/usr/bin/env bash
# Installs what the tests need, then runs every check of the project. Fails at the first one that does.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n== %s\n' "$*"; }

# Debian packages.
install() {
  say "Installing $*"
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# Debian packages, when a command is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null || install "$@"
}

need cc gcc libc6-dev # the embedded database is C
need chromium chromium
need chromedriver chromium-driver
need Xvnc tigervnc-standalone-server
need matchbox-window-manager matchbox-window-manager
# A streaming server's screen, sound and desktop.
need Xvfb xvfb
need pulseaudio pulseaudio
need jwm jwm
need xterm xterm
need pcmanfm pcmanfm
need npm nodejs npm
# Real containers: the suite starts an engine of its own where this machine runs none and lets it.
need dockerd docker.io iptables
command -v docker >/dev/null || install docker-cli
dpkg -s busybox-static >/dev/null 2>&1 || install busybox-static
python3 -c 'import ensurepip' 2>/dev/null || install python3 python3-venv

say "A certified login provider, for the tests"
npm ci --prefix tests/oidc_provider --silent --no-audit --no-fund

say "An accessibility checker, for the browser tests"
npm ci --prefix tests/axe --silent --no-audit --no-fund

say "A typed client of the API, for the tests"
npm ci --prefix tests/typescript --silent --no-audit --no-fund

say "A client that drives browsers, for the tests"
npm ci --prefix tests/playwright --silent --no-audit --no-fund

say "A checker of APIs against their documents, for the tests"
[ -x target/venv-schemathesis/bin/pip ] || python3 -m venv target/venv-schemathesis
target/venv-schemathesis/bin/pip install --quiet --disable-pip-version-check --requirement tests/schemathesis/requirements.txt

say "A streaming server, for sessions with video and sound"
[ -x target/venv-selkies/bin/pip ] || python3 -m venv target/venv-selkies
target/venv-selkies/bin/pip install --quiet --disable-pip-version-check --requirement tests/selkies/requirements.txt

say "The documents as a site, whose links are checked"
[ -x target/venv-docs/bin/pip ] || python3 -m venv target/venv-docs
target/venv-docs/bin/pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
target/venv-docs/bin/sphinx-build -q -W --keep-going -c docs . target/site

say "Crates, also those of other platforms, which the dependency graph names"
cargo fetch --locked

say "Format"
cargo fmt --all --check

# Clippy's driver is the compiler with more lints, so one compilation lints and builds.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings

say "Lints and build (the suites start the programs, so these come first)"
cargo build --workspace --all-targets

# Other histories every day, and all of a day alike: what fails can be run again on the same day, or by its seed.
export CASTING_TEST_SEED=${CASTING_TEST_SEED:-$(($(date +%s) / 86400 * 1000))}

# Browsers and containers wait, and the fault suite computes: these suites run beside the others, and say what they have found at the end.
beside=(faults programs)
others=$(cargo metadata --format-version 1 --no-deps | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if "test" in target["kind"] and target["name"] not in sys.argv[1:]:
            print("--test", target["name"])
' "${beside[@]}")

say "Unit, contract, end-to-end and browser tests; beside them ${beside[*]} (CASTING_TEST_SEED=$CASTING_TEST_SEED)"
for suite in "${beside[@]}"; do
  cargo test --workspace --test "$suite" || exit 1
done >target/beside.log 2>&1 &
failed=()
# shellcheck disable=SC2086 # one word for each
cargo test --workspace --lib --bins $others || failed+=("the suites above")
wait $! || failed+=("${beside[*]}")
cat target/beside.log
[ ${#failed[@]} = 0 ] || { say "Failed: ${failed[*]}"; exit 1; }
