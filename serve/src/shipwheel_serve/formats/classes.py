"""The class that MODULE:NAME or FILE.py:NAME means."""

from __future__ import annotations

import importlib
import operator
import sys
from pathlib import Path
from typing import Any

from shipwheel_serve.errors import ModelError


def importable(*folders: Path) -> None:
    """Let modules in these folders be imported, the last folder first."""
    for folder in [each.resolve() for each in folders if each.is_dir()]:
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def find_class(spec: str, root: Path) -> Any:
    """What MODULE:NAME or FILE.py:NAME means; a file is imported under its own name, so that what it pickles is found again.

    Raises:
        ModelError: there is none.
    """
    source, _, name = spec.rpartition(":")
    path = root / source if source.endswith(".py") else None
    if path and not path.is_file():
        raise ModelError(f"there is no {source} for the model '{spec}'", hint="paths are relative to the project")
    importable(root / "src", root, *([path.parent] if path else []))
    module = path.stem if path else source
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (module, module.split(".")[0]):
            raise
        raise ModelError(f"there is no module '{source}' for the model '{spec}'", hint="name a file as FILE.py:CLASS") from None
    if path and Path(found.__file__ or "").resolve() != path.resolve():
        raise ModelError(f"{source} has the name of another module, {found.__file__}", hint="give it another name")
    try:
        return operator.attrgetter(name)(found)
    except AttributeError:
        raise ModelError(f"{source} has no '{name}'", hint="name a class with a `predict` method") from None
