"""`Lock`: the exact files that an image is made of, and shipwheel.lock, the file that holds them.

The file is TOML with one line per wheel and package, so that a diff reads as what moved. It starts with a sha256 of all
that follows: an edit by hand or a bad merge is noticed. It is parsed by hand-written checks, as every build waits for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from shipwheel.errors import LockError, Problem, StaleLockError, UsageError
from shipwheel.oci.blob import Platform

FILE_NAME = "shipwheel.lock"
FORMAT = 1
"""Raised when an older shipwheel could no longer read the file right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel of an index, by the sha256 (hex) of its file and its size in bytes.

    `source` is `index`, `find-links`, or `shipwheel` for the runtime's, which comes with shipwheel itself: never an address,
    so that a lock survives mirrors and proxies.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    source: str = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What has no wheel and is built from source: an sdist, a VCS commit, or a folder of the project.

    `kind` is sdist, git or path. sdist: `filename`, `sha256`, `size`. git: `url` (without credentials), `commit`,
    `subdirectory`. path: `path` relative to the project; its content is hashed at every build, not locked.
    """

    name: str
    version: str
    kind: str
    filename: str = ""
    sha256: str = ""
    size: int = 0
    url: str = ""
    commit: str = ""
    subdirectory: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A Debian package; `filename` is its path below the archive's root (Packages, `Filename`).

    `archive` is debian or debian-security.
    """

    name: str
    version: str
    architecture: str
    filename: str
    sha256: str
    size: int
    archive: str = "debian"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of the model that is served; `path` is relative to its bundle, or the model file's own name."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image of a registry that one platform's image lies on: `digest` and `size` (bytes) are its manifest's.

    `reference` is the name in full, never a mirror's host. `python` is its Python, 3.12.7 or only 3.12, `interpreter` the path
    of that, `glibc` the N of its glibc 2.N, `distribution` such as bookworm or ubuntu-22.04: empty where nothing shows it.
    """

    reference: str
    digest: str
    size: int
    python: str
    interpreter: str
    glibc: int
    distribution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLock:
    """One platform's files; `base` is None where the base is composed from `debs`."""

    platform: Platform
    base: BaseImage | None = None
    debs: tuple[Deb, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    built: tuple[Built, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that a build needs to know.

    `fingerprint` (hex) is of everything that decided the versions; another one makes the lock stale. `suite` is the Debian
    release that the base is composed of, empty for a base from a registry. `dates` are each archive's index date (ISO 8601,
    UTC), for the snapshot archive. `interpreters` holds, by Debian architecture of the machine that builds, the packages of
    the interpreter that compiles bytecode; nothing where Debian has none of the base's Python. `model` pins the files of the
    model that the runtime serves, wherever the service gets them.
    """

    fingerprint: str
    python: str
    suite: str
    dates: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[PlatformLock, ...] = ()
    interpreters: Mapping[str, tuple[Deb, ...]] = field(default_factory=dict)
    model: tuple[ModelFile, ...] = ()

    def of(self, platform: Platform) -> PlatformLock:
        """The files for one platform.

        Raises:
            LockError: the lock was not made for it.
        """
        for each in self.platforms:
            if each.platform == platform:
                return each
        raise LockError(f"{FILE_NAME} holds nothing for {platform}", hint=f"shipwheel lock --platform {platform}")


HEADER = "# Written by 'shipwheel lock'. Do not edit: change the requirements and lock again.\n"
SOURCES = ("index", "find-links", "shipwheel")
"""Where a wheel can come from."""

_RELOCK = "run 'shipwheel lock'"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PYTHON = re.compile(r"3\.\d+(\.\d+)?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_INTEGRITY = re.compile(r'(?:#[^\n]*\n)*integrity = "sha256:([0-9a-f]{64})"\n')
_KINDS = {"sdist": ("filename", "sha256", "size"), "git": ("url", "commit"), "path": ("path",)}
"""What each kind of `Built` must have."""

_Row = Wheel | Built | Deb | ModelFile | BaseImage
T = TypeVar("T", Wheel, Built, Deb, ModelFile, BaseImage)


def dump_lock(lock: Lock) -> str:
    """The file's text: sorted, without defaults, one line per file; the same lock always gives the same text."""
    body = "".join(f"{line}\n" for line in _lines(lock))
    return f'{HEADER}integrity = "sha256:{_integrity(body)}"\n{body}'


def _integrity(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _lines(lock: Lock) -> Iterator[str]:
    yield f"format = {FORMAT}"
    yield from (f"{key} = {_quote(getattr(lock, key))}" for key in ("fingerprint", "python", "suite"))
    yield from _table("model", lock.model)
    if lock.dates:
        yield from ("", "[dates]", *(f"{_key(name)} = {_quote(date)}" for name, date in sorted(lock.dates.items())))
    for each in sorted(lock.platforms, key=lambda each: each.platform):
        yield from ("", f"[platforms.{_key(str(each.platform))}]")
        if each.base:
            yield f"base = {{ {_inline(each.base)} }}"
        yield from (line for key in ("debs", "wheels", "built") for line in _table(key, getattr(each, key)))
    if lock.interpreters:
        yield from ("", "[interpreters]")
        yield from (line for name, debs in sorted(lock.interpreters.items()) for line in _table(name, debs))


def _table(key: str, items: Iterable[_Row]) -> Iterator[str]:
    lines = sorted(f"  {{ {_inline(item)} }}," for item in items)
    if lines:
        yield from (f"{_key(key)} = [", *lines, "]")


def _inline(item: _Row) -> str:
    pairs = ((each.name, getattr(item, each.name), each.default) for each in fields(item))
    return ", ".join(f"{name} = {_quote(value)}" for name, value, default in pairs if value != default)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quote(name)


def _quote(value: str | int) -> str:
    """A TOML basic string or integer; JSON's escapes are TOML's, but for DEL (TOML 1.0, "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


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
        raise LockError(f"{file} is malformed", parser.problems, hint=_RELOCK)
    match = _INTEGRITY.match(text)
    if not match or _integrity(text[match.end() :]) != match[1]:
        raise LockError(f"{file} was edited by hand, or a merge mixed two of them", hint=f"{_RELOCK}; it keeps the versions")
    return lock


def _syntax_error(text: str, file: str, error: tomllib.TOMLDecodeError) -> LockError:
    if conflict := re.search(r"^<{7} ", text, re.MULTILINE):
        line = text.count("\n", 0, conflict.start()) + 1
        problem = Problem(message="a merge left its conflict marks", file=file, line=line)
        return LockError(f"{file} is malformed", [problem], hint=f"take either side, then {_RELOCK}")
    at = re.search(r"\(at line (\d+)", str(error))
    line = int(at[1]) if at else text.count("\n") + 1
    return LockError(f"{file} is malformed", [Problem(message=str(error), file=file, line=line)], hint=_RELOCK)


def _format_error(found: object, file: str) -> LockError:
    if isinstance(found, int) and found > FORMAT:
        return LockError(f"{file} has format {found}, this shipwheel reads {FORMAT}", hint="install a newer shipwheel")
    return LockError(f"{file} has no format that this shipwheel knows", hint=_RELOCK)


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
        for key in sorted(table.keys() - {"base", "debs", "wheels", "built"}):
            self.problem(f"{path}.{key}", "unknown key")
        return PlatformLock(
            platform=platform,
            base=self.item(BaseImage, table["base"], f"{path}.base") if "base" in table else None,
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


def _schema(kind: type[_Row]) -> dict[str, tuple[type, bool]]:
    return {each.name: (int if each.type == "int" else str, each.default is MISSING) for each in fields(kind)}


_SCHEMAS = {kind: _schema(kind) for kind in (Wheel, Built, Deb, ModelFile, BaseImage)}


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
    table = f"[platforms.{_key(match[2])}]" if match[1] else f"[{match[3]}]" if match[3] else ""
    lines, at = text.split("\n"), 0
    with contextlib.suppress(ValueError, StopIteration):
        at = lines.index(table) + 1 if table else 0
        if match[4]:
            start = f"{_key(match[4])} = "
            at = next(number for number, line in enumerate(lines[at:], at + 1) if line.startswith(start))
        return at + (int(match[5]) + 1 if match[5] else 0)
    return at


def read_lock(path: Path) -> Lock:
    """Read and check a lock file.

    Raises:
        LockError: missing, unreadable or malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LockError(f"there is no {path.name} in {path.parent}", hint=_RELOCK) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}", hint=_RELOCK) from None
    return parse_lock(text, str(path))


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock file so that readers see the old one or the new one, whatever happens in between.

    Raises:
        LockError: the folder cannot be written, or the disk is full.
    """
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as stream:
            try:
                stream.write(dump_lock(lock))
                stream.flush()
                os.fsync(stream.fileno())
                Path(stream.name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
                Path(stream.name).replace(path)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise LockError(f"{path} cannot be written: {error.strerror or error}", hint="check space and permissions") from None


def check_fresh(lock: Lock, fingerprint: str) -> None:
    """That the lock was made from what the project says now.

    Raises:
        StaleLockError: it was made from something else.
    """
    if lock.fingerprint != fingerprint:
        raise StaleLockError(
            f"{FILE_NAME} does not fit the project any more: its requirements or settings changed", hint=_RELOCK
        )
