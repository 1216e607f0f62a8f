"""Layers of the shared index in a build: taken before anything is fetched, given when they were made."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shipwheel.errors import IntegrityError, Problem
from shipwheel.layers.recipe import Recipe
from shipwheel.oci.layer import Layer
from shipwheel.oci.store import Store

if TYPE_CHECKING:
    from shipwheel.registry.layer_index import LayerIndex

Make = Callable[[list[Recipe]], Mapping[str, Layer]]
"""Makes layers from their files; by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The index of an organisation beside the store of this machine; without an index, nothing is taken or given.

    `sample` layers that come from the index are made here again, and compared; `say` is told how that went.
    """

    store: Store
    index: LayerIndex | None
    sample: int = 0
    say: Callable[[str], object] = lambda _: None

    def take(self, recipes: Iterable[Recipe], known: Mapping[str, Layer], make: Make) -> dict[str, Layer]:
        """The layers of these recipes that are not `known` but the index has, by key; not a byte of them is fetched.

        Raises:
            IntegrityError: one of the sample is not what its files make here; then none of the index is kept.
        """
        if not self.index:
            return {}
        recipes = [recipe for recipe in recipes if recipe.shared]
        absent = {recipe.key: recipe for recipe in recipes if recipe.key not in known}
        found = {key: replace(layer, created_by=absent[key].created_by) for key, layer in self.index.find(absent).items()}
        if self.sample:
            theirs = {**known, **found}
            self._check([recipe for recipe in recipes if self._is_there(theirs.get(recipe.key))], theirs, make)
        return {key: self.store.keep(key, layer) for key, layer in found.items()}

    def give(self, recipes: Iterable[Recipe], layers: Mapping[str, Layer]) -> None:
        """Publish the layers of these recipes that the index is not known to have."""
        if not self.index:
            return
        shared = {recipe.key: layers[recipe.key] for recipe in recipes if recipe.shared}
        absent = {key: layer for key, layer in shared.items() if not self._is_there(layer)}
        for key, layer in self.index.publish(absent).items():
            self.store.keep(key, layer)

    def _is_there(self, layer: Layer | None) -> bool:
        """Whether the index is known to have the layer."""
        return self.index is not None and layer is not None and self.index.origin in layer.blob.origins

    def _check(self, recipes: list[Recipe], theirs: Mapping[str, Layer], make: Make) -> None:
        """Make a sample of these again; `theirs` is what they should be. Whoever fills an index cannot guess which."""
        chosen = random.SystemRandom().sample(recipes, min(self.sample, len(recipes)))
        ours = make(chosen)
        problems = [
            Problem(
                path=recipe.created_by, message=f"{theirs[recipe.key].blob.digest}, made here {ours[recipe.key].blob.digest}"
            )
            for recipe in chosen
            if _facts(theirs[recipe.key]) != _facts(ours[recipe.key])
        ]
        if not problems:
            self.say(f"made {len(chosen)} of {len(recipes)} layers of the layer index again: they are the same")
        elif self.index:
            raise IntegrityError(
                f"layers of the index {self.index.origin} are not what their files make",
                problems,
                hint="find out who wrote these entries and remove them; --no-layer-index builds without",
            )


def _facts(layer: Layer) -> tuple[object, ...]:
    """All that an entry says and a maker knows."""
    return layer.blob.descriptor, layer.diff_id, layer.unpacked
