"""Packages that uv and Poetry install for development unless they are told not to."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Any

from shipwheel.lint.dockerfile.stages import Step
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.python import Added

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def for_development(added: Added) -> bool:
    """Whether a package that comes from a lock is there because its project's group for development is installed.

    A lock lists every group; which of them are installed is a matter of the command and of pyproject.toml.
    """
    installs = [install for install in added.step.installs if install.manager in ("uv", "poetry")]
    dockerfile = added.step.stage.dockerfile
    if dockerfile is None or not any(_takes_development(added.step, install) for install in installs):
        return False
    workspace = dockerfile.context.workspace
    source = workspace.read((workspace.root / added.file).parent / "pyproject.toml")
    return source is not None and added.requested.name in _group(source.text)


def _takes_development(step: Step, install: Install) -> bool:
    if install.manager == "poetry":
        return install.option("--no-dev", "--only", "--without", "--only-root") is None
    left_out = install.option("--no-dev", "--no-default-groups", "--only-group", "--no-group") is not None
    return not left_out and not {"UV_NO_DEV", "UV_NO_DEFAULT_GROUPS"} & step.env.keys()


@lru_cache(maxsize=64)
def _group(text: str) -> frozenset[str]:
    """The names in the group dev of pyproject.toml: PEP 735, uv's older table, Poetry's two."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return frozenset()
    found: set[str] = set()
    for path in (
        ("dependency-groups", "dev"),
        ("tool", "uv", "dev-dependencies"),
        ("tool", "poetry", "group", "dev", "dependencies"),
        ("tool", "poetry", "dev-dependencies"),
    ):
        found |= {_normal(name) for name in _at(document, path) if isinstance(name, str)}
    return frozenset(found)


def _at(document: Any, path: tuple[str, ...]) -> list[Any]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return list(document) if isinstance(document, list | dict) else []


def _normal(requirement: str) -> str:
    found = _NAME.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
