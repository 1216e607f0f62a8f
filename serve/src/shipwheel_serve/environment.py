"""Where a model was trained, where it runs now, and whether the difference matters."""

from __future__ import annotations

import platform
import re
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
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
    from importlib import metadata  # slow to import

    types = [each.__module__ for value in (model, inputs) for each in type(value).__mro__]
    modules = _closure({name.split(".")[0] for name in (*types, *names)}, lambda top: _used_by(top) if is_own(top) else ())
    owners = metadata.packages_distributions()
    imported = {_normal(each) for top, distributions in owners.items() if top in sys.modules for each in distributions}
    roots = {_normal(each) for each in (*packages, *(name for top in modules for name in owners.get(top, ())))}
    found = _closure(roots, lambda name: imported.intersection(_requires(name)))
    return here(sorted(name for name in found - {"shipwheel-serve", "shipwheel"} if _version(name)))


def here(names: Iterable[str]) -> Environment:
    """This machine with the installed versions of `names`; an absent one has the version ""."""
    versions = {name: _version(name) for name in names}
    bits = struct.calcsize("P") * 8
    return Environment(python=platform.python_version(), machine=platform.machine(), bits=bits, packages=versions)


def compare(trained: Environment | None, settings: Settings, has_golden: bool) -> tuple[list[Mismatch], list[str]]:
    """How this environment differs from `trained`, and the differences that refuse service, as sentences.

    Under auto, golden answers decide where there are any; without, a difference in the first two numbers of a version
    does, and another word size. Names of `settings.packages` override `settings.environment`.
    """
    if trained is None:
        return [], []
    decided = has_golden and settings.golden == "strict"
    places = {_normal(name): check for name, check in settings.packages.items()}
    now = here(trained.packages)
    pairs = [(place, str(getattr(trained, place) or ""), str(getattr(now, place))) for place in PLACES]
    pairs += [(_normal(name), version, now.packages[name]) for name, version in trained.packages.items()]
    mismatches, refusals = list[Mismatch](), list[str]()
    for mismatch in [Mismatch(package=name, trained=was, here=got) for name, was, got in pairs if was and was != got]:
        check = places.get(mismatch.package, settings.environment)
        if check == "off":
            continue
        mismatches.append(mismatch)
        old, new = (re.findall(r"\d+", version)[:2] for version in (mismatch.trained, mismatch.here))
        if check == "strict":
            refusals.append(f"{mismatch} (strict)")
        elif check == "auto" and not decided and old != new and mismatch.package != "machine":
            refusals.append(f"{mismatch} (and no golden answers decide)")
    return mismatches, refusals


def is_own(module: str) -> bool:
    """Whether a top module that is imported is the project's own: neither Python's nor installed."""
    if module not in sys.modules or module in sys.stdlib_module_names or module == "shipwheel_serve":
        return False
    found = sys.modules[module]
    files = [Path(each) for each in (getattr(found, "__file__", None), *getattr(found, "__path__", ())) if each]
    return bool(files) and not any({"site-packages", "dist-packages"} & set(file.parts) for file in files)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_SAME = (("xgboost", "xgboost-cpu"), ("onnxruntime", "onnxruntime-gpu"))
"""Distributions that bring the same modules under different names."""


def _version(name: str) -> str:
    from importlib import metadata

    for each in (name, *next((group for group in _SAME if _normal(name) in group), ())):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(each)
    return ""


def _requires(name: str) -> list[str]:
    """What a distribution requires without extras; nothing where it is absent."""
    from importlib import metadata

    with suppress(metadata.PackageNotFoundError):
        lines = [line for line in metadata.requires(name) or () if "extra ==" not in line]
        return [_normal(found[0]) for line in lines if (found := re.match(r"[\w.-]+", line))]
    return []


def _closure(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """`start`, and whatever follows from any of it."""
    found, todo = set[str](), list(start)
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += following(name)
    return found


def _used_by(top: str) -> set[str]:
    """Top modules of whatever stands in a module and those below it: modules, classes and functions by where they are from."""
    inside = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == top]
    values = [each for module in inside for each in vars(module).values()]
    names = {each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", None) for each in values}
    return {name.split(".")[0] for name in names if isinstance(name, str)} - sys.stdlib_module_names
