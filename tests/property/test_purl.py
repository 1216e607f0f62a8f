"""Package URLs of any names and versions are those of the specification's own library, and say the same again when read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from shipwheel.attest.evidence import Evidence
from shipwheel.attest.parts import list_parts
from shipwheel.lock import Built, Deb, Lock, PlatformLock, Wheel
from shipwheel.oci.blob import Platform

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~-]{0,20}", fullmatch=True)
PYTHON_NAMES = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,2}", fullmatch=True)
PYTHON_VERSIONS = st.from_regex(r"([0-9]!)?[0-9]+(\.[0-9]+)*(\+[a-z0-9.]+)?", fullmatch=True)


def purls(locked: PlatformLock) -> list[str]:
    lock = Lock(fingerprint="", python="3.11", suite="bookworm", platforms=(locked,))
    return [part.purl for part in list_parts(Evidence(name="app", lock=lock), locked.platform) if part.purl]


@given(NAMES, VERSIONS, PYTHON_NAMES, PYTHON_VERSIONS)
def test_any_name_and_version(name: str, version: str, python_name: str, python_version: str) -> None:
    locked = PlatformLock(
        platform=Platform(),
        debs=(Deb(name=name, version=version, architecture="amd64", filename="a", sha256="", size=1),),
        wheels=(Wheel(name=python_name, version=python_version, filename="a.whl", sha256="", size=1),),
        built=(Built(name=python_name, version=python_version, kind="git", url="https://a.example/b?c=d&e#f", commit="0"),),
    )
    deb, *packages = sorted(purls(locked))
    read = PackageURL.from_string(deb)
    assert (read.to_string(), read.name, read.version) == (deb, name, version)
    for purl in packages:
        read = PackageURL.from_string(purl)
        assert (read.to_string(), read.name, read.version) == (purl, python_name, python_version)
