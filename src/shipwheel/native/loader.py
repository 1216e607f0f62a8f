"""`missing`: which libraries the dynamic loader would not find (ld.so(8), "DESCRIPTION")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shipwheel.native.elf import Elf


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A library that nothing in the environment brings: `name` is what a loader looks for (libGL.so.1).

    `needed_by` are the paths of the files that ask for it, `owner` is the package (or `the project`) of the first of them.
    """

    name: str
    owner: str
    needed_by: tuple[str, ...]


def missing(owners: Mapping[str, Sequence[Elf]], present: Iterable[str] = ()) -> tuple[Missing, ...]:
    """What files of `owners` (a package's name to its files) need and neither they nor `present` (sonames of the system) bring."""
    raise NotImplementedError
