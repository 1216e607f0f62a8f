"""`newer_versions`: native files that are made for a newer C or C++ library than the base has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from shipwheel.errors import ResolveError
from shipwheel.native.elf import Elf
from shipwheel.native.search import Environment
from shipwheel.resolve.base import SUITES
from shipwheel.resolve.inside import GLIBC

NEWEST = MappingProxyType(
    {
        8: {"GLIBCXX": "3.4.25", "CXXABI": "1.3.11"},
        10: {"GLIBCXX": "3.4.28", "CXXABI": "1.3.12"},
        12: {"GLIBCXX": "3.4.30", "CXXABI": "1.3.13", "GCC": "12.0.0"},
        14: {"GLIBCXX": "3.4.33", "CXXABI": "1.3.15", "GCC": "14.0.0"},
    }
)
"""The newest symbol versions of libstdc++ and libgcc_s, by GCC's major version.

Source: libstdc++ manual, "ABI Policy and Guidelines"; 12 and 14 are what Debian's libraries themselves say.
"""

GCC = MappingProxyType(
    {
        **{"buster": 8, "bullseye": 10, "bookworm": 12, "trixie": 14},
        **{"ubuntu-20.04": 10, "ubuntu-22.04": 12, "ubuntu-24.04": 14},
    }
)
"""The GCC whose libstdc++6 each distribution has (packages.debian.org, packages.ubuntu.com)."""

_LIBRARIES = {"GLIBC": "glibc", "GLIBCXX": "GLIBCXX", "CXXABI": "CXXABI", "GCC": "GCC"}

_RELATIVE_RELOCATIONS = ("GLIBC_ABI_DT_RELR", "GLIBC_2.36")
"""A version that stands for what the loader can do: glibc 2.36 was the first (its NEWS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooNew:
    """A symbol version that the base lacks: `wanted` (GLIBC_2.38) by `path` of `owner`, where the base `has` 2.36."""

    owner: str
    path: str
    wanted: str
    has: str

    def __str__(self) -> str:
        """needs glibc 2.38 (foo/_x.so), and the base has 2.36."""
        kind, _, version = self.wanted.partition("_")
        shown = self.path.rpartition("/site-packages/")[2]
        return f"needs {_LIBRARIES[kind]} {version} ({shown}), and the base has {self.has}"


def newer_versions(
    owners: Mapping[str, Sequence[Elf]], glibc: int, distribution: str, *, machine: str = ""
) -> tuple[TooNew, ...]:
    """The newest version of each library that each package needs and the base lacks; sorted by package.

    `glibc` is the N of the base's 2.N, `distribution` (bookworm, ubuntu-22.04) tells its libstdc++: of one that is not in GCC
    only glibc is compared, and nothing where it is empty, since glibc is assumed then (`resolve.inside`). Libraries that
    packages bring themselves do not count, nor do files that a package works without.
    """
    if not distribution:
        return ()
    has = {"GLIBC": f"2.{glibc}", **NEWEST.get(GCC.get(distribution, 0), {})}
    worst: dict[tuple[str, str], TooNew] = {}
    for each in _wanted(Environment(owners, machine), has):
        key = (each.owner, each.wanted.partition("_")[0])
        if key not in worst or _number(each.wanted) > _number(worst[key].wanted):
            worst[key] = each
    return tuple(worst[key] for key in sorted(worst))


def too_new(found: Sequence[TooNew], releases: Mapping[str, str], built: Collection[str] = ()) -> ResolveError:
    """The error that names them all; `releases` are versions of packages, `built` those that this machine built from source."""
    names = {owner: f"{owner} {release}" for owner, release in releases.items()}
    lines = [f"{names.get(each.owner, each.owner)} {each}" for each in found]
    message = lines[0] if len(lines) == 1 else "\n  ".join(("wheels need newer libraries than the base has:", *lines))
    return ResolveError(message, hint=_hint(found, built))


def _wanted(environment: Environment, has: Mapping[str, str]) -> Iterator[TooNew]:
    matter = environment.necessary()
    for file in environment.files:
        if file.place not in matter:
            continue
        for library, version in file.elf.versions:
            named = _RELATIVE_RELOCATIONS[1] if version == _RELATIVE_RELOCATIONS[0] else version
            kind = named.partition("_")[0]
            known = re.fullmatch(r"[A-Z]+_\d+(\.\d+)*", named) and kind in has
            if known and _number(named) > _number(has[kind]) and not environment.found(file, library):
                yield TooNew(owner=file.owner, path=file.elf.path, wanted=named, has=has[kind])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.rpartition("_")[2].split("."))


def _hint(found: Sequence[TooNew], built: Collection[str]) -> str:
    names = ", ".join(sorted({each.owner for each in found}))
    if all(each.owner in built for each in found):
        return f"{names} was built here, where the C library is newer: take a wheel, or lock where it is as old as the base's"
    suite = _suite_with(found)
    later = f', or set python = "{suite[0]}", whose base is Debian {suite[1]}' if suite else ", or take a later base"
    return f"require another version of {names}{later}"


def _suite_with(found: Sequence[TooNew]) -> tuple[str, str] | None:
    """The first Python whose composed base has all that was missed, with its suite."""
    for python, suite in SUITES.items():
        has = {"GLIBC": f"2.{GLIBC[suite]}", **NEWEST[GCC[suite]]}
        if all(_number(each.wanted) <= _number(has[each.wanted.partition("_")[0]]) for each in found):
            return python, suite
    return None
