"""The fingerprint of requirements: a hash of everything that decides which versions a lock holds, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from shipwheel.project.folder import Folder
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.requirements import Requirements
from shipwheel.project.settings import PYPROJECT

_PROJECT_KEYS = ("name", "version", "dynamic", "requires-python", "dependencies", "optional-dependencies")
_POETRY_KEYS = ("name", "version", "dependencies", "group", "dev-dependencies", "source", "extras", "packages")
_FORMAT = 1
"""Raised when the same project would be resolved in another way."""


def fingerprint(folder: Folder, requirements: Requirements, python: str) -> str:
    """sha256 (hex) over the files, the tables of pyproject.toml that matter, groups, extras and Python's version."""
    document = {
        "format": _FORMAT,
        "kind": requirements.kind,
        "python": python,
        "groups": sorted(requirements.groups),
        "extras": sorted(requirements.extras),
        "files": [[_name(folder.root, path), _digest(path)] for path in requirements.files if path.name != PYPROJECT],
        "pyproject": relevant_tables(folder.pyproject),
        "local": dict(_local_projects(folder, requirements)),
    }
    if requirements.kind == "bundle":
        document["lines"] = requirements.pinned
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def relevant_tables(pyproject: Mapping[str, object]) -> dict[str, object]:
    """What of a pyproject.toml decides versions: an edit of a linter's table, or of our port, makes no lock stale."""
    project, poetry = table_at(pyproject, "project"), table_at(pyproject, "tool", "poetry")
    tables = {
        "project": {key: project[key] for key in _PROJECT_KEYS if key in project},
        "poetry": {key: poetry[key] for key in _POETRY_KEYS if key in poetry},
        "groups": pyproject.get("dependency-groups"),
        "build": pyproject.get("build-system"),
        "uv": table_at(pyproject, "tool", "uv"),
    }
    return {key: value for key, value in tables.items() if value}


def _local_projects(folder: Folder, requirements: Requirements) -> Iterator[tuple[str, object]]:
    """Projects on this machine that a requirements file names: their own requirements count, their code does not."""
    for name in requirements.local:
        path = folder.root / name
        for file in (PYPROJECT, "setup.cfg", "setup.py"):
            if not (path / file).is_file() or (path / file) == folder.root / PYPROJECT:
                continue
            if file == PYPROJECT:
                yield f"{name}/{file}", relevant_tables(read_toml((path / file).read_text("utf-8"), f"{name}/{file}"))
            else:
                yield f"{name}/{file}", _digest(path / file)


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _digest(path: Path) -> str:
    """Of the text: a checkout with other line ends resolves to the same."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
