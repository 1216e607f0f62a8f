"""Recipes become layers in the store, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from shipwheel.errors import ShipwheelError
from shipwheel.layers.bytecode import Compiler, Interpreter
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.oci.layer import Layer, Packed, Sink, pack
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Entry
from shipwheel.progress import Progress, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Who makes layers: how many at a time, where they are kept, the interpreter for bytecode (None: no bytecode).

    One more job than processors keeps them all busy: a layer often waits for its bytecode.
    """

    jobs: int
    store: Store
    find_interpreter: Callable[[], Interpreter] | None
    progress: Progress


def make_layers(recipes: Sequence[Recipe], files: Files, hands: Hands) -> dict[str, Layer]:
    """Make layers in parallel, those with the most bytes first; by key. What is made stays, also if another one fails."""
    weights = {recipe.key: sum(files[sha256].stat().st_size for sha256 in recipe.files) for recipe in recipes}
    task = hands.progress.start(f"make {len(recipes)} layers", sum(weights.values()))
    stop = threading.Event()
    with ExitStack() as stack:
        stack.callback(task.done)
        compiler = (
            stack.enter_context(Compiler(hands.find_interpreter, max(1, hands.jobs - 1))) if hands.find_interpreter else None
        )
        pool = stack.enter_context(ThreadPoolExecutor(hands.jobs, "layers"))
        futures = {}
        for recipe in sorted(recipes, key=lambda recipe: -weights[recipe.key]):
            watched = _Watched(stop, task, weights[recipe.key])
            futures[recipe.key] = pool.submit(_make, recipe, watched.through(_lazily(recipe, files, compiler)), hands.store)
        try:
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _lazily(recipe: Recipe, files: Files, compiler: Compiler | None) -> Iterator[Entry]:
    yield from recipe.entries(files, compiler)


def _make(recipe: Recipe, entries: Iterable[Entry], store: Store) -> Layer:
    def write(sink: Sink) -> Packed:
        return pack(entries, sink, form=recipe.form)

    return store.put_layer(recipe.key, recipe.created_by, write)


class _Watched:
    """Entries on their way into a layer: counted for the progress bar, and stopped when the build stops."""

    def __init__(self, stop: threading.Event, task: Task, weight: int) -> None:
        self._stop, self._task, self._weight = stop, task, weight

    def through(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass entries on."""
        for entry in entries:
            if self._stop.is_set():
                raise ShipwheelError("stopped")
            yield entry
        self._task.advance(self._weight)
