#!/usr/bin/env bash
# Writes the file system of a container with a streamed browser to its output, as a tar: `root.sh FOLDER`. It is made of the packages that this machine has,
# without what draws on graphics cards, of Selkies' Python environment in that folder, at the place that it was made for, and of `start`.
set -euo pipefail
selkies=$(realpath "$1")
here=$(dirname "$(realpath "$0")")

packages=(base-files bash coreutils chromium dash findutils fonts-dejavu-core grep matchbox-window-manager pulseaudio python3 sed xvfb)
needed=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "${packages[@]}" |
  grep '^[a-z]' | sort -u)
list=$(mktemp)
trap 'rm -f "$list"' EXIT
# shellcheck disable=SC2086 # one word for each
{
  # Links of the file system's own, and what packages write when they are installed.
  printf '%s\n' /bin /lib /lib64 /sbin /tmp /etc/ld.so.cache /etc/passwd /etc/group
  find /etc/alternatives /etc/fonts /var/cache/fontconfig /usr/share/mime
  dpkg -L $needed
  dirname "$selkies"
} 2>/dev/null |
  # Each at its place where /bin and its like are links, with every folder above it.
  sed 's#^/\(bin\|lib\|lib64\|sbin\)/#/usr&#' | awk -F/ '{ path = ""; for (n = 2; n <= NF; n++) { path = path "/" $n; print path } }' | sort -u |
  grep -v '^/usr/share/\(bug\|doc\|icons\|lintian\|locale\|man\)/\|^/\.$\|/dri/\|/libLLVM\|/libz3\|/libVkLayer' |
    xargs -d '\n' ls -d 2>/dev/null >"$list" || true
tar --create --file - --directory / --no-recursion --files-from "$list" --recursion "$selkies" --directory "$here" start 2>/dev/null
