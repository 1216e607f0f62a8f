"""`Target`: which wheels fit an interpreter on a platform, best first, and what markers mean there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shipwheel.errors import ResolveError
from shipwheel.oci.blob import Platform

if TYPE_CHECKING:
    from packaging.tags import Tag

T = TypeVar("T")

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""OCI's architecture to that of wheel tags."""

_OLDEST = {"x86_64": 5, "aarch64": 17}
"""The first glibc 2.N that manylinux defines for it (PEP 600)."""
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
UV_NEWEST = 40
"""The newest manylinux_2_N that uv knows as a platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """CPython `python` (3.11, or 3.11.2) on Linux with glibc 2.`glibc`: 36 in bookworm, 41 in trixie."""

    python: str
    platform: Platform
    glibc: int

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor, *_ = self.python.split(".")
        return int(major), int(minor)

    @property
    def machine(self) -> str:
        """As in wheel tags.

        Raises:
            ResolveError: an architecture that manylinux does not have here.
        """
        if self.platform.os != "linux" or self.platform.architecture not in MACHINES:
            raise ResolveError(f"no wheels are known for {self.platform}", hint="linux/amd64 and linux/arm64 are supported")
        return MACHINES[self.platform.architecture]

    @property
    def uv_platform(self) -> str:
        """What uv calls it."""
        return f"{self.machine}-manylinux_2_{min(self.glibc, UV_NEWEST)}"

    def tags(self) -> Iterator[Tag]:
        """Every compatible tag, the best first, in pip's order (packaging.tags)."""
        from packaging.tags import compatible_tags, cpython_tags

        platforms, (major, minor) = list(self._platforms()), self.version
        interpreter = f"cp{major}{minor}"
        yield from cpython_tags(self.version, [interpreter], platforms)
        yield from compatible_tags(self.version, interpreter, platforms)

    def _platforms(self) -> Iterator[str]:
        for minor in range(self.glibc, _OLDEST[self.machine] - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{self.machine}"
        yield f"linux_{self.machine}"

    def environment(self) -> dict[str, str]:
        """The values of environment markers there (PEP 508)."""
        major, minor = self.version
        full = self.python if self.python.count(".") > 1 else f"{self.python}.0"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full,
            "python_version": f"{major}.{minor}",
            "sys_platform": "linux",
        }

    def best(self, files: Iterable[tuple[str, T]]) -> T | None:
        """Of (wheel's filename, anything) the one that pip would take; None where none fits."""
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        ranks = {tag: rank for rank, tag in reversed(list(enumerate(self.tags())))}
        found: list[tuple[int, tuple[int, str], str, T]] = []
        for filename, value in files:
            try:
                _, _, build, tags = parse_wheel_filename(filename)
            except InvalidWheelFilename:
                continue
            fitting = [ranks[tag] for tag in tags if tag in ranks]
            if fitting:
                found.append((min(fitting), (-build[0], build[1]) if build else (1, ""), filename, value))
        return min(found, key=lambda each: each[:3])[3] if found else None


def is_pure(filename: str) -> bool:
    """Whether a wheel fits every platform, by its name."""
    return filename.removesuffix(".whl").endswith("-any")
