"""The `[tool.shipwheel]` section that `shipwheel init` writes: what was found, each with the reason as a comment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from shipwheel.errors import UsageError
from shipwheel.project.load import Project, load_project
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.settings import OWN_FILE, PYPROJECT, section_path

Value = str | int | bool | list[str] | dict[str, str]
"""What a setting is set to."""

HEADER = "# How Shipwheel makes and runs the image; every key may be left out, and is found again at each build."


def write_settings(root: Path) -> tuple[Project, Path]:
    """Load the project and write what was found: at the end of pyproject.toml, or into a new shipwheel.toml.

    Raises:
        UsageError: there are settings already.
        ConfigError, ProjectError: as of `load_project`.
    """
    path = place_of_settings(root)
    project = load_project(root)
    append_section(path, settings_text(project))
    return project, path


def append_section(path: Path, section: str) -> None:
    """Write the settings at the end of the file, below their header where it is pyproject.toml's.

    Raises:
        ConfigError: the file cannot be added to.
    """
    if path.name == PYPROJECT:
        section = section.replace(f"{HEADER}\n", f"{HEADER}\n[tool.shipwheel]\n", 1)
    before = path.read_bytes().decode() if path.exists() else ""
    ends = "\r\n" if "\r\n" in before else "\n"
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    addition = (gap + section).replace("\n", ends)
    read_toml(before + addition, path.name)  # a file that binds `tool` in another way cannot be added to
    with path.open("ab") as stream:
        stream.write(addition.encode())


def place_of_settings(root: Path) -> Path:
    """The file to write, which must not have settings.

    Raises:
        UsageError: there are settings already.
    """
    pyproject, own = root / PYPROJECT, root / OWN_FILE
    if own.exists():
        raise UsageError(f"{own} exists", hint="edit it, or remove it to begin again")
    if not pyproject.exists():
        return own
    parsed = read_toml(pyproject.read_text("utf-8-sig"), PYPROJECT)
    *above, name = section_path(PYPROJECT)
    if name in table_at(parsed, *above):
        raise UsageError(f"{pyproject} has [tool.shipwheel] already", hint="edit it, or remove the section to begin again")
    return pyproject


def settings_text(project: Project) -> str:
    """The section as TOML; each value stands below a comment that says why it is this one."""
    reasons = {decision.what: decision.why for decision in project.decisions}
    return section_text((key, value, reasons.get(key, "needed by the command")) for key, value in _values(project))


def section_text(values: Iterable[tuple[str, Value, str]]) -> str:
    """Keys with their values, each below a comment with its reason."""
    lines = [HEADER]
    for key, value, reason in values:
        lines += [f"# {key}: {' '.join(reason.split())}", f"{key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def _values(project: Project) -> Iterator[tuple[str, Value]]:
    yield "name", project.name
    if project.python:
        yield "python", project.python
    named = [path for path in project.requirements.files if path.is_relative_to(project.root)]
    if named:
        yield "requirements", [named[0].relative_to(project.root).as_posix()]
    if project.served:
        yield "model", project.served.model
    else:
        yield "command", list(project.command)
    if project.port:
        yield "port", project.port
    if project.env:
        yield "env", dict(project.env)


def _toml(value: Value) -> str:
    """JSON's strings, numbers and lists of strings are TOML's, too, once DEL is escaped; of a table the names are bare keys."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(text)}' for name, text in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
