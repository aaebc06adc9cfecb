#!/usr/bin/env bash
# Builds the images of this folder and the gate that is in them, and pushes them: `infra/images/build.sh [--push] REGISTRY TAG [IMAGE…]`.
# With --push for both architectures (needs docker's buildx), without for this machine's.
set -euo pipefail
cd "$(dirname "$0")/../.."

push=
if [ "${1:-}" = --push ]; then
  push=1
  shift
fi
if [ $# -lt 2 ]; then
  sed -n '2,3s/^# //p' "$0" >&2
  exit 64
fi
registry=$1 tag=$2
shift 2
images=("$@")
[ ${#images[@]} -gt 0 ] || images=(chromium desktop web)
for image in "${images[@]}"; do
  [ -f "infra/images/$image.Dockerfile" ] || { echo "There is no image $image." >&2; exit 64; }
done

build() {
  if [ -n "$push" ]; then
    docker buildx build --platform "${PLATFORMS:-linux/amd64,linux/arm64}" --push "$@"
  else
    docker build "$@"
  fi
}

# An existing one is taken with GATE=…
gate=${GATE:-$registry/casting/gate:$tag}
[ -n "${GATE:-}" ] || build --file infra/gate.Dockerfile --tag "$gate" .
for image in "${images[@]}"; do
  build --file "infra/images/$image.Dockerfile" --build-arg "GATE=$gate" ${BASE:+--build-arg "BASE=$BASE"} \
    --tag "$registry/casting/$image:$tag" infra/images
done
