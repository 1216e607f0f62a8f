"""From the text of shipwheel.lock to a `Lock`: by hand-written checks, as every build waits for them."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from shipwheel.errors import LockError, Problem, UsageError
from shipwheel.lock.dump import integrity, toml_key
from shipwheel.lock.values import (
    FILE_NAME,
    FORMAT,
    Accelerator,
    BaseImage,
    Built,
    Deb,
    Lock,
    ModelFile,
    PlatformLock,
    Row,
    Wheel,
)
from shipwheel.oci.blob import Platform

RELOCK = "run 'shipwheel lock'"
"""The hint for most of what can be wrong with a lock."""

SOURCES = ("index", "find-links", "shipwheel")
"""Where a wheel can come from."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PYTHON = re.compile(r"3\.\d+(\.\d+)?")
_INTEGRITY = re.compile(r'(?:#[^\n]*\n)*integrity = "sha256:([0-9a-f]{64})"\n')
_KINDS = {"sdist": ("filename", "sha256", "size"), "git": ("url", "commit"), "path": ("path",)}
"""What each kind of `Built` must have."""

T = TypeVar("T", Wheel, Built, Deb, ModelFile, BaseImage, Accelerator)


def parse_lock(text: str, file: str = FILE_NAME) -> Lock:
    """Parse and check the text of a lock; `file` is its name in messages.

    Raises:
        LockError: with every problem, its path in the file and its line.
    """
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(text, file, error) from None
    if data.get("format") != FORMAT:
        raise _format_error(data.get("format"), file)
    parser = _Parser(text, file)
    lock = parser.lock(data)
    if parser.problems:
        raise LockError(f"{file} is malformed", parser.problems, hint=RELOCK)
    match = _INTEGRITY.match(text)
    if not match or integrity(text[match.end() :]) != match[1]:
        raise LockError(f"{file} was edited by hand, or a merge mixed two of them", hint=f"{RELOCK}; it keeps the versions")
    return lock


def _syntax_error(text: str, file: str, error: tomllib.TOMLDecodeError) -> LockError:
    if conflict := re.search(r"^<{7} ", text, re.MULTILINE):
        line = text.count("\n", 0, conflict.start()) + 1
        problem = Problem(message="a merge left its conflict marks", file=file, line=line)
        return LockError(f"{file} is malformed", [problem], hint=f"take either side, then {RELOCK}")
    at = re.search(r"\(at line (\d+)", str(error))
    line = int(at[1]) if at else text.count("\n") + 1
    return LockError(f"{file} is malformed", [Problem(message=str(error), file=file, line=line)], hint=RELOCK)


def _format_error(found: object, file: str) -> LockError:
    if isinstance(found, int) and found > FORMAT:
        return LockError(f"{file} has format {found}, this shipwheel reads {FORMAT}", hint="install a newer shipwheel")
    return LockError(f"{file} has no format that this shipwheel knows", hint=RELOCK)


class _Parser:
    """Turns tables into values and collects what is wrong; one use per file."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self.problems: list[Problem] = []

    def lock(self, data: dict[str, Any]) -> Lock:
        known = {"integrity", "format", *(each.name for each in fields(Lock))}
        for key in sorted(data.keys() - known):
            self.problem(key, "unknown key")
        for key in ("fingerprint", "python", "suite"):
            if not isinstance(data.get(key), str):
                self.problem(key, "must be a string")
        dates = self.mapping(data, "dates")
        for name, date in dates.items():
            if not isinstance(date, str):
                self.problem(f"dates.{name}", "must be a string")
        interpreters = self.mapping(data, "interpreters")
        return Lock(
            fingerprint=str(data.get("fingerprint")),
            python=str(data.get("python")),
            suite=str(data.get("suite")),
            dates=dates,
            platforms=tuple(self.platform(name, table) for name, table in self.mapping(data, "platforms").items()),
            interpreters={name: self.items(Deb, interpreters, name, "interpreters") for name in interpreters},
            model=self.items(ModelFile, data, "model", ""),
        )

    def platform(self, name: str, table: object) -> PlatformLock:
        path = f'platforms["{name}"]'
        try:
            platform = Platform.parse(name)
        except UsageError as error:
            self.problem(path, error.message)
            platform = Platform()
        if not isinstance(table, dict):
            self.problem(path, "must be a table")
            return PlatformLock(platform=platform)
        for key in sorted(table.keys() - {"base", "accelerator", "debs", "wheels", "built"}):
            self.problem(f"{path}.{key}", "unknown key")
        return PlatformLock(
            platform=platform,
            base=self.item(BaseImage, table["base"], f"{path}.base") if "base" in table else None,
            accelerator=self.item(Accelerator, table["accelerator"], f"{path}.accelerator") if "accelerator" in table else None,
            debs=self.items(Deb, table, "debs", path),
            wheels=self.items(Wheel, table, "wheels", path),
            built=self.items(Built, table, "built", path),
        )

    def items(self, kind: type[T], table: Mapping[str, Any], key: str, path: str) -> tuple[T, ...]:
        rows, path, out, seen = table.get(key, []), f"{path}.{key}".lstrip("."), list[T](), set[tuple[str, str]]()
        if not isinstance(rows, list):
            self.problem(path, "must be an array")
            return ()
        for number, row in enumerate(rows):
            item = self.item(kind, row, f"{path}[{number}]")
            if item is None:
                continue
            key = "path" if isinstance(item, ModelFile) else "name"
            identity = (getattr(item, key), item.architecture if isinstance(item, Deb) else "")
            if identity in seen:
                self.problem(f"{path}[{number}].{key}", f"{identity[0]} is there twice")
            seen.add(identity)
            out.append(item)
        return tuple(out)

    def item(self, kind: type[T], row: Any, path: str) -> T | None:
        if not isinstance(row, dict):
            self.problem(path, "must be a table")
            return None
        wrong = [*_wrong_types(kind, row), *_wrong_values(kind, row)]
        for key, message in wrong:
            self.problem(f"{path}.{key}", message)
        return None if wrong else kind(**row)

    def mapping(self, data: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = data.get(key, {})
        if isinstance(value, dict):
            return value
        self.problem(key, "must be a table")
        return {}

    def problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(message=message, path=path, file=self._file, line=_line_of(self._text, path)))


def _schema(kind: type[Row]) -> dict[str, tuple[type, bool]]:
    return {each.name: (int if each.type == "int" else str, each.default is MISSING) for each in fields(kind)}


_SCHEMAS = {kind: _schema(kind) for kind in (Wheel, Built, Deb, ModelFile, BaseImage, Accelerator)}


def _wrong_types(kind: type[T], row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    schema = _SCHEMAS[kind]
    for key, value in row.items():
        if key not in schema:
            yield key, "unknown key"
        elif type(value) is not schema[key][0]:
            yield key, "must be a whole number" if schema[key][0] is int else "must be a string"
    if len(row) < len(schema):
        yield from ((key, "is missing") for key, (_, required) in schema.items() if required and key not in row)


def _wrong_values(kind: type[T], row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    schema = _SCHEMAS[kind]
    for key in (key for key in row if key in _CHECKS and key in schema):
        wrong, message = _CHECKS[key]
        if kind is ModelFile and key == "size" and row[key] == 0:
            continue  # of a package nothing is ever empty
        if type(row[key]) is schema[key][0] and wrong(row[key]):
            yield key, message
    if kind is ModelFile and (not row.get("path") or _escapes(str(row.get("path")))):
        yield "path", "must not lead out of the model's folder"
    if kind is Wheel and not str(row.get("filename", ".whl")).endswith(".whl"):
        yield "filename", "is not a wheel's"
    if kind is not Deb and "/" in str(row.get("filename", "")):
        yield "filename", "must be a name, not a path"
    if kind is Built:
        needed = _KINDS.get(str(row.get("kind")))
        if needed is None and "kind" in row:
            yield "kind", f"must be one of {', '.join(_KINDS)}"
        yield from ((key, f"is missing for kind {row['kind']}") for key in needed or () if key not in row)


def _escapes(path: str) -> bool:
    return path.startswith("/") or "\\" in path or ".." in path.split("/")


_CHECKS: dict[str, tuple[Callable[[Any], object], str]] = {
    "name": (lambda value: not value, "must not be empty"),
    "version": (lambda value: not value, "must not be empty"),
    "sha256": (lambda value: not _SHA256.fullmatch(value), "must be 64 hexadecimal characters"),
    "size": (lambda value: value <= 0, "must be over 0"),
    "reference": (lambda value: not value, "must not be empty"),
    "digest": (lambda value: not _DIGEST.fullmatch(value), "must be sha256: and 64 hexadecimal characters"),
    "python": (lambda value: not _PYTHON.fullmatch(value), "must be a version of Python 3"),
    "interpreter": (lambda value: not value.startswith("/") or _escapes(value[1:]), "must be an absolute path"),
    "glibc": (lambda value: value <= 0, "must be over 0"),
    "filename": (_escapes, "must not lead out of the folder"),
    "url": (lambda value: "@" in value.partition("://")[2].partition("/")[0], "must not hold credentials"),
    "source": (lambda value: value not in SOURCES, f"must be one of {', '.join(SOURCES)}"),
}


def _line_of(text: str, path: str) -> int:
    """The line that a path such as `platforms["linux/amd64"].wheels[3].sha256` stands on; 0 where it is nowhere.

    It relies on one line per item, as `dump_lock` writes.
    """
    match = re.match(r'(?:(platforms)\["(.*?)"\]|(dates|interpreters)(?=\.))?\.?([^.\[]+)?(?:\[(\d+)\])?', path)
    if not match:
        return 0
    table = f"[platforms.{toml_key(match[2])}]" if match[1] else f"[{match[3]}]" if match[3] else ""
    lines, at = text.split("\n"), 0
    with contextlib.suppress(ValueError, StopIteration):
        at = lines.index(table) + 1 if table else 0
        if match[4]:
            start = f"{toml_key(match[4])} = "
            at = next(number for number, line in enumerate(lines[at:], at + 1) if line.startswith(start))
        return at + (int(match[5]) + 1 if match[5] else 0)
    return at
