"""A file's text, and places in it: offsets everywhere inside, lines and columns at the edge."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

Span = tuple[int, int]
"""Start and end (exclusive) in a source's text, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Line and column, both from 1, as editors and SARIF count them; a column is a character."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as text. Line ends stay; bytes that are not UTF-8 become lone surrogates and are written back as they were.

    `name` is what findings show, `path` where it lies.
    """

    name: str
    text: str
    path: Path = field(default=Path())

    @classmethod
    def of_bytes(cls, data: bytes, *, name: str, path: Path = Path()) -> Source:
        """Decode; a byte order mark stays, so that offsets and the file agree."""
        return cls(name=name, text=data.decode("utf-8", "surrogateescape"), path=path)

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.text.encode("utf-8", "surrogateescape")

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins; lines end at \\n only, as for BuildKit, shells and editors."""
        starts, at = [0], self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> Position:
        """Where an offset stands."""
        row = bisect_right(self._starts, offset) - 1
        return Position(line=row + 1, column=offset - self._starts[row] + 1)

    def line_span(self, line: int) -> Span:
        """A line (from 1) without its line end."""
        start = self._starts[line - 1]
        end = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        return start, end - 1 if end > start and self.text[end - 1] == "\r" else end

    @property
    def lines(self) -> int:
        """How many lines there are; an empty one after the last line end counts."""
        return len(self._starts)

    @property
    def line_end(self) -> str:
        """What ends a line here, for text that a fix adds."""
        return "\r\n" if "\r\n" in self.text else "\n"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text that was taken out of a source in pieces: a RUN without its continuations, a block of YAML without its indentation.

    `pieces` are pairs of (offset in `text`, offset in the source's text) where each piece begins, ascending, the first at 0.
    """

    source: Source
    text: str
    pieces: tuple[tuple[int, int], ...]

    @classmethod
    def whole(cls, source: Source, span: Span | None = None) -> Excerpt:
        """One piece: the source itself, or that part of it."""
        start, end = span or (0, len(source.text))
        return cls(source, source.text[start:end], ((0, start),))

    @classmethod
    def joined(cls, source: Source, spans: Iterable[Span]) -> Excerpt:
        """Pieces one after the other, without what lies between them."""
        parts: list[str] = []
        pieces: list[tuple[int, int]] = []
        length = 0
        for start, end in spans:
            if end > start:
                pieces.append((length, start))
                parts.append(source.text[start:end])
                length += end - start
        return cls(source, "".join(parts), tuple(pieces) or ((0, 0),))

    def offset(self, at: int) -> int:
        """The place in the source of a character of `text`; its end for the end of the text."""
        begin, start = self.pieces[bisect_right(self.pieces, (at, len(self.source.text) + 1)) - 1]
        return start + at - begin

    def span(self, start: int, end: int) -> Span:
        """The part of the source from the first to the last character of this part of the text."""
        return (self.offset(start), self.offset(end - 1) + 1) if end > start else (self.offset(start), self.offset(start))

    def part(self, start: int, end: int) -> Excerpt:
        """A part of this text as an excerpt of its own."""
        inside = [(max(begin, start) - start, offset + max(start - begin, 0)) for begin, offset in self._within(start, end)]
        return Excerpt(self.source, self.text[start:end], tuple(inside) or ((0, self.offset(start)),))

    def _within(self, start: int, end: int) -> list[tuple[int, int]]:
        """The pieces that hold some of this part."""
        ends = [begin for begin, _ in self.pieces[1:]] + [len(self.text)]
        return [piece for piece, stop in zip(self.pieces, ends, strict=True) if piece[0] < end and stop > start]
