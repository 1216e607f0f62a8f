"""The `[tool.shipwheel]` section that `shipwheel init` writes: what was found, each with the reason as a comment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from shipwheel.errors import UsageError
from shipwheel.project.load import Project, load_project
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.settings import OWN_FILE, PYPROJECT, section_path

HEADER = "# How Shipwheel makes and runs the image; every key may be left out, and is found again at each build."


def write_settings(root: Path) -> tuple[Project, Path]:
    """Load the project and write what was found: at the end of pyproject.toml, or into a new shipwheel.toml.

    Raises:
        UsageError: there are settings already.
        ConfigError, ProjectError: as of `load_project`.
    """
    path = _place(root)
    project = load_project(root)
    section = settings_text(project, header="[tool.shipwheel]" if path.name == PYPROJECT else "")
    before = path.read_bytes().decode() if path.exists() else ""
    ends = "\r\n" if "\r\n" in before else "\n"
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    addition = (gap + section).replace("\n", ends)
    read_toml(before + addition, path.name)  # a file that binds `tool` in another way cannot be added to
    with path.open("ab") as stream:
        stream.write(addition.encode())
    return project, path


def _place(root: Path) -> Path:
    """The file to write, which must not have settings."""
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


def settings_text(project: Project, *, header: str) -> str:
    """The section as TOML; each value stands below a comment that says why it is this one."""
    reasons = {decision.what: decision.why for decision in project.decisions}
    lines = [HEADER, *([header] if header else [])]
    for key, value in _values(project):
        reason = reasons.get(key, "needed by the command")
        lines += [f"# {key}: {reason}", f"{key} = {value}"]
    return "\n".join(lines) + "\n"


def _values(project: Project) -> Iterator[tuple[str, str]]:
    yield "name", _toml(project.name)
    if project.python:
        yield "python", _toml(project.python)
    named = [path for path in project.requirements.files if path.is_relative_to(project.root)]
    if named:
        yield "requirements", _toml([named[0].relative_to(project.root).as_posix()])
    if project.served:
        yield "model", _toml(project.served.model)
    else:
        yield "command", _toml(list(project.command))
    if project.port:
        yield "port", str(project.port)
    if project.env:
        pairs = ", ".join(f"{name} = {_toml(value)}" for name, value in project.env.items())
        yield "env", f"{{ {pairs} }}"


def _toml(value: str | list[str]) -> str:
    """JSON's strings and lists of strings are TOML's, too, once DEL is escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
