"""MODULE:CLASS or FILE.py:CLASS: any class with `predict`, and `load` where it has something to read."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats import scikit, tensors
from shipwheel_serve.formats.classes import find_class
from shipwheel_serve.formats.loaded import Loaded, Table, class_of
from shipwheel_serve.formats.trust import Trust

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")


def load_class(spec: str, root: Path, folder: Path) -> Loaded:
    """An object of the class, loaded from `folder` if its `load` takes an argument.

    Raises:
        ModelError: there is no such class, or it has no `predict`.
    """
    made = find_class(spec, root)
    if _is_module(made):
        module = made()
        found = sorted(each for each in folder.iterdir() if each.suffix in WEIGHTS) if folder.is_dir() else [folder]
        if len(found) != 1:
            names = ", ".join(each.name for each in found) or "none"
            raise ModelError(f"{spec} needs one file of weights in {folder}, there is {names}", hint="leave one")
        tensors.load_weights(module, found[0])
        return tensors.live(module, "state_dict")
    model = _loaded(made, folder)
    if not callable(getattr(model, "predict", None)):
        hint = "it gets a DataFrame, an array or arrays by name, and gives as many rows"
        raise ModelError(f"{spec} has no `predict`", hint=hint)
    return scikit.live(model, "python", "class")


def _loaded(made: Any, folder: Path) -> Any:
    """`load` may make the object (a class method) or fill it, take the folder or nothing."""
    if not isinstance(made, type):
        return made
    maker = isinstance(inspect.getattr_static(made, "load", None), (classmethod, staticmethod))
    target = made if maker else made()
    load = getattr(target, "load", None)
    if load is None:
        return target
    got = load(folder) if inspect.signature(load).parameters else load()
    return got if maker or hasattr(got, "predict") else target


def _is_module(made: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, type) and issubclass(made, torch.nn.Module) and not hasattr(made, "load")


def write_object(model: Any, path: Path, _sample: Any) -> Table:
    """A folder that the object's own save fills."""
    path.mkdir()
    model.save(path)
    return class_of(model)


def read_object(path: Path, table: Table, trust: Trust) -> Loaded:
    """What an object's own save wrote, by its own load."""
    trust.check([table["class"].replace(":", ".")], "bundle.json")
    return scikit.live(_loaded(find_class(table["class"], trust.settings.root), path), "python", "object")
