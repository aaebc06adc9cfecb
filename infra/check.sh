#!/usr/bin/env bash
# Lints, builds and tries the deployment: SAM, CDK, and the template in an emulator of AWS with the functions' real programs.
# Takes the programs of the debug build, which ./test.sh has made; with --release, those that `sam build` makes. Installs what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

# The compiler's wrappers remember where they are, so the tools stay at one place whichever checkout uses them.
tools=${CASTING_TOOLS:-$HOME/.cache/session-casting/tools}

# A Python environment for each list, made anew when the list changes.
need_python() {
  local list=infra/requirements/$1.txt place=$tools/$1
  cmp -s "$list" "$place/list" && return
  say "Installing $list"
  rm -rf "$place"
  python3 -m venv "$place"
  "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
  cp "$list" "$place/list"
}

# Debian packages, when a command is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  say "Installing $*"
  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

need cc gcc libc6-dev
need npm nodejs npm
python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || need python3-venv python3-venv
need_python build
need_python lint
need_python tests

export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 PYTHONDONTWRITEBYTECODE=1
export PATH="$tools/build/bin:$PATH"

say "The template, as it is written and as CloudFormation sees it"
for stage in default prod; do
  sam validate --lint --config-env "$stage" </dev/null
done
mkdir -p target/infra
"$tools/lint/bin/python" infra/tests/transformed.py target/infra/transformed.json
"$tools/lint/bin/cfn-lint" infra/template.yaml target/infra/transformed.json
for template in infra/template.yaml target/infra/transformed.json; do
  "$tools/lint/bin/checkov" --config-file infra/checkov.yaml --file "$template" </dev/null
done

say "Licences and origins of what the programs are made of; advisories are looked up in CI, because they need their database"
PATH="$tools/lint/bin:$PATH" cargo deny --locked check licenses bans sources

say "The CDK construct"
npm ci --prefix infra/cdk --silent --no-audit --no-fund
npm run --prefix infra/cdk --silent build

case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=x86_64 ;; esac
if [ "${1:-}" = --release ]; then
  say "Build every function as it is released, for this machine's architecture"
  sam build --build-dir target/sam --parameter-overrides "Architecture=$architecture" </dev/null
else
  say "The functions' programs of the debug build"
  # What ./test.sh builds, and as it does, so that nothing is compiled twice.
  RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings cargo build --workspace --all-targets
  export CASTING_PROGRAMS=$PWD/target/programs
  for function in functions/*; do
    name=${function##*/}
    mkdir -p "$CASTING_PROGRAMS/$name"
    strip -o "$CASTING_PROGRAMS/$name/bootstrap" "target/debug/$name"
  done
fi

say "Try it, in one emulator for each of two processes"
CASTING_ARCHITECTURE=$architecture SAM=$tools/build/bin/sam \
  "$tools/tests/bin/python" -m pytest -p no:cacheprovider --quiet --numprocesses 2 --durations 5 infra/tests </dev/null
