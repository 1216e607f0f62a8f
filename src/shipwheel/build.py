"""`build`: project -> plan -> lock -> fetch -> layers -> image."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from shipwheel.errors import LockError, ShipwheelError
from shipwheel.fetch import FileCache, Wanted, fetch
from shipwheel.layers.base import base_recipes
from shipwheel.layers.bytecode import Compiler, Interpreter
from shipwheel.layers.code import project_recipes
from shipwheel.layers.interpreter import interpreter_identity, unpack_interpreter
from shipwheel.layers.python import Part, PythonLayers
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.lock import Built, Deb, Lock, Wheel
from shipwheel.oci.image import Image, compose
from shipwheel.oci.layer import Layer, Packed, Sink, pack
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Entry
from shipwheel.plan import Plan
from shipwheel.progress import SILENT, Progress, Task
from shipwheel.resolve.debian import deb_urls
from shipwheel.resolve.project import BUILDERS, Reach, target_for
from shipwheel.resolve.sources import Builder, build_wheel
from shipwheel.resolve.wheels import wheel_urls


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a build works with: where images and downloads lie, where missing files come from, how many hands."""

    store: Store
    files: FileCache
    reach: Reach
    home: Path
    jobs: int = 2
    progress: Progress = SILENT


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How layers are made: with compiled bytecode or without, in one gzip member or several."""

    bytecode: bool = True
    single_member: bool = False


DEFAULT = BuildOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """An image, and the digests of its layers that the store had already."""

    image: Image
    reused: frozenset[str]


def build(plan: Plan, lock: Lock, shop: Workshop, options: BuildOptions = DEFAULT) -> BuildResult:
    """Make the image of `plan` from the files in `lock`; layers that the store has are not made again.

    Raises:
        ShipwheelError: what `errors` lists; the store stays valid, and the next build goes on where this one ended.
    """
    local = build_sources(plan, lock, shop)
    recipes = list_recipes(plan, lock, local, options)
    layers = {recipe.key: layer for recipe in recipes if (layer := shop.store.layer(recipe.key))}
    reused = frozenset(str(layer.blob.digest) for layer in layers.values())
    missing = [recipe for recipe in recipes if recipe.key not in layers]
    if missing:
        files = fetch_files(missing, plan, lock, shop)
        layers |= make_layers(
            missing, {**files, **local.files}, shop, partial(local_interpreter, lock, shop) if options.bytecode else None
        )
    image = compose((layers[recipe.key] for recipe in recipes), plan.runtime, plan.platform)
    return BuildResult(image=image, reused=reused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Wheels that were built from source on this machine, and their files by sha256."""

    parts: tuple[Part, ...] = ()
    files: Files = field(default_factory=dict)


def list_recipes(plan: Plan, lock: Lock, local: Local, options: BuildOptions) -> tuple[Recipe, ...]:
    """What the image's layers will be, lowest first: base, system packages, Python packages, model, code."""
    locked = lock.of(plan.platform)
    identity = interpreter_identity(lock.interpreters[BUILDERS[0]]) if options.bytecode else ""
    python = PythonLayers(python=lock.python, interpreter=f"/usr/bin/python{lock.python}", identity=identity)
    parts = (*(_part(wheel) for wheel in locked.wheels), *local.parts)
    recipes = (
        *base_recipes(locked.debs, lock.python, identity),
        *python.recipes(parts),
        *project_recipes(plan, identity, file_sha256),
    )
    return tuple(replace(recipe, single_member=options.single_member) for recipe in recipes)


def build_sources(plan: Plan, lock: Lock, shop: Workshop) -> Local:
    """Build what the lock has no wheel for; from the cache where its source has not changed."""
    built = lock.of(plan.platform).built
    if not built:
        return Local()
    sdists = [_wanted(each, shop.reach) for each in built if each.kind == "sdist"]
    files = fetch(sdists, shop.files, shop.reach.client, shop.progress)
    builder = Builder(
        root=plan.project.root,
        cache=shop.files.folder,
        target=target_for(plan.project, plan.platform),
        host=shop.reach.host,
        env={**shop.reach.env, **shop.reach.indexes.environment()},
    )
    wheels = [(each, build_wheel(each, builder, files.get(each.sha256))) for each in built]
    shas = [file_sha256(path) for _, path in wheels]
    parts = [
        Part(name=each.name, version=each.version, sha256=sha256, size=path.stat().st_size)
        for (each, path), sha256 in zip(wheels, shas, strict=True)
    ]
    return Local(parts=tuple(parts), files={sha256: path for (_, path), sha256 in zip(wheels, shas, strict=True)})


def fetch_files(recipes: Iterable[Recipe], plan: Plan, lock: Lock, shop: Workshop) -> Files:
    """The locked files that these recipes are made of."""
    locked = lock.of(plan.platform)
    needed = {sha256 for recipe in recipes for sha256 in recipe.files}
    wanted = [_wanted(file, shop.reach) for file in locked.wheels if file.sha256 in needed]
    wanted += [_wanted_deb(deb, lock, shop.reach) for deb in locked.debs if deb.sha256 in needed]
    return fetch(wanted, shop.files, shop.reach.client, shop.progress)


def make_layers(
    recipes: Sequence[Recipe], files: Files, shop: Workshop, find_interpreter: Callable[[], Interpreter] | None
) -> dict[str, Layer]:
    """Make layers in parallel, those with the most bytes first; by key. What is made stays, also if another one fails."""
    task = shop.progress.start(f"make {len(recipes)} layers", sum(_weight(recipe, files) for recipe in recipes))
    stop = threading.Event()
    with ExitStack() as stack:
        stack.callback(task.done)
        compiler = stack.enter_context(Compiler(find_interpreter, shop.jobs)) if find_interpreter else None
        pool = stack.enter_context(ThreadPoolExecutor(shop.jobs, "layers"))
        stack.callback(stop.set)
        heaviest = sorted(recipes, key=lambda recipe: -_weight(recipe, files))
        futures = {
            recipe.key: pool.submit(_make, recipe, files, compiler, shop.store, _Watched(stop, task, _weight(recipe, files)))
            for recipe in heaviest
        }
        try:
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def local_interpreter(lock: Lock, shop: Workshop) -> Interpreter:
    """The image's interpreter, unpacked for the processor of this machine.

    Raises:
        LockError: the lock has none for it.
    """
    debs = lock.interpreters.get(shop.reach.host.architecture)
    if debs is None or not sys.platform.startswith("linux"):
        raise LockError(
            f"bytecode cannot be compiled on this machine ({sys.platform}, {shop.reach.host.architecture})",
            hint="build on Linux on amd64 or arm64, or with --no-bytecode",
        )
    files = fetch([_wanted_deb(deb, lock, shop.reach) for deb in debs], shop.files, shop.reach.client, shop.progress)
    return unpack_interpreter([(deb, files[deb.sha256]) for deb in debs], shop.home / "interpreters")


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a local file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _make(recipe: Recipe, files: Files, compiler: Compiler | None, store: Store, watched: _Watched) -> Layer:
    def write(sink: Sink) -> Packed:
        return pack(watched.through(recipe.entries(files, compiler)), sink, single_member=recipe.single_member)

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


def _weight(recipe: Recipe, files: Files) -> int:
    return sum(files[sha256].stat().st_size for sha256 in recipe.files if sha256 in files)


def _part(wheel: Wheel) -> Part:
    return Part(name=wheel.name, version=wheel.version, sha256=wheel.sha256, size=wheel.size)


def _wanted(file: Wheel | Built, reach: Reach) -> Wanted:
    return Wanted(
        name=file.filename, sha256=file.sha256, size=file.size, urls=lambda: wheel_urls(file, reach.indexes, reach.client)
    )


def _wanted_deb(deb: Deb, lock: Lock, reach: Reach) -> Wanted:
    return Wanted(
        name=f"{deb.name} {deb.version}",
        sha256=deb.sha256,
        size=deb.size,
        urls=lambda: deb_urls(deb, reach.archives, lock.dates),
    )
