"""Projects that build offline: a base of tiny Debian packages, wheels of an in-process index, a lock of our own making."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from shipwheel.lock import FILE_NAME, Deb, Lock, PlatformLock, Wheel, write_lock
from shipwheel.oci.blob import Platform
from shipwheel.project import load_project
from shipwheel.resolve.fingerprint import fingerprint
from support import debian
from support.wheels import sha256_of

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Packages of a base that holds next to nothing, in a folder that an HTTP server shows at /files/."""

    folder: Path
    debs: tuple[Deb, ...]

    @classmethod
    def make(cls, folder: Path) -> Mirror:
        """Two packages: one file and one link."""
        folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "base-files": [debian.folder("./etc"), debian.member("./etc/os-release", b"ID=debian\n")],
            "python3.11-minimal": [debian.member("./usr/bin/python3.11", b"#!/bin/false\n" * 500, mode=0o755)],
        }
        made = [debian.make_deb(folder, name, members) for name, members in contents.items()]
        return cls(folder=folder, debs=tuple(_beside(deb, path) for deb, path in made))

    def lock(self, project: Path, wheels: Iterable[Path] = (), platforms: Iterable[Platform] = (AMD64,)) -> Lock:
        """Write the project's lock, as `shipwheel lock` would with this mirror."""
        locked = tuple(locked_wheel(path) for path in wheels)
        lock = Lock(
            fingerprint=fingerprint(load_project(project)),
            python="3.11",
            suite="bookworm",
            platforms=tuple(PlatformLock(platform=each, debs=self.debs, wheels=locked) for each in platforms),
        )
        write_lock(project / FILE_NAME, lock)
        return lock


def locked_wheel(path: Path) -> Wheel:
    """A wheel's file in the words of a lock."""
    name, version, *_ = path.name.split("-")
    sha256, size = sha256_of(path), path.stat().st_size
    return Wheel(name=name.replace("_", "-"), version=version, filename=path.name, sha256=sha256, size=size)


def _beside(deb: Deb, path: Path) -> Deb:
    return replace(deb, filename=f"files/{path.name}")


def make_script(folder: Path, *requirements: str, text: str = 'print("ready")\n') -> Path:
    """A project: requirements.txt and app.py."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements))
    (folder / "app.py").write_text(text)
    return folder
