"""A word of a Dockerfile or of a shell command."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.lint.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """`text` is its value: quotes removed, known variables put in; others stand as they are written, `$NAME` or `${NAME}`.

    `known` is False where something in it is decided only at build or run time: an unknown variable, a substitution (not a
    glob). `quoted`: some of it stands in quotes. `span` is its place in the source with its quotes.
    """

    text: str
    span: Span
    known: bool = True
    quoted: bool = False

    def __str__(self) -> str:
        return self.text
