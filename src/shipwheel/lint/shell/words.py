"""Words of a shell: where one ends, and what is left of it once quotes are removed and variables are put in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

DEEP = 8
"""How many defaults within defaults, or `sh -c` within `sh -c`, are followed."""

_LONGEST = 4_000
"""Characters of a value whose beginning or end is looked for; more takes too long."""

_MOST = 100_000
"""Characters that the variables of one word may add to it."""

_NESTED = 100
"""Brackets within brackets; behind more the text counts as open."""

_SPECIAL = re.compile(r"[\\'\"$`]")
_PLAIN = re.compile(r"[^\\'\"$`]+")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PARAMETER = re.compile(r"([A-Za-z_]\w*)(:?[-+=?]|##?|%%?|//?|$)([\s\S]*)", re.ASCII)
_OPERATOR = re.compile(r"&&|\|\||\|&|;;|[;|&()\n]|(?:\d*|&)(?:>>|>&|<<<|<&|>\||[<>])&?")
_CLOSERS = {"(": ")", "{": "}"}


@dataclass(slots=True)
class Fields:
    """What a word becomes: mostly one text, several where an unquoted variable holds spaces, none where it is empty."""

    texts: list[str]
    known: bool = True
    quoted: bool = False


def fields_of(text: str, variables: Mapping[str, str], depth: int = 0) -> Fields:
    """The fields of a word as it is written."""
    if not _SPECIAL.search(text):
        return Fields([text])
    return _Unquoter(text, variables, depth).run()


def words_in(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Words and operators of a part of a text without regard to grammar: start, end, and the operator or ""."""
    at = start
    while at < end:
        if text[at] in " \t\r" or text.startswith("\\\n", at):
            at += 1 if text[at] != "\\" else 2
        elif text[at] == "#":
            found = text.find("\n", at)
            at = end if found < 0 else found
        elif match := _OPERATOR.match(text, at, end):
            yield at, match.end(), match[0].strip(" ") or ";"
            at = match.end()
        else:
            stop = _word_end(text, at, end)
            yield at, stop, ""
            at = stop


def _word_end(text: str, at: int, end: int) -> int:
    start = at
    while at < end and (at == start or (text[at] not in " \t\r\n;|&()<>")):
        at = min(skip(text, at), end)
    return at


def skip(text: str, at: int) -> int:
    """Behind the quoted part, substitution, escaped or plain character that stands there; the text's end where it is open."""
    character = text[at]
    if character == "\\":
        return at + 2
    if character == "'":
        return _behind(text, "'", at + 1)
    if character == '"':
        return _behind_double(text, at + 1)
    if character == "`":
        return _behind(text, "`", at + 1)
    if character == "$" and text[at + 1 : at + 2] in _CLOSERS:
        return _behind_brackets(text, at + 1)
    return at + 1


def _behind(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return len(text) if found < 0 else found + 1


def _behind_double(text: str, at: int) -> int:
    while at < len(text):
        if text[at] == '"':
            return at + 1
        at = (
            _behind_brackets(text, at + 1)
            if text[at] == "$" and text[at + 1 : at + 2] in _CLOSERS
            else at + 1 + (text[at] == "\\")
        )
    return len(text)


def _behind_brackets(text: str, at: int) -> int:
    """Behind the bracket that closes the one that stands there; quotes inside may hold others."""
    waiting = [_CLOSERS[text[at]]]
    double = False
    at += 1
    while at < len(text) and waiting:
        character = text[at]
        if len(waiting) > _NESTED:
            return len(text)
        if character == "\\":
            at += 1
        elif character == "'" and not double:
            at = _behind(text, "'", at + 1) - 1
        elif character == '"':
            double = not double
        elif character in _CLOSERS and (text[at - 1] == "$" or not double):
            waiting.append(_CLOSERS[character])
        elif character == waiting[-1] or (not double and character in waiting):
            waiting.pop()
        at += 1
    return min(at, len(text))


class _Unquoter:
    def __init__(self, text: str, variables: Mapping[str, str], depth: int) -> None:
        self.text, self.variables, self.depth = text, variables, depth
        self.at = 0
        self.double = False
        self.held: list[str] | None = None
        self.grown = 0
        self.fields = Fields([])

    def run(self) -> Fields:
        while self.at < len(self.text):
            if match := _PLAIN.match(self.text, self.at):
                self._add(match[0])
                self.at = match.end()
            else:
                self._special(self.text[self.at])
        self._flush()
        return self.fields

    def _add(self, text: str) -> None:
        if self.held is None:
            self.held = []
        self.held.append(text)

    def _special(self, character: str) -> None:
        text, at = self.text, self.at
        if character == "\\":
            self._escape(text[at + 1 : at + 2])
        elif character == '"':
            self._quote(at + 1)
            self.double = not self.double
        elif character == "'" and not self.double:
            end = _behind(text, "'", at + 1)
            self._add(text[at + 1 : end - 1 if text[end - 1 : end] == "'" and end > at + 1 else end])
            self._quote(end)
        elif character == "$":
            self._dollar()
        elif character == "`":
            self._unknown(_behind(text, "`", at + 1))
        else:
            self._add(character)
            self.at += 1

    def _quote(self, at: int) -> None:
        self.fields.quoted = True
        self._add("")
        self.at = at

    def _escape(self, following: str) -> None:
        if following != "\n":
            self._add("\\" + following if self.double and following not in '$`"\\' else following or "\\")
        self.at += 2

    def _dollar(self) -> None:
        text, at = self.text, self.at
        following = text[at + 1 : at + 2]
        if match := _NAME.match(text, at + 1):
            self._variable(self.variables.get(match[0]), match.end())
        elif following == "{":
            end = _behind_brackets(text, at + 1)
            self._variable(self._parameter(text[at + 2 : end - 1]), end)
        elif following == "(":
            self._unknown(_behind_brackets(text, at + 1))
        elif following in ("'", '"') and following and not self.double:
            self.at += 1
        elif following and following in "@*#?$!0123456789-":
            self._unknown(at + 2)
        else:
            self._add("$")
            self.at += 1

    def _unknown(self, end: int) -> None:
        self.fields.known = False
        self._add(self.text[self.at : end])
        self.at = end

    def _variable(self, value: str | None, end: int) -> None:
        self.grown += len(value or "")
        if value is None or self.grown > _MOST:
            self._unknown(end)
            return
        self.at = end
        if self.double or not value or not (value.isspace() or " " in value or "\t" in value or "\n" in value):
            if value or self.double:
                self._add(value)
            return
        parts = value.split()
        if value[0].isspace() and self.held is not None:
            self._flush()
        for number, part in enumerate(parts):
            if number:
                self._flush()
            self._add(part)
        if value[-1].isspace():
            self._flush()

    def _flush(self) -> None:
        if self.held is not None:
            self.fields.texts.append("".join(self.held))
        self.held = None

    def _parameter(self, inner: str) -> str | None:
        """The value of `${inner}`; None where it is not known."""
        match = _PARAMETER.fullmatch(inner)
        if not match or self.depth > DEEP:
            return None
        name, operator, rest = match.groups()
        value = self.variables.get(name)
        mark = operator.lstrip(":")
        if mark in ("-", "=", "+"):
            there = bool(value) if operator[0] == ":" else value is not None
            return value if mark != "+" and there else "" if mark == "+" and not there else self._inner(rest)
        if value is None or not mark or mark == "?":
            return value
        pattern = self._inner(rest)
        return None if pattern is None else _cut(value, mark, pattern)

    def _inner(self, text: str) -> str | None:
        fields = fields_of(text, self.variables, self.depth + 1)
        return " ".join(fields.texts) if fields.known else None


def _cut(value: str, mark: str, pattern: str) -> str:
    """`${name#pattern}` and its kin."""
    if mark[0] == "/":
        old, _, new = pattern.partition("/")
        return value.replace(old, new, -1 if mark == "//" else 1) if old else value
    if len(value) > _LONGEST or len(pattern) > _LONGEST:
        return value
    lengths = range(len(value) + 1) if len(mark) == 1 else range(len(value), -1, -1)
    for length in lengths:
        if mark[0] == "#" and fnmatchcase(value[:length], pattern):
            return value[length:]
        if mark[0] == "%" and fnmatchcase(value[len(value) - length :], pattern):
            return value[: len(value) - length]
    return value
