"""The project's own files: its model in one layer, its code, with bytecode, in the one above."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from shipwheel.layers import bytecode
from shipwheel.layers.bytecode import Compiler, with_bytecode
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.layers.served import runtime_config
from shipwheel.lock import ModelFile
from shipwheel.oci.tree import Entry, Tree
from shipwheel.plan import APP, Plan
from shipwheel.project import Project, ProjectFile
from shipwheel.project.served import OWN_FILE

HashFile = Callable[[Path], str]
"""sha256 (hex) of a local file, possibly remembered."""

MODEL_SUFFIXES = frozenset(
    {".bin", ".cbm", ".ckpt", ".gguf", ".h5", ".joblib", ".keras", ".model", ".npz", ".onnx", ".pickle", ".pkl", ".pt"}
    | {".pth", ".safetensors", ".skops", ".tflite", ".ubj"}
)
"""Files that change when the model is trained, not when the code is edited."""

MODEL_FOLDERS = ("model/", "models/")
"""Top folders for what belongs to a model: tokenizers, vocabularies, its config."""


def project_recipes(plan: Plan, identity: str, hash_file: HashFile, pinned: Sequence[ModelFile] = ()) -> Iterator[Recipe]:
    """Recipes of the project's own layers, lowest first; `identity` is the interpreter's, `pinned` the model's files."""
    model: list[ProjectFile] = []
    code: list[ProjectFile] = []
    for file in plan.project.files:
        (model if is_model(file, plan.project) else code).append(file)
    if model:
        yield _recipe("model", [_entry(file, hash_file) for file in model], ())
    entries = [_entry(file, hash_file) for file in code]
    if plan.project.served:
        data = runtime_config(plan.project, plan.project.served, pinned)
        entries.append(replace(Entry.data(f"{APP}/{OWN_FILE}", data), sha256=hashlib.sha256(data).hexdigest()))
    yield _recipe("code", entries, (plan.project.python, bytecode.key(identity)))


def is_model(file: ProjectFile, project: Project) -> bool:
    """Served, named by the setting, of a model's format, or beside one in a top folder called model or models."""
    named = project.settings.model
    if project.served and project.served.holds(file.path):
        return True
    if named and (file.path == named or file.path.startswith(f"{named.rstrip('/')}/")):
        return True
    suffix = Path(file.path).suffix
    return suffix in MODEL_SUFFIXES or (file.path.startswith(MODEL_FOLDERS) and suffix != ".py")


def _recipe(what: str, entries: Sequence[Entry], inputs: tuple[str, ...]) -> Recipe:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.path}\0{entry.kind.value}\0{entry.mode}\0{entry.sha256}\0{entry.target}\n".encode())

    def make(_: Files, compiler: Compiler | None) -> Iterable[Entry]:
        tree = Tree.of([Entry.directory(APP), *entries], origin=f"the project's {what}", case_clash=False)
        return with_bytecode(tree, compiler) if inputs else tree

    return Recipe(created_by=what, inputs=(what, digest.hexdigest(), *inputs), files=(), entries=make)


def _entry(file: ProjectFile, hash_file: HashFile) -> Entry:
    path = f"{APP}/{file.path}"
    if file.target:
        return Entry.symlink(path, file.target)
    return replace(Entry.file(path, file.source, file.size, file.mode), sha256=hash_file(file.source))
