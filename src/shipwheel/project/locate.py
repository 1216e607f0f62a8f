"""TOML with places: the line on which a key stands, which `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shipwheel.errors import ConfigError, Problem

KeyPath = tuple[str | int, ...]
"""A key by its tables and array indexes: `("tool", "shipwheel", "run", "ports", 0)`."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[^\s=.\[\]{},#'\"]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)


def read_toml(text: str, file: str) -> dict[str, object]:
    """Parse TOML; `file` is how an error calls it.

    Raises:
        ConfigError: not TOML; the problem carries the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else text.count("\n") + 1
        problem = Problem(file=file, line=line, message=message or str(error))
        raise ConfigError(f"{file} is not TOML", [problem], hint="correct that line; https://toml.io shows the form") from None


def table_at(value: object, *keys: str) -> Mapping[str, object]:
    """The table below `value` at these keys; an empty one where there is none or something else stands there."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def key_lines(text: str) -> dict[KeyPath, int]:
    """Every key, table and array element of a valid TOML text, with the line (from 1) on which it begins.

    A key that is set through several tables (a super-table) has the line of the first.
    """
    return dict(_Locator(text=text).run())


@dataclass(slots=True)
class _Locator:
    """A reader that walks over TOML which is known to be valid and notes where keys stand (TOML 1.0.0)."""

    text: str
    at: int = 0
    found: dict[KeyPath, int] = field(default_factory=dict)
    arrays: defaultdict[KeyPath, int] = field(default_factory=lambda: defaultdict(int))

    def run(self) -> Iterator[tuple[KeyPath, int]]:
        table: KeyPath = ()
        self.skip()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip()
        yield from self.found.items()

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def note(self, path: KeyPath, start: int) -> None:
        for end in range(1, len(path) + 1):
            self.found.setdefault(path[:end], self.text.count("\n", 0, start) + 1)

    def header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`; the path of an element of an array of tables ends in its index."""
        start, double = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        table = self.inside_arrays(self.key(), double=double)
        self.at += 2 if double else 1
        self.note(table, start)
        return table

    def inside_arrays(self, keys: tuple[str, ...], *, double: bool) -> KeyPath:
        path: KeyPath = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if double and position == len(keys) - 1:
                self.arrays[path] += 1
            if self.arrays.get(path):
                path = (*path, self.arrays[path] - 1)
        return path

    def key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self.skip()
            parts.append(self.part())
            self.skip()
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def part(self) -> str:
        quoted = self.text[self.at : self.at + 1] in ("'", '"')
        match = (_STRING if quoted else _BARE).match(self.text, self.at)
        if not match:
            raise ValueError(f"no key at offset {self.at}")
        self.at = match.end()
        return str(tomllib.loads(f"k = {match[0]}")["k"]) if quoted else match[0]

    def pair(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self.key())
        self.note(path, start)
        self.at += 1  # the =
        self.skip()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self.sequence("]", path)
        elif opening == "{":
            self.sequence("}", path)
        elif match := _STRING.match(self.text, self.at):
            self.at = match.end()
        else:
            match = re.compile(r"[^,\]}\n#]*").match(self.text, self.at)
            self.at = match.end() if match else self.at

    def sequence(self, closing: str, path: KeyPath) -> None:
        """The elements of an array, or the pairs of an inline table."""
        self.at += 1
        index = 0
        while True:
            self.skip()
            if self.text[self.at] == closing:
                self.at += 1
                return
            if closing == "]":
                self.note((*path, index), self.at)
                self.value((*path, index))
            else:
                self.pair(path)
            self.skip()
            if self.text[self.at] == ",":
                self.at += 1
            index += 1
