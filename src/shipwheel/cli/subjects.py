"""What `shipwheel serve` is asked to serve: a project, a bundle, a model file or a class, and where its packages come from."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from shipwheel.cli.context import Context
from shipwheel.cli.installing import Needs, fresh_lock, install_locked, install_named
from shipwheel.errors import ConfigError, ProjectError, UsageError
from shipwheel.layers.served import runtime_config
from shipwheel.project import Project, Served, load_project
from shipwheel.project.served import BUNDLE_FILE
from shipwheel.runtime import sources

_EXTRAS = {"skops": "skops", "safetensors": "safetensors", "onnx": "onnx"}
"""The runtime's extra for a format."""

_MARKS = (
    "requirements.txt", "pyproject.toml", "shipwheel.toml", "shipwheel.lock", "uv.lock", "pylock.toml", "poetry.lock",
    "Pipfile.lock", "environment.yml", "environment.yaml", "setup.py",
)  # fmt: skip
"""One of these makes a folder a project."""

_FORMATS = "scikit-learn, xgboost, lightgbm, catboost, torch, ONNX, or a class of your own as MODULE:CLASS"
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is served: in which folder, which model there (empty: the settings say), and how its interpreter comes about.

    `settings` are the runtime's, by their names; `env` are variables and `python_path` folders of the project.
    """

    root: Path
    model: str
    install: Callable[[], Path]
    settings: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[Path, ...] = ()


def find_subject(context: Context, target: str) -> Subject:
    """What `target` names.

    Raises:
        UsageError: nothing that can be served.
        ConfigError, ProjectError: a project with mistakes, or one that serves no model.
    """
    path = Path(target).absolute()
    if path.is_dir() and not _is_bundle(path):
        project = load_project(path)
        if project.served is None:
            hint = "name its model: 'shipwheel serve FILE', or model in [tool.shipwheel]; 'shipwheel run' runs it as it is"
            raise UsageError(f"'{target}' runs {shlex.join(project.command)}, not the runtime", hint=hint)
        return _project(context, project)
    if path.exists():
        return _model(context, path)
    if _CLASS.fullmatch(target):
        return _class(context, target)
    raise UsageError(f"'{target}' does not exist", hint="give a project's folder, a bundle, a model file or MODULE:CLASS")


def _is_bundle(folder: Path) -> bool:
    """Whether it is one and not a project around one, which has requirements of its own."""
    if not (folder / BUNDLE_FILE).is_file():
        return False
    project = _around(folder)
    return project is None or project.requirements.kind in ("none", "bundle")


def _around(folder: Path) -> Project | None:
    """The project in a folder, if there is a whole one; a folder without any of its files is not looked through."""
    if not any((folder / name).is_file() for name in _MARKS):
        return None
    try:
        return load_project(folder)
    except (ProjectError, ConfigError):
        return None


def _project(context: Context, project: Project) -> Subject:
    served = project.served
    assert served
    lock = fresh_lock(context, project)
    settings = json.loads(runtime_config(project, served, lock.model if lock else ()))
    return _within(project, served.model, partial(install_locked, context, project, lock), _local(served, settings))


def _local(served: Served, settings: Mapping[str, object]) -> Mapping[str, object]:
    """The settings for this machine, where a model that is here need not come from elsewhere."""
    brought = ("delivery", "source", "mount", "files") if served.files or served.kind == "class" else ()
    return {key: value for key, value in settings.items() if key not in ("format", "model", *brought)}


def _within(project: Project, model: str, install: Callable[[], Path], settings: Mapping[str, object]) -> Subject:
    return Subject(
        root=project.root,
        model=model,
        install=install,
        settings=settings,
        env=project.env,
        python_path=tuple(project.root / each for each in (".", *project.python_path)),
    )


def _model(context: Context, path: Path) -> Subject:
    """A bundle or model file: of the project that serves it, else with the packages that it names itself."""
    for folder in (path.parent, path.parent.parent):
        project = _around(folder)
        if project and project.served and (project.root / project.served.model) == path:
            return _project(context, project)
    told = _inspected(path)
    versions: Mapping[str, str] = told["versions"]
    lines = [f"{name}=={_public(versions[name])}" if name in versions else name for name in told["packages"]]
    needs = Needs(python=_python_of(path), lines=tuple(lines), extra=_EXTRAS.get(str(told["format"]), ""))
    return _beside(context, path.parent, path.name, needs)


def _class(context: Context, name: str) -> Subject:
    """A class of the project in the current folder."""
    return _beside(context, Path().absolute(), name, Needs())


def _beside(context: Context, root: Path, model: str, needs: Needs) -> Subject:
    """A model in the folder of a project that serves another, or none: with its requirements, where those are a file."""
    project = _around(root)
    if project is None or project.requirements.kind not in ("requirements", "pyproject"):
        return Subject(root=root, model=model, install=partial(install_named, context, needs))
    file = str(project.requirements.files[0])
    needs = replace(needs, python=project.python, lines=(), files=(file,), fingerprint=project.requirements.fingerprint)
    return _within(project, model, partial(install_named, context, needs), {})


def _inspected(path: Path) -> Mapping[str, Any]:
    """Format, versions and packages of a model file or bundle, read by the runtime without executing any of it.

    Raises:
        UsageError: it is no model that is known.
    """
    env = {"PYTHONPATH": str(sources()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "shipwheel_serve.pickles", str(path)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    with suppress(ValueError):
        told: Mapping[str, Any] = json.loads(done.stdout)
        if "error" not in told:
            return told
        raise UsageError(f"'{path.name}' is no model that is known: {told['error']}", hint=_FORMATS)
    raise UsageError(f"'{path.name}' cannot be read: {done.stderr.strip().rpartition(chr(10))[2]}", hint=_FORMATS)


def _public(version: str) -> str:
    """Without what marks a build of somebody's own (2.4.0+cpu), which no index has."""
    return version.partition("+")[0]


def _python_of(path: Path) -> str:
    """The minor version of Python in a bundle's environment; empty where nothing says."""
    if not path.is_dir():
        return ""
    python = str(json.loads((path / BUNDLE_FILE).read_text("utf-8")).get("environment", {}).get("python") or "")
    return ".".join(python.split(".")[:2])
