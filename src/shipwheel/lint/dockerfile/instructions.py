"""Instructions of a Dockerfile with their exact places."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.lint.source import Excerpt, Source, Span
from shipwheel.lint.word import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """`--name=value` between an instruction and its arguments; `value` is empty for `--link`, `value_span` its place."""

    name: str
    value: str
    span: Span
    value_span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """`<<NAME` with its lines. `expands`: NAME is not quoted. `body`: the lines, without leading tabs for `<<-`."""

    name: str
    body: Excerpt
    expands: bool
    strips: bool
    span: Span
    """From the first character of the first line to the end of the line that ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction. `keyword` is in capitals.

    `body` is what follows the keyword and the flags, without continuations and the comment lines between them. `words` are
    the arguments as BuildKit splits them for this instruction, quotes kept and no variable put in: between blanks for most
    (COPY, FROM, EXPOSE ...), the strings of the JSON form where `json` is true; empty for RUN, CMD, ENTRYPOINT
    and SHELL in shell form.
    `pairs` are names and values of ENV, LABEL and ARG (an ARG without a default has None). For HEALTHCHECK `words[0]` is CMD
    or NONE and `body` is what follows it. `inner` is the instruction of an ONBUILD.
    """

    keyword: str
    span: Span
    keyword_span: Span
    body: Excerpt
    flags: tuple[Flag, ...] = ()
    words: tuple[Word, ...] = ()
    json: bool = False
    pairs: tuple[tuple[Word, Word | None], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    inner: Instruction | None = None

    def flag(self, name: str) -> Flag | None:
        """The first flag of that name."""
        return next((flag for flag in self.flags if flag.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why BuildKit would refuse the file, and where."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """All instructions of a file in order. `escape` is the escape character; `directives` those at the top, such as syntax.

    `comments` are the spans of the comment lines, those between continuations too.
    """

    source: Source
    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    directives: tuple[tuple[str, str], ...] = ()
    comments: tuple[Span, ...] = ()
    faults: tuple[Fault, ...] = ()
