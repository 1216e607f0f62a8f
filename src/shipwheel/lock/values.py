"""What a lock says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.errors import LockError
from shipwheel.oci.blob import Platform

FILE_NAME = "shipwheel.lock"
FORMAT = 1
"""Raised when an older shipwheel could no longer read the file right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel of an index, by the sha256 (hex) of its file and its size in bytes.

    `source` is `index`, `find-links`, or `shipwheel` for the runtime's, which comes with shipwheel itself: never an address,
    so that a lock survives mirrors and proxies.
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

    `archive` is debian or debian-security; `reason` says why it is there, empty for the base's own.
    """

    name: str
    version: str
    architecture: str
    filename: str
    sha256: str
    size: int
    archive: str = "debian"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of the model that is served; `path` is relative to its bundle, or the model file's own name."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image of a registry that one platform's image lies on: `digest` and `size` (bytes) are its manifest's.

    `reference` is the name in full, never a mirror's host. `python` is its Python, 3.12.7 or only 3.12, `interpreter` the path
    of that, `glibc` the N of its glibc 2.N, `distribution` such as bookworm or ubuntu-22.04: empty where nothing shows it.
    """

    reference: str
    digest: str
    size: int
    python: str
    interpreter: str
    glibc: int
    distribution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What the wheels need of a GPU: `kind` is cuda or rocm, `version` such as 12.6 (the newest CUDA or ROCm in the wheels).

    `driver` is the oldest NVIDIA driver that it runs on (525.60.13). `architectures` are those for which every library with
    GPU code has some, separated by spaces: sm_80 natively, compute_90 by the driver's compiler (PTX) on that and later.
    """

    kind: str
    version: str
    driver: str = ""
    architectures: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLock:
    """One platform's files; `base` is None where the base is composed from `debs`, `accelerator` where nothing needs a GPU."""

    platform: Platform
    base: BaseImage | None = None
    accelerator: Accelerator | None = None
    debs: tuple[Deb, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    built: tuple[Built, ...] = ()

    @property
    def packages(self) -> tuple[Wheel | Built, ...]:
        """The Python packages, wheels first."""
        return (*self.wheels, *self.built)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that a build needs to know.

    `fingerprint` (hex) is of everything that decided the versions; another one makes the lock stale. `suite` is the Debian
    release that the base is composed of, empty for a base from a registry. `dates` are each archive's index date (ISO 8601,
    UTC), for the snapshot archive. `interpreters` holds, by Debian architecture of the machine that builds, the packages of
    the interpreter that compiles bytecode; nothing where Debian has none of the base's Python. `model` pins the files of the
    model that the runtime serves, wherever the service gets them.
    """

    fingerprint: str
    python: str
    suite: str
    dates: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[PlatformLock, ...] = ()
    interpreters: Mapping[str, tuple[Deb, ...]] = field(default_factory=dict)
    model: tuple[ModelFile, ...] = ()

    def of(self, platform: Platform) -> PlatformLock:
        """The files for one platform.

        Raises:
            LockError: the lock was not made for it.
        """
        for each in self.platforms:
            if each.platform == platform:
                return each
        raise LockError(f"{FILE_NAME} holds nothing for {platform}", hint=f"shipwheel lock --platform {platform}")


Row = Wheel | Built | Deb | ModelFile | BaseImage | Accelerator
"""What stands on one line of the file."""
