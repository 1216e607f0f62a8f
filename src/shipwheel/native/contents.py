"""`Contents`: which Debian package has which library or program (Debian wiki, "DebianRepository/Format", Contents)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Contents(Protocol):
    """The files of one suite (with its updates) for one architecture, by what they are called."""

    def libraries(self, packages: Iterable[str]) -> frozenset[str]:
        """Names of shared libraries in the loader's default folders that these packages bring."""

    def owners(self, library: str) -> tuple[str, ...]:
        """Packages that bring a library of this name into the loader's default folders, the one to take first."""

    def programs(self, program: str) -> tuple[str, ...]:
        """Packages that bring a program of this name into the search path, the one to take first."""
