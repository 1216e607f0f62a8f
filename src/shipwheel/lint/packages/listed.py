"""Packages that pyproject.toml, lock files and conda's environment.yml name, with their places."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator

from shipwheel.lint.files.requirement import conda_requirement, python_requirement
from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.source import Source, Span
from shipwheel.project.folder import normalise

_LOCKED = re.compile(r'^\[\[package\]\]\s*\r?\nname = "([^"\n]+)"\s*\r?\nversion = "([^"\n]+)"', re.MULTILINE)
_ENTRY = re.compile(r"^[ \t]*-[ \t]+([\"']?)([^\s\"'#][^\"'#\n]*?)\1[ \t\r]*(?:#.*)?$", re.MULTILINE)
_TOP = re.compile(r"^([\w-]+)[ \t]*:", re.MULTILINE)


def locked(source: Source) -> list[Requested]:
    """Of uv.lock, poetry.lock and pylock.toml: every package with its version."""
    return [
        Requested(name=normalise(match[1]), specifier=f"=={match[2]}", span=match.span(1))
        for match in _LOCKED.finditer(source.text)
    ]


def pipfile_locked(source: Source) -> list[Requested]:
    """Of Pipfile.lock: the packages that are not for development."""
    try:
        found = json.loads(source.text)["default"]
        return [
            Requested(name=normalise(name), specifier=str(entry.get("version", "")), span=_place(source, name))
            for name, entry in found.items()
        ]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return []


def declared(source: Source, extras: Iterable[str] = ()) -> list[Requested] | None:
    """Of pyproject.toml (PEP 621, or Poetry's table): what it depends on; None where that is not written there."""
    try:
        document = tomllib.loads(source.text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    project = _table(document, "project")
    if isinstance(project.get("dependencies"), list):
        optional = _table(project, "optional-dependencies")
        lists = [project["dependencies"], *(optional.get(extra, []) for extra in extras)]
        return [_declared(source, one) for part in lists if isinstance(part, list) for one in part if isinstance(one, str)]
    poetry = _table(_table(_table(document, "tool"), "poetry"), "dependencies")
    names = [name for name in poetry if name != "python"]
    return [
        Requested(name=normalise(name), span=_place(source, name), specifier=_range(poetry[name])) for name in names
    ] or None


def _table(table: dict[str, object], key: str) -> dict[str, object]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _range(value: object) -> str:
    """Poetry's ^1.2 is a range that pip does not know; only that it is one counts."""
    text = str(value.get("version", "")) if isinstance(value, dict) else str(value)
    return "" if text == "*" else text if text[:1] in "<>=~!" else f">={text.lstrip('^')}"


def _declared(source: Source, text: str) -> Requested:
    return python_requirement(text, _place(source, text))


def _place(source: Source, text: str) -> Span:
    """Where a name stands first, the file's start where it is written in another way."""
    at = source.text.find(text)
    return (at, at + len(text)) if at >= 0 else (0, 0)


def of_environment(source: Source) -> Iterator[tuple[Requested, bool]]:
    """Of environment.yml: each package, and whether pip installs it."""
    start, end = _dependencies(source.text)
    pip = -1
    for match in _ENTRY.finditer(source.text, start, end):
        indent = len(match[0]) - len(match[0].lstrip())
        text = match[2].strip()
        if text == "pip:":
            pip = indent
        elif pip >= 0 and indent > pip:
            yield python_requirement(text, match.span(2)), True
        else:
            yield conda_requirement(text, match.span(2)), False


def _dependencies(text: str) -> Span:
    keys = list(_TOP.finditer(text))
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if key[1] == "dependencies":
            return key.end(), following.start() if following else len(text)
    return 0, 0
