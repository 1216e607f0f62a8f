"""`Lock`: the exact files that an image is made of, and shipwheel.lock, the file that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.oci.blob import Platform

FILE_NAME = "shipwheel.lock"
FORMAT = 1
"""Raised when an older shipwheel could no longer read the file right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel of an index, by the sha256 (hex) of its file and its size in bytes.

    `source` is `index` or `find-links`: never an address, so that a lock survives mirrors and proxies.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    source: str = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What has no wheel and is built from source: an sdist, a VCS commit, or a folder of the project.

    `kind` is sdist, git or path. sdist: `filename`, `sha256`, `size`. git: `url` (without credentials), `commit`,
    `subdirectory`. path: `path` relative to the project; its content is hashed at every build, not locked.
    """

    name: str
    version: str
    kind: str
    filename: str = ""
    sha256: str = ""
    size: int = 0
    url: str = ""
    commit: str = ""
    subdirectory: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A Debian package; `filename` is its path below the archive's root (Packages, `Filename`).

    `archive` is debian or debian-security.
    """

    name: str
    version: str
    architecture: str
    filename: str
    sha256: str
    size: int
    archive: str = "debian"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLock:
    """One platform's files."""

    platform: Platform
    debs: tuple[Deb, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    built: tuple[Built, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that a build needs to know.

    `fingerprint` (hex) is of everything that decided the versions; another one makes the lock stale. `suite` is the
    Debian release of the base, `dates` each archive's index date (ISO 8601, UTC), for the snapshot archive. `interpreters`
    holds, by Debian architecture of the machine that builds, the packages of the interpreter that compiles bytecode.
    """

    fingerprint: str
    python: str
    suite: str
    dates: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[PlatformLock, ...] = ()
    interpreters: Mapping[str, tuple[Deb, ...]] = field(default_factory=dict)
