"""`build`: project -> plan -> lock -> fetch -> layers -> image.

Only what an unchanged project needs is imported at the top: such a build should take no longer than to see that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.hashes import Hashes
from shipwheel.layers.base_image import Below, open_base
from shipwheel.layers.code import HashFile, project_recipes
from shipwheel.layers.python import Part, PythonLayers
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.layers.shared import Shared
from shipwheel.layers.system import added_recipes, base_recipes
from shipwheel.lock import BaseImage, Lock, PlatformLock
from shipwheel.oci.estargz import ESTARGZ
from shipwheel.oci.image import Image, RuntimeConfig, compose
from shipwheel.oci.layer import MULTI_MEMBER, Form, Layer
from shipwheel.oci.store import Store
from shipwheel.plan import SHARED_MEMORY, Plan
from shipwheel.progress import SILENT, Progress
from shipwheel.resolve.base import interpreter_identity
from shipwheel.resolve.model import check_model

if TYPE_CHECKING:
    from shipwheel.registry.layer_index import LayerIndex
    from shipwheel.resolve.project import Reach
    from shipwheel.supply import Supplier


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a build works with: where images and downloads lie, how to reach missing files, how many layers at a time.

    `index` has layers that others made; `verify_index` of them are made here again, and compared. `say` tells people.
    """

    home: Path
    store: Store
    reach: Callable[[], Reach]
    jobs: int = 2
    progress: Progress = SILENT
    index: LayerIndex | None = None
    verify_index: int = 0
    say: Callable[[str], object] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How layers are made: with compiled bytecode or without, and packed how (None: as the project's settings say)."""

    bytecode: bool = True
    form: Form | None = None


DEFAULT = BuildOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """An image, and the digests of its layers that the store had already, and of those that the layer index had."""

    image: Image
    reused: frozenset[str]
    shared: frozenset[str] = frozenset()


def build(plan: Plan, lock: Lock, shop: Workshop, options: BuildOptions = DEFAULT) -> BuildResult:
    """Make the image of `plan` from the files in `lock`; layers that the store or the layer index has are not made again.

    Raises:
        ShipwheelError: what `errors` lists; the store stays valid, and the next build goes on where this one ended.
    """
    locked = lock.of(plan.platform)
    below = _below(locked.base, shop)
    plan = replace(plan, project=replace(plan.project, python=lock.python), below=below.runtime, hardware=hardware(locked))
    supplier = partial(_supplier, plan, lock, shop)
    hash_file = Hashes(shop.home / "hashes").sha256
    check_model(plan.project, lock, hash_file)
    local = _built_here(plan, supplier(), hash_file) if locked.built else Local()
    recipes = list_recipes(plan, lock, local, hash_file, options)
    layers = {recipe.key: layer for recipe in recipes if (layer := shop.store.layer(recipe.key))}
    reused = _digests([*below.layers, *layers.values()])
    make = partial(_make, local=local, supplier=supplier, shop=shop, options=options)
    shared = Shared(store=shop.store, index=shop.index, sample=shop.verify_index, say=shop.say)
    found = shared.take(recipes, layers, make)
    layers |= found
    layers |= make([recipe for recipe in recipes if recipe.key not in layers])
    shared.give(recipes, layers)
    stack = (*below.layers, *(layers[recipe.key] for recipe in recipes))
    image = compose(stack, plan.runtime, plan.platform, {**plan.annotations, **below.annotations})
    return BuildResult(image=image, reused=reused, shared=_digests(found.values()))


def hardware(locked: PlatformLock) -> RuntimeConfig:
    """What locked wheels ask of the machine: variables for the engines' GPU support, and labels for people and `run`."""
    shared = SHARED_MEMORY if any(each.name == "torch" for each in locked.wheels) else {}
    if locked.accelerator is None:
        return RuntimeConfig(labels=shared)
    from shipwheel.gpu.cuda import environment_of, labels_of

    return RuntimeConfig(env=environment_of(locked.accelerator), labels={**labels_of(locked.accelerator), **shared})


def _below(base: BaseImage | None, shop: Workshop) -> Below:
    return open_base(base, shop.store, lambda reference: shop.reach().repository(reference)) if base else Below()


def _digests(layers: Iterable[Layer]) -> frozenset[str]:
    return frozenset(str(layer.blob.digest) for layer in layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Wheels that were built from source on this machine, and their files by sha256."""

    parts: tuple[Part, ...] = ()
    files: Files = field(default_factory=dict)


def list_recipes(
    plan: Plan, lock: Lock, local: Local, hash_file: HashFile, options: BuildOptions = DEFAULT
) -> tuple[Recipe, ...]:
    """What the image's layers will be, lowest first: base, system packages, Python packages, model, code."""
    locked = lock.of(plan.platform)
    interpreters = [debs for _, debs in sorted(lock.interpreters.items())]
    identity = interpreter_identity(interpreters[0]) if options.bytecode and interpreters else ""
    interpreter = locked.base.interpreter if locked.base else f"/usr/bin/python{lock.python}"
    python = PythonLayers(python=lock.python, interpreter=interpreter, identity=identity)
    parts = (Part(name=each.name, version=each.version, sha256=each.sha256, size=each.size) for each in locked.wheels)
    recipes = (
        *(added_recipes(locked.debs) if locked.base else base_recipes(locked.debs, lock.python, identity)),
        *python.recipes((*parts, *local.parts)),
        *project_recipes(plan, identity, hash_file, lock.model),
    )
    form = options.form or (ESTARGZ if plan.project.settings.estargz else MULTI_MEMBER)
    return tuple(replace(recipe, form=form) for recipe in recipes)


def _supplier(plan: Plan, lock: Lock, shop: Workshop) -> Supplier:
    from shipwheel.supply import Supplier

    shop.store.begin()  # downloads are pruned with the store, so it is held before the first one
    return Supplier(lock=lock, platform=plan.platform, reach=shop.reach(), home=shop.home, progress=shop.progress)


def _built_here(plan: Plan, supplier: Supplier, hash_file: HashFile) -> Local:
    built = [(each, path, hash_file(path)) for each, path in supplier.built(plan)]
    return Local(
        parts=tuple(
            Part(name=each.name, version=each.version, sha256=sha256, size=path.stat().st_size, built_here=True)
            for each, path, sha256 in built
        ),
        files={sha256: path for _, path, sha256 in built},
    )


def _make(
    recipes: list[Recipe], local: Local, supplier: Callable[[], Supplier], shop: Workshop, options: BuildOptions
) -> Mapping[str, Layer]:
    if not recipes:
        return {}
    from shipwheel.layers.make import Hands, make_layers

    bringing = supplier()
    foreign = not bringing.lock.interpreters and not bringing.lock.suite  # a Python from a registry that Debian does not have
    find = bringing.interpreter if options.bytecode and not foreign else None
    hands = Hands(jobs=shop.jobs, store=shop.store, find_interpreter=find, progress=shop.progress)
    return make_layers(recipes, {**bringing.fetched(recipes), **local.files}, hands)
