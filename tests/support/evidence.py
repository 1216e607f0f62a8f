"""Evidence of builds that never were: a lock with one of everything."""

from __future__ import annotations

from dataclasses import replace

from shipwheel.attest.evidence import Evidence
from shipwheel.lock import BaseImage, Built, Deb, Lock, ModelFile, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project.revision import Revision

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
PREFIX = "org.opencontainers.image."


def _hash(character: str) -> str:
    return character * 64


DEBS = (
    Deb(name="libstdc++6", version="12.2.0-14+deb12u1", architecture="amd64", filename="pool/a.deb", sha256=_hash("a"), size=1),
    Deb(name="zlib1g", version="1:1.2.13.dfsg-1", architecture="amd64", filename="pool/z.deb", sha256=_hash("b"), size=1),
)
WHEELS = (
    Wheel(name="torch", version="2.13.0+cpu", filename="torch-2.13.0+cpu-py3-none-any.whl", sha256=_hash("c"), size=1),
    Wheel(
        name="typing-extensions", version="4.12", filename="typing_extensions-4.12-py3-none-any.whl", sha256=_hash("d"), size=1
    ),
)
BUILT = (
    Built(name="alpha", version="1.0", kind="sdist", filename="alpha-1.0.tar.gz", sha256=_hash("e"), size=1),
    Built(name="beta", version="2.0", kind="git", url="https://git.example.org/beta", commit="f" * 40),
    Built(name="gamma", version="3.0", kind="path", path="libs/gamma"),
)
BASE = BaseImage(
    reference="docker.io/library/python:3.12-slim",
    digest=f"sha256:{_hash('9')}",
    size=1,
    python="3.12.7",
    interpreter="/usr/local/bin/python3.12",
    glibc=36,
    distribution="bookworm",
)
LOCK = Lock(
    fingerprint=_hash("0"),
    python="3.11",
    suite="bookworm",
    dates={"debian": "2026-10-01T02:03:04+00:00", "debian-security": "2026-11-01T02:03:04+00:00"},
    platforms=tuple(PlatformLock(platform=each, debs=DEBS, wheels=WHEELS, built=BUILT) for each in (AMD64, ARM64)),
)
ON_BASE = replace(LOCK, suite="", platforms=(PlatformLock(platform=AMD64, base=BASE, debs=DEBS, wheels=WHEELS),))
EVIDENCE = Evidence(
    name="team/iris",
    lock=LOCK,
    about={f"{PREFIX}title": "Iris", f"{PREFIX}version": "1.2", f"{PREFIX}licenses": "MIT"},
    parameters={"settings": {"port": 8080}, "bytecode": True},
    model=(
        ModelFile(path="model/bundle.json", sha256=_hash("1"), size=1),
        ModelFile(path="model/ä+b.skops", sha256=_hash("2"), size=1),
    ),
    revision=Revision(commit="3" * 40, source="https://git.example.org/iris"),
    builder="0.1.0",
)
