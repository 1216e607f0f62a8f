"""Which wheels share a layer, and the recipes of those layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shipwheel.layers import bytecode
from shipwheel.layers.bytecode import Compiler, with_bytecode
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.layers.venv import venv_tree
from shipwheel.oci.tree import Entry, Tree

LARGE_FROM = 200_000
"""Bytes of a wheel that gets a layer of its own: what it holds is worth a request."""

MAX_LARGE = 60
"""Most layers of one wheel; the smaller of more share the buckets. With the base and buckets, well below Docker's 125."""

BUCKETS = 24
"""Layers that small wheels share, chosen by name: adding a wheel changes one of them."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Part:
    """A wheel file of any origin: built from source, or of an index."""

    size: int
    name: str
    version: str
    sha256: str
    built_here: bool = False
    """From source: the project's own, or unlikely to be the same bytes on another machine; no layer of it is shared."""


def group(parts: Iterable[Part]) -> tuple[tuple[Part, ...], ...]:
    """The wheels of each layer, lowest first: large ones alone, largest lowest; then the buckets."""
    by_size = sorted(parts, key=lambda part: (-part.size, part.name))
    large = [part for part in by_size if part.size >= LARGE_FROM][:MAX_LARGE]
    buckets: dict[int, list[Part]] = {}
    for part in by_size[len(large) :]:
        buckets.setdefault(_bucket(part.name), []).append(part)
    small = (tuple(sorted(bucket, key=lambda part: part.name)) for _, bucket in sorted(buckets.items()))
    return (*((part,) for part in large), *small)


def _bucket(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % BUCKETS


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLayers:
    """How the Python packages of an image are installed: its version, the base's interpreter and that one's identity."""

    python: str
    interpreter: str
    identity: str

    def recipes(self, parts: Iterable[Part]) -> Iterator[Recipe]:
        """The environment itself, then its packages."""
        yield Recipe(
            created_by=f"virtual environment of Python {self.python}",
            inputs=("venv", self.python, self.interpreter),
            files=(),
            shared=True,
            entries=lambda *_: venv_tree(self.python, self.interpreter),
        )
        for wheels in group(parts):
            yield self._recipe(wheels)

    def _recipe(self, wheels: Sequence[Part]) -> Recipe:
        shas = tuple(part.sha256 for part in wheels)

        def entries(files: Files, compiler: Compiler | None) -> Iterable[Entry]:
            return with_bytecode(self._tree(wheels, files), compiler)

        return Recipe(
            created_by=", ".join(f"{part.name} {part.version}" for part in wheels),
            inputs=("wheels", self.python, bytecode.key(self.identity), *shas),
            files=shas,
            shared=not any(part.built_here for part in wheels),
            entries=entries,
        )

    def _tree(self, wheels: Sequence[Part], files: Files) -> Tree:
        """Packages that ship the same path exist (`tests/__init__.py`); the last by name wins, as the last installed would."""
        from shipwheel.layers.wheels import wheel_tree

        trees = (wheel_tree(files[part.sha256], self.python, f"{part.name} {part.version}") for part in wheels)
        entries = {entry.path: entry for tree in trees for entry in tree}
        return Tree.of(entries.values(), origin=" + ".join(part.name for part in wheels), case_clash=False)
