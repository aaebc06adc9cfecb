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

say "A checker of APIs against their documents, for the tests"
[ -x target/venv-schemathesis/bin/pip ] || python3 -m venv target/venv-schemathesis
target/venv-schemathesis/bin/pip install --quiet --disable-pip-version-check --requirement tests/schemathesis/requirements.txt

say "A streaming server, for sessions with video and sound"
[ -x target/venv-selkies/bin/pip ] || python3 -m venv target/venv-selkies
target/venv-selkies/bin/pip install --quiet --disable-pip-version-check --requirement tests/selkies/requirements.txt

say "Crates, also those of other platforms, which the dependency graph names"
cargo fetch --locked

say "Format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings

say "Build (the suites start the programs, so these come first)"
cargo build --workspace --all-targets

say "Unit, contract, fault, end-to-end and browser tests"
cargo test --workspace
