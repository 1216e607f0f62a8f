"""`load_project`: everything that the folder says, as one value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.about import find_about
from shipwheel.project.command import Command, find_command
from shipwheel.project.files import LeftOut, ProjectFile, find_files
from shipwheel.project.fingerprint import fingerprint
from shipwheel.project.folder import Folder, read_folder
from shipwheel.project.models import loaded_models, served_files
from shipwheel.project.python import Demand, PythonChoice, choose_python
from shipwheel.project.requirements import Requirements, find_requirements
from shipwheel.project.rules import COMPOSED
from shipwheel.project.served import Served, check_delivery, delivery_of, is_class, requirements_of
from shipwheel.project.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing that was found: what it is, the value, and why it is this one."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the folder says.

    `root` is absolute. `python` is a minor version; empty where a base from a registry decides it, which `python_demands`
    hold it to. `env` is the image's: what the command needs, then the settings'. `python_path` are folders relative
    to the project (`.` is itself) for PYTHONPATH. `port` is None where nothing says that the command listens.
    `is_package`: the project itself is to be installed, too. `served` is the model where the command is the runtime. `about`
    are the annotations that pyproject.toml gives an image.
    """

    root: Path
    name: str
    settings: Settings
    settings_file: str = ""
    python: str
    requirements: Requirements
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    port: int | None = None
    files: tuple[ProjectFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[Decision, ...] = ()
    is_package: bool = False
    served: Served | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    python_demands: tuple[Demand, ...] = ()


def load_project(root: Path, *, needs_command: bool = True) -> Project:
    """Read the folder: settings, requirements, Python's version, files, command; that may be empty where none is needed.

    Raises:
        ConfigError: mistakes in the settings, all of them.
        ProjectError: the folder does not say enough, says two things, or holds what no image can.
    """
    folder = read_folder(root.absolute())
    _check_model(folder)
    _check_base(folder)
    name, why = _name(folder)
    requirements = find_requirements(folder)
    found = loaded_models(folder.root, find_files(folder.root, folder.settings))
    command = _command(folder, requirements, found.files, needed=needs_command)
    served = command.served
    if served:
        check_delivery(folder, served)
        found = served_files(folder.root, found, served, delivery_of(folder.settings))
        requirements = requirements_of(served, requirements, folder)
    python = choose_python(folder, requirements, served.trained.python if served else "")
    requirements = replace(requirements, fingerprint=fingerprint(folder, requirements, python.version))
    return Project(
        root=folder.root,
        name=name,
        settings=folder.settings,
        settings_file=folder.settings_file,
        python=python.version,
        requirements=requirements,
        command=command.argv,
        env={**command.env, **folder.settings.env},
        python_path=command.python_path,
        port=command.port,
        files=found.files,
        left_out=found.left_out,
        decisions=(Decision(what="name", value=name, why=why), *_decisions(folder, requirements, python, command)),
        is_package=folder.is_package,
        served=served,
        about=find_about(folder.table("project")),
        python_demands=python.demands,
    )


def _command(folder: Folder, requirements: Requirements, files: tuple[ProjectFile, ...], *, needed: bool) -> Command:
    try:
        return find_command(folder, requirements, files)
    except ProjectError:
        if needed:
            raise
        return Command(argv=(), why="")


def _decisions(folder: Folder, requirements: Requirements, python: PythonChoice, command: Command) -> Iterator[Decision]:
    yield Decision(what="python", value=python.version or "the base's own", why=python.why)
    names = [path.relative_to(folder.root).as_posix() for path in requirements.files if path.is_relative_to(folder.root)]
    packages = f"{len(requirements.pinned)} packages" if requirements.kind == "bundle" else "none"
    yield Decision(what="requirements", value=", ".join(names) or packages, why=requirements.why)
    import shlex

    if command.argv:
        yield Decision(what="command", value=shlex.join(command.argv), why=command.why)
    if command.port:
        listens = "the runtime's own" if command.served else "the command listens there"
        source = f"'port' in {folder.settings_file}" if folder.settings.port else listens
        yield Decision(what="port", value=str(command.port), why=source)
    if command.served:
        yield Decision(what="model", value=command.served.model, why=_why_served(folder, command.served))
    elif folder.settings.model:
        yield Decision(what="model", value=folder.settings.model, why=f"'model' in {folder.settings_file}")


def _why_served(folder: Folder, served: Served) -> str:
    named = f", 'model' in {folder.settings_file}" if folder.settings.model else ""
    delivery = delivery_of(folder.settings)
    return f"{served}{named}" + (f"; not in the image: {delivery}" if delivery != "bake" else "")


def _name(folder: Folder) -> tuple[str, str]:
    """The image's name: the settings', the project's, or the folder's, as a registry takes it."""
    project, poetry = folder.table("project").get("name"), folder.table("tool", "poetry").get("name")
    candidates = (
        (folder.settings.name, f"'name' in {folder.settings_file}"),
        (project, "[project] in pyproject.toml"),
        (poetry, "[tool.poetry] in pyproject.toml"),
        (folder.root.resolve().name, "the folder's name"),
    )
    for text, why in candidates:
        if isinstance(text, str) and (name := image_name_of(text)):
            return (text if text == folder.settings.name else name), why
    return "app", "the folder's name holds no letter or digit"


def image_name_of(text: str) -> str:
    """A text as a name that a registry takes: lower case, runs of anything else as one dash; empty where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _check_model(folder: Folder) -> None:
    model = folder.settings.model
    if is_class(model) or delivery_of(folder.settings) != "bake":
        return
    if model and not (folder.root / model).exists():
        problem = Problem(file=folder.settings_file, path="model", message=f"'{model}' does not exist")
        raise ProjectError("the model is not there", [problem], hint="train or download it first, or correct the path")


def _check_base(folder: Folder) -> None:
    """Settings that mean something on the one kind of base only."""
    settings = folder.settings
    if settings.base == COMPOSED and settings.base_python:
        problem = Problem(
            file=folder.settings_file, path="base-python", message="the debian base has one Python, and knows where"
        )
        raise ProjectError(
            "base-python without a base from a registry", [problem], hint="name the image with 'base', or leave it out"
        )
    if settings.base != COMPOSED and settings.shell:
        problem = Problem(
            file=folder.settings_file, path="shell", message=f"{settings.base} has a shell, or has none, of its own"
        )
        raise ProjectError("shell belongs to the debian base alone", [problem], hint="leave it out")
