"""Quotes, escapes and variables of a word, as BuildKit's frontend/dockerfile/shell reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipwheel.lint.dockerfile.blanks import SPACES

_DEPTH = 40
"""How many ${A:-${B:-...}} may stand in each other."""
_PATTERN_LIMIT = 10_000
"""Stars of a pattern times characters of the value it is tried on: more is not worth the time."""
_SPECIAL = frozenset("@*#?-$!0")


class LexError(ValueError):
    """What BuildKit refuses in a word, in a few words."""


@dataclass(slots=True)
class Lexer:
    """Reads `text` once. `partial`: an unknown variable was met and stands as it was written.

    With `literal` every substitution of a variable that is not known stays, which is how BuildKit looks for heredocs.
    """

    text: str
    variables: Mapping[str, str]
    escape: str = "\\"
    literal: bool = False
    keep_quotes: bool = False
    keep_escapes: bool = False
    partial: bool = False
    _at: int = 0
    _depth: int = 0
    _word: list[str] = field(default_factory=list)

    def read(self) -> tuple[str, list[str]]:
        """The whole as one word, and split at blanks outside of quotes.

        Raises:
            LexError: an unclosed quote or brace, or a substitution that there is none of.
        """
        return self._until("")

    def _peek(self) -> str:
        return self.text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self.text[self._at : self._at + 1]
        self._at += 1
        return char

    def _until(self, stop: str) -> tuple[str, list[str]]:
        """Up to `stop`, or to the end where that is empty."""
        parts: list[str] = []
        words: list[str] = []
        inside = False
        self._word.clear()  # BuildKit has one buffer for all levels: what stood before ${A:-B} in a word is lost to splitting
        while char := self._peek():
            if char == stop:
                self._at += 1
                return "".join(parts), self._ended(words)
            raw = char != "$"
            if char in "$<'\"":
                piece = self._special(char)
            elif char == self.escape:
                piece, more = self._escaped()
                if not more:
                    break
            else:
                piece, raw = self._next(), False
            parts.append(piece)
            for each in (piece,) if raw else piece:
                if not raw and each in SPACES:
                    if inside and self._word:
                        words.append("".join(self._word))
                        self._word.clear()
                        inside = False
                else:
                    self._word.append(each)
                    inside = True
        if stop:
            raise LexError(f"{stop} is missing")
        return "".join(parts), self._ended(words)

    def _ended(self, words: list[str]) -> list[str]:
        if text := "".join(self._word):
            words.append(text)
        self._word.clear()
        return words

    def _escaped(self) -> tuple[str, bool]:
        """What an escape character outside of quotes makes, and whether something follows it."""
        kept = self._next() if self.keep_escapes else self._next()[:0]
        char = self._next()
        if not char and kept:
            self._word.append(kept)
        return kept + char, bool(char)

    def _special(self, char: str) -> str:
        if char == "$":
            return self._dollar()
        if char == "'":
            return self._single()
        if char == '"':
            return self._double()
        self._at += 1
        if self._peek() != "<":
            return "<"
        end = self._at + 1
        while self.text[end : end + 1] in ("\t", "\r", " "):
            end += 1
        found, self._at = self.text[self._at - 1 : end], end
        return found

    def _single(self) -> str:
        end = self.text.find("'", self._at + 1)
        if end < 0:
            raise LexError("a single quote is not closed")
        start, self._at = self._at, end + 1
        return self.text[start : end + 1] if self.keep_quotes else self.text[start + 1 : end]

    def _double(self) -> str:
        parts = [self._next() if self.keep_quotes else self._next()[:0]]
        while char := self._peek():
            if char == "$":
                parts.append(self._dollar())
                continue
            self._at += 1
            if char == '"':
                return "".join((*parts, char if self.keep_quotes else ""))
            if char == self.escape:
                if self.keep_escapes:
                    parts.append(char)
                following = self._peek()
                if not following:
                    continue
                if following in ('"', "$", self.escape):
                    char = self._next()
            parts.append(char)
        raise LexError("a double quote is not closed")

    def _name(self) -> str:
        start = self._at
        first = self._peek()
        if first.isdigit():
            while self._peek().isdigit():
                self._at += 1
        elif first and first in _SPECIAL:
            self._at += 1
        else:
            while (char := self._peek()) and (char.isalnum() or char == "_"):
                self._at += 1
        return self.text[start : self._at]

    def _dollar(self) -> str:
        start = self._at
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._value(name, f"${name}") if name else "$"
        self._at += 1
        if not self._peek():
            raise LexError("} is missing")
        if self._peek() in "{}:":
            raise LexError("there is no such substitution")
        name = self._name()
        if self._peek() == "}":
            self._at += 1
            return self._value(name, self.text[start : self._at])
        self._depth += 1
        if self._depth > _DEPTH:
            raise LexError("substitutions stand too deep in each other")
        value = self._modified(name, start)
        self._depth -= 1
        return value

    def _value(self, name: str, written: str) -> str:
        value = self.variables.get(name)
        if value is None:
            self.partial = True
            return written
        return value

    def _modified(self, name: str, start: int) -> str:
        operator = self._next()
        value = self.variables.get(name)
        if operator == "/":
            return self._replaced(value, start)
        colon = operator == ":"
        if colon:
            operator = self._next()
        if not operator or operator not in "+-?#%" or (colon and operator in "#%"):
            raise LexError(f"there is no {'${NAME:' if colon else '${NAME'}{operator}...}}")
        word = self._nested("}", operator in "#%")
        if self.literal:
            self.partial = True
            return f"${{{name}{':' if colon else ''}{operator}{word}}}"
        empty = value is None or (colon and not value)
        if operator == "-":
            return word if empty else value or ""
        if operator == "+":
            self.partial |= value is None
            return "" if empty else word
        if value is None or empty:
            return self._written(start)
        return value if operator == "?" else _trimmed(value, word, operator)

    def _written(self, start: int) -> str:
        self.partial = True
        return self.text[start : self._at]

    def _nested(self, stop: str, keep_escapes: bool) -> str:
        before, self.keep_escapes = self.keep_escapes, keep_escapes
        word, _ = self._until(stop)
        self.keep_escapes = before
        return word

    def _replaced(self, value: str | None, start: int) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        pattern = self._nested("/", True)
        replacement = self._nested("}", True)
        if self.literal:
            self.partial = True
            return f"${{{self.text[start + 2 : self._at]}"
        if value is None:
            return self._written(start)
        regex = _regex(pattern, value, greedy=True)
        return regex.sub(lambda _: replacement, value, count=0 if everywhere else 1)


def _trimmed(value: str, word: str, operator: str) -> str:
    """${NAME#pattern}, ${NAME##pattern}, ${NAME%pattern} and ${NAME%%pattern}."""
    greedy = word[:1] == operator
    pattern = word[1:] if greedy else word
    if operator == "#":
        found = _regex(pattern, value, greedy=greedy).match(value)
        return value[found.end() :] if found else value
    regex = _regex(pattern, value, greedy=True)
    ends = range(len(value) + 1) if greedy else range(len(value), -1, -1)
    return next((value[:at] for at in ends if regex.fullmatch(value, at)), value)


def _regex(pattern: str, value: str, *, greedy: bool) -> re.Pattern[str]:
    """A pattern of the shell as a regular expression: * and ?, which a backslash takes the meaning from."""
    if (pattern.count("*") + 1) * len(value) > _PATTERN_LIMIT or pattern.count("*") > 4:
        raise LexError("the pattern is too long to be tried")
    out: list[str] = []
    characters = iter(pattern)
    for char in characters:
        if char == "*":
            out.append(".*" if greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            following = next(characters, "")
            if not following or following not in "*?\\}/":
                raise LexError(f"there is no \\{following} in a pattern")
            out.append(re.escape(following))
        else:
            out.append(re.escape(char))
    return re.compile("".join(out))
