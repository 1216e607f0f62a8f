"""Comments that take findings back: `# shipwheel: ignore=KEY reason`, and `ignore-file=KEY` for a whole file.

In a Dockerfile such a comment stands on a line of its own. Above an instruction it is about the whole instruction, between
the lines of one about the line below. In other files it stands at the end of a line, or above it; in Markdown it is an
HTML comment, and above a fence it is about the whole block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.finding import Finding
from shipwheel.lint.source import Source, Span

MARK = "shipwheel:"
_COMMENT = re.compile(
    r"(?:#|//|<!--)\s*shipwheel:[ \t]*ignore(?P<file>-file)?[ \t]*=[ \t]*(?P<keys>[\w,-]+)[ \t]*(?P<reason>[^\r\n]*)"
)
_FENCE = re.compile(r"\s*(```+|~~~+)")


def named(key: str, names: frozenset[str]) -> bool:
    """Whether one of these names means the rule: its key, or the beginning of it up to a dash."""
    return any(key == name or key.startswith(f"{name}-") for name in names)


@dataclass(kw_only=True)
class Ignore:
    """One comment: the rules it names, the lines it is about (both inclusive), its place, and what it took back."""

    keys: frozenset[str]
    first: int
    last: int
    span: Span
    reason: str
    used: set[str] = field(default_factory=set)

    def takes(self, finding: Finding) -> bool:
        """Whether it is about a finding; notes it."""
        line = finding.source.position(finding.span[0]).line
        if not (self.first <= line <= self.last and named(finding.rule, self.keys)):
            return False
        self.used |= {key for key in self.keys if named(finding.rule, frozenset({key}))}
        return True


def ignores_of(subject: object, source: Source) -> list[Ignore]:
    """The comments of a file."""
    if MARK not in source.text:
        return []
    return [_ignore(source, match, subject) for match in _COMMENT.finditer(source.text)]


def _ignore(source: Source, match: re.Match[str], subject: object) -> Ignore:
    first, last = (1, source.lines) if match["file"] else _lines(source, match, subject)
    return Ignore(
        keys=frozenset(filter(None, match["keys"].split(","))),
        first=first,
        last=last,
        span=match.span(),
        reason=match["reason"].replace("-->", "").strip(),
    )


def _lines(source: Source, match: re.Match[str], subject: object) -> Span:
    """The first and the last line that a comment is about."""
    line = source.position(match.start()).line
    alone = not source.text[source.line_span(line)[0] : match.start()].strip()
    if not alone:
        return line, line
    below = next(_lines_with_text(source, line + 1), line)
    if isinstance(subject, Dockerfile):
        return _instruction(subject, below)
    start, end = source.line_span(below)
    fence = _FENCE.match(source.text, start, end)
    if fence and source.name.lower().endswith((".md", ".markdown")):
        closing = (row for row in range(below + 1, source.lines + 1) if _text(source, row).strip().startswith(fence[1]))
        return below, next(closing, source.lines)
    return below, below


def _instruction(dockerfile: Dockerfile, line: int) -> Span:
    """All lines of the instruction that begins on this line; only the line, where it is in the middle of one."""
    position = dockerfile.source.position
    for instruction in dockerfile.parsed.instructions:
        if position(instruction.span[0]).line == line:
            return line, position(max(instruction.span[1] - 1, instruction.span[0])).line
    return line, line


def _lines_with_text(source: Source, first: int) -> Iterator[int]:
    """Lines from here on that hold more than blanks and comments."""
    for line in range(first, source.lines + 1):
        text = _text(source, line).strip()
        if text and not text.startswith(("#", "<!--")):
            yield line


def _text(source: Source, line: int) -> str:
    return source.text[slice(*source.line_span(line))]
