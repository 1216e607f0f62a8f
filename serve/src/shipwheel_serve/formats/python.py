"""MODULE:CLASS or FILE.py:CLASS: any class with `predict`, and `load` where it has something to read."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats import scikit, tensors
from shipwheel_serve.formats.loaded import Loaded, Write
from shipwheel_serve.formats.trust import Trust

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin")


def importable(root: Path) -> None:
    """Let the project's own modules be imported."""
    for folder in (root / "src", root):
        if folder.is_dir() and str(folder.resolve()) not in sys.path:
            sys.path.insert(0, str(folder.resolve()))


def find_class(spec: str, root: Path) -> Any:
    """What MODULE:NAME or FILE.py:NAME means.

    Raises:
        ModelError: there is none.
    """
    importable(root)
    source, _, name = spec.rpartition(":")
    try:
        if source.endswith(".py"):
            path = (root / source).resolve()
            module = sys.modules.get(path.stem) if _is_file_of(path) else _from_file(path)
        else:
            module = importlib.import_module(source)
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part)
    except FileNotFoundError:
        raise ModelError(f"there is no {source} for the model '{spec}'", hint="paths are relative to the project") from None
    except AttributeError:
        raise ModelError(f"{source} has no '{name}'", hint="name a class with a `predict` method") from None
    except ModuleNotFoundError as error:
        if error.name not in (source, source.split(".")[0]):
            raise
        raise ModelError(f"there is no module '{source}' for the model '{spec}'", hint="name a file as FILE.py:CLASS") from None
    return found


def _is_file_of(path: Path) -> bool:
    known = getattr(sys.modules.get(path.stem), "__file__", None)
    return known is not None and Path(known).resolve() == path


def _from_file(path: Path) -> Any:
    """Under the file's own name, so that what it pickles is found again."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


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
        raise ModelError(
            f"{spec} has no `predict`", hint="it gets a DataFrame, an array or arrays by name, and gives as many rows"
        )
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


def writers(model: Any) -> list[tuple[str, Write]]:
    """The object's own save and load, where it has both; else pickle."""

    def write(folder: Path, _sample: Any) -> Mapping[str, Any]:
        (folder / "model").mkdir()
        model.save(folder / "model")
        made = type(model)
        return {"format": "object", "path": "model", "class": f"{made.__module__}:{made.__qualname__}"}

    both = callable(getattr(model, "save", None)) and callable(getattr(model, "load", None))
    return [("object", write)] if both else scikit.writers(model, "python")


def read_object(path: Path, table: Mapping[str, Any], trust: Trust) -> Loaded:
    """What an object's own save wrote, by its own load."""
    trust.check([table["class"].replace(":", ".")], "bundle.json")
    return scikit.live(_loaded(find_class(table["class"], trust.settings.root), path), "python", "object")
