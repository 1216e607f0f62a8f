"""`Needs`: what chosen wheels need beside Python packages, as whoever has read them tells the lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shipwheel.lock import Accelerator, PlatformLock
from shipwheel.project import Project
from shipwheel.resolve.debian import IndexSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a platform is locked to so far: wheels, sources, and as `debs` the base's packages and those that the project names.

    `suite` is the Debian release whose packages can be added, empty where none can; `glibc` the N of the base's glibc 2.N,
    `distribution` the base's (bookworm, ubuntu-22.04), empty where nothing shows it.
    """

    project: Project
    locked: PlatformLock
    suite: str
    glibc: int
    distribution: str
    debian: IndexSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Debian packages to add, each with the reason for it, and what the wheels need of a GPU."""

    packages: Mapping[str, str] = field(default_factory=dict)
    accelerator: Accelerator | None = None


Examine = Callable[[Chosen], Needs]
"""Reads the wheels that were chosen, and raises ResolveError where they cannot run on the base."""


def unexamined(_: Chosen) -> Needs:
    """Nothing is read: the packages that the project names are all that is added."""
    return Needs()
