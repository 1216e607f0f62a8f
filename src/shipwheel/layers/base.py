"""The base of an image, composed from Debian packages: no shell, no package manager, the whole standard library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from shipwheel.layers import bytecode
from shipwheel.layers.bytecode import Compiler, with_bytecode
from shipwheel.layers.debs import Spool, deb_tree
from shipwheel.layers.ldcache import PATH as LD_SO_CACHE
from shipwheel.layers.ldcache import ld_so_cache
from shipwheel.layers.maintainer import base_extras, system_extras
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.lock import Deb
from shipwheel.oci.tree import Entry, Tree
from shipwheel.resolve.debian.base import SUITES, base_packages

FORMAT = "1"
"""Part of the keys of these layers: raise it when the same packages give other entries."""

LEFT_OUT = MappingProxyType(
    {
        r"usr/lib/python3\.\d+/(test|lib2to3/tests|distutils/tests)(/.*)?": "tests of Python itself; python:X-slim has none",
        r"usr/lib/python3\.\d+/lib-dynload/(_test|_ctypes_test|_xxtest|xxlimited).*": "extension modules for those tests",
        r"usr/share/zoneinfo/(right|posix)(/.*)?": "time zones a second time, with leap seconds and without",
        r"usr/bin/(localedef|tzselect|zdump|ldd|pldd|iconv)": "tools of libc-bin for people and shells",
        r"usr/sbin/(zic|iconvconfig|update-ca-certificates)": "tools of maintainer scripts",
        r"usr/share/base-files(/.*)?|etc/(update-motd\.d|profile\.d|skel)(/.*)?|etc/issue(\.net)?": "for people who log in",
        r"usr/(games|include|src)|usr/share/(dict|misc)|var/(backups|local|spool)": "empty folders",
    }
)
"""What the base leaves out of its packages beside `debs.LEFT_OUT`, each with the reason."""

_LEFT_OUT = re.compile("|".join(f"(?:{pattern})" for pattern in LEFT_OUT))


def split_debs(debs: Iterable[Deb], python: str) -> tuple[tuple[Deb, ...], tuple[Deb, ...]]:
    """(base, system packages) of a lock's packages: the base is the same layer in all projects, so nothing else is in it."""
    names, debs = frozenset(base_packages(python)), tuple(debs)
    return tuple(deb for deb in debs if deb.name in names), tuple(deb for deb in debs if deb.name not in names)


def base_tree(debs: Sequence[tuple[Deb, Path]], python: str) -> Tree:
    """The base's packages and what their scripts would have made.

    Raises:
        DebError, TreeError: a package that is not what it should be, or packages that do not go together.
    """
    entries = [entry for entry in _unpacked(debs) if not _LEFT_OUT.fullmatch(entry.path)]
    entries += base_extras({entry.path: entry for entry in entries}, python)
    return Tree.of([*entries, ld_so_cache(entries)], origin="the base", case_clash=False)


def system_tree(debs: Sequence[tuple[Deb, Path]], base: Tree) -> Tree:
    """Packages on top of the base: their files, what their scripts would have made, the loader's cache over both."""
    entries = list(_unpacked(debs))
    entries += system_extras({entry.path: entry for entry in (*base, *entries)})
    below = [entry for entry in base if entry.path != LD_SO_CACHE]
    return Tree.of([*entries, ld_so_cache([*below, *entries])], origin="system packages", case_clash=False)


def base_recipes(debs: Iterable[Deb], python: str, identity: str) -> Iterator[Recipe]:
    """The layers of a lock's packages, lowest first: the base with compiled bytecode, then, if any, system packages.

    `identity` is the interpreter's, whose bytecode the base holds.
    """
    base, system = split_debs(debs, python)
    yield Recipe(
        created_by=f"Debian {SUITES[python]} with Python {python}",
        inputs=("base", FORMAT, python, bytecode.key(identity), *_hashes(base)),
        files=_hashes(base),
        entries=lambda files, compiler: _base_entries(base, python, files, compiler),
    )
    if system:
        yield Recipe(
            created_by=f"system packages: {', '.join(deb.name for deb in system)}",
            inputs=("system", FORMAT, python, *_hashes(base), "", *_hashes(system)),
            files=_hashes((*base, *system)),
            entries=lambda files, _: system_tree(_paired(system, files), base_tree(_paired(base, files), python)),
        )


def _base_entries(base: Sequence[Deb], python: str, files: Files, compiler: Compiler | None) -> Iterable[Entry]:
    return with_bytecode(base_tree(_paired(base, files), python), compiler)


def _paired(debs: Iterable[Deb], files: Files) -> list[tuple[Deb, Path]]:
    return [(deb, files[deb.sha256]) for deb in debs]


def _hashes(debs: Iterable[Deb]) -> tuple[str, ...]:
    return tuple(deb.sha256 for deb in debs)


def _unpacked(debs: Sequence[tuple[Deb, Path]]) -> Iterator[Entry]:
    spool = Spool()
    for deb, path in sorted(debs, key=lambda pair: pair[0].name):
        yield from deb_tree(path, deb, spool)
