"""`choose_packages`: from missing libraries and programs to the Debian packages that bring them, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shipwheel.native.contents import Contents
from shipwheel.native.loader import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that a package runs: `name` is looked for in the search path (ffmpeg), `owner` is the package."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Debian packages to add, each with its reason, and what no package of Debian brings, each as a line to print."""

    packages: Mapping[str, str] = field(default_factory=dict)
    unresolved: tuple[str, ...] = ()


def choose_packages(
    missing: Iterable[Missing], programs: Iterable[Program], contents: Contents, have: Collection[str]
) -> Chosen:
    """The fewest of the first packages of `contents` that bring all of it; `have` are names of packages that are there.

    A package that is there, or that something else needs, wins over another that brings the same.
    """
    wanted: list[tuple[Missing | Program, tuple[str, ...]]] = [(need, contents.owners(need.name)) for need in missing]
    wanted += [(need, contents.programs(need.name)) for need in programs]
    reasons: dict[str, list[Missing | Program]] = {}
    for need, owners in sorted(wanted, key=lambda pair: len(pair[1]) != 1):
        for name in _preferred(owners, (have, reasons)):
            reasons.setdefault(name, []).append(need)
    return Chosen(
        packages={name: _reason(needs) for name, needs in sorted(reasons.items()) if name not in have},
        unresolved=tuple(f"{why(need)}, is in no Debian package" for need, owners in wanted if not owners),
    )


def why(need: Missing | Program) -> str:
    """`libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python`, `ffmpeg, run by pydub`."""
    if isinstance(need, Program):
        return f"{need.name}, run by {need.owner}"
    if not need.needed_by:
        return f"{need.name}, opened by {need.owner}"
    return f"{need.name}, needed by {need.needed_by[0].rpartition('site-packages/')[2]} of {need.owner}"


def _preferred(owners: Sequence[str], taken: Iterable[Collection[str]]) -> Sequence[str]:
    """The owner that is in the first of `taken` that has any, else the first; none of none."""
    return next(([name] for names in taken for name in owners if name in names), owners[:1])


def _reason(needs: Sequence[Missing | Program]) -> str:
    """The first, and how many more files and packages ask for something of the same package."""
    more = sum(len(need.needed_by) or 1 if isinstance(need, Missing) else 1 for need in needs) - 1
    return f"{why(needs[0])}{f' and {more} more' if more else ''}"
