"""Which layers the Debian packages of a lock make: the base, and system packages on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shipwheel.layers import bytecode
from shipwheel.layers.bytecode import Compiler, with_bytecode
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.lock import Deb
from shipwheel.oci.tree import Entry
from shipwheel.resolve.base import SUITES, base_packages

FORMAT = "1"
"""Part of the base's key: raise it when the same packages give other entries."""

SYSTEM_FORMAT = "2"
"""The same of packages on top of it, or on an image from a registry."""


def split_debs(debs: Iterable[Deb], python: str) -> tuple[tuple[Deb, ...], tuple[Deb, ...]]:
    """(base, system packages) of a lock's packages: the base is the same layer in all projects, so nothing else is in it."""
    names, debs = frozenset(base_packages(python)), tuple(debs)
    return tuple(deb for deb in debs if deb.name in names), tuple(deb for deb in debs if deb.name not in names)


def base_recipes(debs: Iterable[Deb], python: str, identity: str) -> Iterator[Recipe]:
    """The layers of a lock's packages, lowest first: the base with compiled bytecode, then, if any, system packages.

    `identity` is the interpreter's, whose bytecode the base holds.
    """
    base, system = split_debs(debs, python)
    yield Recipe(
        created_by=f"Debian {SUITES[python]} with Python {python}",
        inputs=("base", FORMAT, python, bytecode.key(identity), *_hashes(base)),
        files=_hashes(base),
        shared=True,
        entries=lambda files, compiler: _base_entries(base, python, files, compiler),
    )
    if system:
        yield Recipe(
            created_by=f"system packages: {', '.join(deb.name for deb in system)}",
            inputs=("system", SYSTEM_FORMAT, python, *_hashes(base), "", *_hashes(system)),
            files=_hashes((*base, *system)),
            shared=True,
            entries=lambda files, _: _system_entries(system, base, python, files),
        )


def added_recipes(debs: Sequence[Deb]) -> Iterator[Recipe]:
    """The layer of packages on a Debian image from a registry, if any: the same on whichever."""
    if debs:
        yield Recipe(
            created_by=f"system packages: {', '.join(deb.name for deb in debs)}",
            inputs=("added", SYSTEM_FORMAT, *_hashes(debs)),
            files=_hashes(debs),
            entries=lambda files, _: _added_entries(debs, files),
        )


def _added_entries(debs: Sequence[Deb], files: Files) -> Iterable[Entry]:
    from shipwheel.layers.base import added_tree

    return added_tree(_paired(debs, files))


def _base_entries(base: Sequence[Deb], python: str, files: Files, compiler: Compiler | None) -> Iterable[Entry]:
    from shipwheel.layers.base import base_tree

    return with_bytecode(base_tree(_paired(base, files), python), compiler)


def _system_entries(system: Sequence[Deb], base: Sequence[Deb], python: str, files: Files) -> Iterable[Entry]:
    from shipwheel.layers.base import base_tree, system_tree

    return system_tree(_paired(system, files), base_tree(_paired(base, files), python))


def _paired(debs: Iterable[Deb], files: Files) -> list[tuple[Deb, Path]]:
    return [(deb, files[deb.sha256]) for deb in debs]


def _hashes(debs: Iterable[Deb]) -> tuple[str, ...]:
    return tuple(deb.sha256 for deb in debs)
