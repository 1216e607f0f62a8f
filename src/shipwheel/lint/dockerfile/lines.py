"""Lines of a Dockerfile: directives, comments, continuations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.blanks import SPACES
from shipwheel.lint.dockerfile.instructions import Fault
from shipwheel.lint.source import Excerpt, Source, Span

_SPACE = re.compile(f"[{SPACES}]*")
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*\Z")
_DIRECTIVES = ("syntax", "escape", "check")
_LONGEST = 65_535
"""Bytes of a line that BuildKit's scanner takes."""


class Lines:
    """The lines of a file, one after the other; `logical` joins those that belong to one instruction."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.escape = "\\"
        self.directives: dict[str, str] = {}
        self.comments: list[Span] = []
        self.faults: list[Fault] = []
        self._at = 1 if self.text.startswith("\ufeff") else 0
        self._at_top = True

    def physical(self) -> Span | None:
        """The next line without its line end; None at the end of the file."""
        if self._at >= len(self.text):
            return None
        start, end = self._at, self.text.find("\n", self._at)
        stop = len(self.text) if end < 0 else end
        self._at = stop if end < 0 else end + 1
        if stop - start > _LONGEST // 4 and len(self.text[start:stop].encode("utf-8", "surrogateescape")) > _LONGEST:
            self.faults.append(Fault(span=(start, start), message=f"the line is longer than {_LONGEST:,} bytes"))
        while stop > start and self.text[stop - 1] == "\r":
            stop -= 1
        return start, stop

    @property
    def at(self) -> int:
        """Where the next line begins."""
        return self._at

    def logical(self) -> Iterator[tuple[Excerpt, Span]]:
        """Lines joined by continuations, with the place from their first character to the end of the last line."""
        while line := self.physical():
            start, stop = line
            start = self._first(start, stop)
            if start < stop and self.text[start] == "#":
                self._comment(start, stop)
                continue
            self._at_top = False
            if start < stop:
                yield self._joined(start, stop)

    def _first(self, start: int, stop: int) -> int:
        """The first character that is no blank."""
        found = _SPACE.match(self.text, start, stop)
        return found.end() if found else start

    def _joined(self, first: int, stop: int) -> tuple[Excerpt, Span]:
        end = self._continuation(first, stop)
        pieces = [(first, stop if end is None else end)]
        while end is not None and (line := self.physical()):
            start, stop = line
            begin = self._first(start, stop)
            if begin == stop:
                continue
            if self.text[begin] == "#":
                self.comments.append((begin, stop))
                continue
            end = self._continuation(start, stop)
            pieces.append((start, stop if end is None else end))
        excerpt = Excerpt.joined(self.source, pieces)
        return (excerpt if excerpt.text else Excerpt(self.source, "", ((0, first),))), (first, stop)

    def _continuation(self, start: int, stop: int) -> int | None:
        """Where the escape character stands that continues the line; two of them do not."""
        while stop > start and self.text[stop - 1] in " \t":
            stop -= 1
        if stop == start or self.text[stop - 1] != self.escape:
            return None
        return None if stop - 1 > start and self.text[stop - 2] == self.escape else stop - 1

    def _comment(self, start: int, stop: int) -> None:
        found = _DIRECTIVE.match(self.text[start + 1 : stop].lstrip(SPACES)) if self._at_top else None
        name = found[1].lower() if found else ""
        if not found or name not in _DIRECTIVES:
            self._at_top = False
            self.comments.append((start, stop))
        elif name in self.directives:
            self.faults.append(Fault(span=(start, stop), message=f"the directive {name} stands there twice"))
        elif name == "escape" and found[2] not in ("\\", "`"):
            self.faults.append(Fault(span=(start, stop), message="the escape character can only be \\ or `"))
        else:
            self.directives[name] = found[2]
            self.escape = found[2] if name == "escape" else self.escape
