"""Where a model was trained, where it runs now, and whether the difference matters."""

from __future__ import annotations

import platform
import re
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from shipwheel_serve.model import Environment, Mismatch
from shipwheel_serve.settings import Settings

PLACES = ("python", "machine", "bits")
"""What is compared besides packages. Word size: "Buffer dtype mismatch" between 32 and 64 bits; machine: other floats."""


def record(model: Any, inputs: Any, packages: Iterable[str] = (), names: Iterable[str] = ()) -> Environment:
    """This environment, as far as `model` and its features need it.

    Roots are the modules of `names` (the globals of the pickled model), of the types of `model` and `inputs`, and what
    the project's own modules among those import; closed over what their distributions require, where that is installed
    and imported. So pandas counts when only the feature code uses it, and pytest does not.
    """
    modules = {name.split(".")[0] for name in names}
    modules |= {each.__module__.split(".")[0] for value in (model, inputs) for each in type(value).__mro__}
    found, own = set[str](), {each for each in modules if _is_own(sys.modules.get(each))}
    todo = list(own)
    while todo:
        top = todo.pop()
        for name in [each for each in sys.modules if each.split(".")[0] == top]:
            for used in _imports(sys.modules[name]) - modules:
                modules.add(used)
                todo += [used] if _is_own(sys.modules.get(used)) else []
    from importlib import metadata  # slow to import

    owners = metadata.packages_distributions()
    imported = {_normal(each) for top, each_of in owners.items() if top in sys.modules for each in each_of}
    todo = [_normal(each) for top in modules for each in owners.get(top, ())] + [_normal(each) for each in packages]
    while todo:
        name = todo.pop()
        if name not in found and _version(name):
            found.add(name)
            todo += [each for each in _requires(name) if each in imported]
    found -= {"shipwheel-serve", "shipwheel"}
    return _environment({name: _version(name) for name in sorted(found)})


def here(names: Iterable[str]) -> Environment:
    """This machine with the installed versions of `names`; an absent one has the version ""."""
    return _environment({name: _version(name) for name in names})


def compare(trained: Environment | None, settings: Settings, has_golden: bool) -> tuple[list[Mismatch], list[str]]:
    """How this environment differs from `trained`, and the differences that refuse service, as sentences.

    Under auto, golden answers decide where there are any; without, a difference in the first two numbers of a version
    does, and another word size. Names of `settings.packages` override `settings.environment`.
    """
    if trained is None:
        return [], []
    decided = has_golden and settings.golden == "strict"
    places = {_normal(name): check for name, check in settings.packages.items()}
    mismatches, refusals = list[Mismatch](), list[str]()
    for mismatch in _differences(trained):
        check = places.get(mismatch.package, settings.environment)
        if check == "off":
            continue
        mismatches.append(mismatch)
        if check == "strict" or (check == "auto" and not decided and _matters(mismatch)):
            refusals.append(f"{mismatch} ({'strict' if check == 'strict' else 'and there are no golden answers to decide'})")
    return mismatches, refusals


def is_own(module: str) -> bool:
    """Whether a top module that is imported is the project's own: neither Python's nor installed."""
    return _is_own(sys.modules.get(module))


def _environment(packages: Mapping[str, str]) -> Environment:
    bits = struct.calcsize("P") * 8
    return Environment(python=platform.python_version(), machine=platform.machine(), bits=bits, packages=packages)


def _differences(trained: Environment) -> list[Mismatch]:
    now = here(trained.packages)
    pairs = [(place, str(getattr(trained, place) or ""), str(getattr(now, place))) for place in PLACES]
    pairs += [(_normal(name), version, now.packages[name]) for name, version in trained.packages.items()]
    return [Mismatch(package=name, trained=was, here=got) for name, was, got in pairs if was and was != got]


def _matters(mismatch: Mismatch) -> bool:
    if mismatch.package == "machine":
        return False
    return re.findall(r"\d+", mismatch.trained)[:2] != re.findall(r"\d+", mismatch.here)[:2]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_SAME = (
    ("xgboost", "xgboost-cpu"),
    ("onnxruntime", "onnxruntime-gpu"),
    ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
)
"""Distributions that bring the same modules under different names."""


def _version(name: str) -> str:
    from importlib import metadata

    for each in (name, *next((group for group in _SAME if _normal(name) in group), ())):
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _requires(name: str) -> list[str]:
    from importlib import metadata

    lines = [line for line in metadata.requires(name) or () if "extra ==" not in line]
    return [_normal(found[0]) for line in lines if (found := re.match(r"[\w.-]+", line))]


def _is_own(module: ModuleType | None) -> bool:
    """Own: its file is neither below site-packages nor the standard library's."""
    name = getattr(module, "__name__", "").split(".")[0]
    if module is None or name in sys.stdlib_module_names or name == "shipwheel_serve":
        return False
    paths = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    files = [Path(each) for each in paths if each]
    return bool(files) and not any({"site-packages", "dist-packages"} & set(file.parts) for file in files)


def _imports(module: ModuleType) -> set[str]:
    """Top modules of whatever stands in a module: modules, and classes and functions by where they come from."""
    values = list(vars(module).values())
    names = {each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", None) for each in values}
    return {name.split(".")[0] for name in names if isinstance(name, str)} - sys.stdlib_module_names
