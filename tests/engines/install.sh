#!/usr/bin/env bash
# Installs the real engines and validators that the engine tests drive, on a Debian 12 machine, as root.
# Docker and cosign come from Debian trixie (bookworm's are too old or absent) at a low pin, so nothing else on the machine moves but
# the C library that they ask for.
# Harmless to run again: what is there already is left alone.
set -euo pipefail

bookworm_packages=(podman runc crun skopeo umoci buildah oci-image-tool golang-github-opencontainers-image-spec-dev
  docker-registry mmdebstrap busybox-static iptables fuse-overlayfs uidmap slirp4netns ca-certificates curl hyperfine netavark aardvark-dns chromium wrk
  stargz-snapshotter)
trixie_packages=(docker.io docker-cli docker-buildx cosign)
tools=(crane trivy qemu-aarch64 sarif-schema)

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "engines: needs root on Debian; the engine tests will be skipped by name" >&2
  exit 0
fi
cd "$(dirname "$0")"

missing_packages() {
  for name in "${bookworm_packages[@]}" "${trixie_packages[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || echo "$name"
  done
}

missing_tools() {
  for name in "${tools[@]}"; do
    [ -x "../../.work/tools/$name" ] || echo "$name"
  done
}

add_trixie() {
  local mirror
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
  printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "${mirror:-http://deb.debian.org/debian}" >/etc/apt/sources.list.d/shipwheel-engines.sources
  printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' >/etc/apt/preferences.d/shipwheel-engines
  apt-get -qq update
}

packages=$(missing_packages) missing=$(missing_tools)
[ -z "$packages$missing" ] && exit 0
export DEBIAN_FRONTEND=noninteractive
add_trixie
if [ -n "$packages" ]; then
  apt-get -qq install -y --no-install-recommends "${bookworm_packages[@]}"
  apt-get -qq install -y --no-install-recommends -t trixie "${trixie_packages[@]}"
fi
for name in $missing; do
  ./tools.sh "$name" || echo "engines: $name could not be had; its tests will be skipped by name" >&2
done
