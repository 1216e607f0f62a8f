"""`Part`: a thing in an image that has a name of its own: what every format of SBOM lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from shipwheel.attest.evidence import Evidence
from shipwheel.lock import BaseImage, Built, Deb, ModelFile, Wheel
from shipwheel.oci.blob import Digest, Platform
from shipwheel.oci.reference import Reference
from shipwheel.project.about import PREFIX

DISTRIBUTIONS = {"bookworm": "debian-12", "trixie": "debian-13", "bullseye": "debian-11"}
"""Debian's releases as os-release names them, which is how scanners tell which of its advisories to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`sha256` (hex) is of the file that it came in: a wheel, a Debian package, a manifest; empty where it came in none.

    `purl` is its package URL, empty for what no registry of packages knows. `source` tells what it was built from, where
    that was no file of its own. `files` are a model's.
    """

    kind: Literal["application", "wheel", "deb", "model", "base", "os"]
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    source: str = ""
    license: str = ""
    files: tuple[ModelFile, ...] = ()

    @property
    def reference(self) -> str:
        """What it is called within one document."""
        return self.purl or f"{self.kind}:{self.name}"


def list_parts(evidence: Evidence, platform: Platform) -> tuple[Part, ...]:
    """Everything in one platform's image: the project, its model, its base, the system, its packages, Python packages.

    Raises:
        LockError: the lock was not made for the platform.
    """
    locked = evidence.lock.of(platform)
    named = locked.base.distribution if locked.base else evidence.lock.suite
    distribution = DISTRIBUTIONS.get(named, named)
    return (
        *_own(evidence),
        *((_base(locked.base, platform),) if locked.base else ()),
        *((_system(distribution),) if distribution else ()),
        *sorted((_deb(deb, distribution) for deb in locked.debs), key=lambda part: part.reference),
        *sorted((*map(_wheel, locked.wheels), *map(_built, locked.built)), key=lambda part: part.reference),
    )


def _own(evidence: Evidence) -> Iterator[Part]:
    about = evidence.about
    yield Part(
        kind="application",
        name=about.get(f"{PREFIX}title", evidence.name),
        version=about.get(f"{PREFIX}version", ""),
        license=about.get(f"{PREFIX}licenses", ""),
    )
    if evidence.model:
        yield Part(kind="model", name=evidence.name, files=evidence.model)


def _base(base: BaseImage, platform: Platform) -> Part:
    """Of type oci (purl-spec): named by the last part of its repository, its version the manifest's digest."""
    reference = Reference.parse(base.reference)
    where = f"{reference.registry}/{reference.repository}"
    name = reference.repository.rpartition("/")[2]
    tag = "" if reference.digest else reference.tag
    purl = _purl("oci", name, base.digest, arch=platform.architecture, repository_url=where, tag=tag)
    return Part(kind="base", name=where, version=base.digest, purl=purl, sha256=Digest.parse(base.digest).hex)


def _system(distribution: str) -> Part:
    """Without it scanners do not know whose advisories are about the packages."""
    name, _, version = distribution.partition("-")
    return Part(kind="os", name=name, version=version)


def _deb(deb: Deb, distribution: str) -> Part:
    vendor = distribution.partition("-")[0] or "debian"
    purl = _purl(f"deb/{vendor}", deb.name, deb.version, arch=deb.architecture, distro=distribution)
    return Part(kind="deb", name=deb.name, version=deb.version, purl=purl, sha256=deb.sha256)


def _wheel(wheel: Wheel) -> Part:
    purl = _purl("pypi", wheel.name, wheel.version)
    return Part(kind="wheel", name=wheel.name, version=wheel.version, purl=purl, sha256=wheel.sha256)


def _built(built: Built) -> Part:
    """Built from source on the machine that locked: the hash of an sdist is not one of the wheel."""
    origin = f"git+{built.url}@{built.commit}" if built.kind == "git" else ""
    source = {"git": origin, "sdist": f"{built.filename}, sha256 {built.sha256}", "path": built.path}[built.kind]
    purl = _purl("pypi", built.name, built.version, vcs_url=origin)
    return Part(kind="wheel", name=built.name, version=built.version, purl=purl, source=source)


def _purl(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """A package URL (purl-spec, "How to build"); qualifiers in the order of their names, none that is empty."""
    pairs = "&".join(f"{key}={quote(value, safe='/:~')}" for key, value in sorted(qualifiers.items()) if value)
    return f"pkg:{kind}/{quote(name, safe='~')}@{quote(version, safe=':~')}" + (f"?{pairs}" if pairs else "")
