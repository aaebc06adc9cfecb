#!/usr/bin/env bash
# Packs the program for one machine as releases have it: infra/package.sh FOLDER makes FOLDER/casting-{architecture}.tar.gz.
# It is linked against glibc 2.31, so it runs on Debian 11, Ubuntu 20.04 and later. The same commit gives the same bytes in any folder.
# Needs cargo-zigbuild and zig, which come with infra/requirements/build.txt.
set -euo pipefail
folder=$(realpath "$1")
cd "$(dirname "$0")/.."

architecture=$(uname -m)
[ "$architecture" = aarch64 ] && architecture=arm64
name=casting-$architecture
target=$(uname -m)-unknown-linux-gnu

# No path of this machine gets into the program.
export RUSTFLAGS="--remap-path-prefix=$PWD=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
cargo zigbuild --release --locked --package casting-local --bin casting --target "$target.2.31"

staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
install -D --mode 755 "target/$target/release/casting" "$staged/$name/casting"
install --mode 644 README.md LICENSE CHANGELOG.md "$staged/$name/"
cp --recursive docs "$staged/$name/docs"
tar --create --sort name --owner 0 --group 0 --numeric-owner --mode go-w --mtime "@$(git log -1 --format=%ct)" \
  --directory "$staged" "$name" | gzip --no-name --best >"$folder/$name.tar.gz"
sha256sum "$folder/$name.tar.gz"
