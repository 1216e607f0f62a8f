"""`choose_packages`: from missing libraries and programs to the Debian packages that bring them, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shipwheel.native.contents import Contents
from shipwheel.native.known import Known
from shipwheel.native.loader import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Debian packages to add, each with its reason, and what none of them brings, each as a line to print."""

    packages: Mapping[str, str] = field(default_factory=dict)
    unresolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    """A library or program, its reason and how many files ask for it; `lost` says whether to tell where no package has it."""

    reason: str
    files: int
    owners: tuple[str, ...]
    lost: bool


def choose_packages(missing: Iterable[Missing], known: Iterable[Known], contents: Contents, have: Collection[str]) -> Added:
    """The packages of `contents` that bring all of it; `have` are names of packages that are there.

    A package that is there, or that something else needs, wins over another that brings the same. What is optional adds none.
    """
    wanted = [*_missing(missing, contents), *_known(known, contents)]
    chosen: dict[str, list[_Want]] = {}
    for want in sorted(wanted, key=lambda want: len(want.owners) != 1):
        taken = (name for names in (have, chosen) for name in want.owners if name in names)
        if name := next(taken, next(iter(want.owners), "")):
            chosen.setdefault(name, []).append(want)
    return Added(
        packages={name: _reason(wants) for name, wants in sorted(chosen.items()) if name not in have},
        unresolved=tuple(f"{want.reason}, is in no Debian package" for want in wanted if want.lost and not want.owners),
    )


def _missing(missing: Iterable[Missing], contents: Contents) -> Iterator[_Want]:
    """What is missing for good; a library that another package brings is there once that is imported."""
    for each in missing:
        if not each.optional:
            owners, files = contents.owners(each.name), max(len(each.needed_by), 1)
            yield _Want(reason=each.reason, files=files, owners=owners, lost=not each.elsewhere)


def _known(known: Iterable[Known], contents: Contents) -> Iterator[_Want]:
    """What packages open and call; of libraries, the names of several Debian releases stand side by side."""
    for needs in known:
        for name in needs.libraries:
            yield _Want(reason=f"{name}, {needs.why}", files=1, owners=contents.owners(name), lost=False)
        for name in needs.programs:
            yield _Want(reason=f"{name}, {needs.why}", files=1, owners=contents.programs(name), lost=True)


def _reason(wants: list[_Want]) -> str:
    """The first, and how many more files and packages ask for something of the same package."""
    more = sum(want.files for want in wants) - 1
    return f"{wants[0].reason} and {more} more" if more else wants[0].reason
