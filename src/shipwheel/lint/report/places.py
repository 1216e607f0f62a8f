"""Where a finding stands, as every format says it."""

from __future__ import annotations

from dataclasses import dataclass

from shipwheel.lint.finding import Edit, Finding
from shipwheel.lint.source import Source, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Lines and columns from 1, in characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def region(source: Source, span: Span) -> Region:
    """A span as lines and columns."""
    start, end = source.position(span[0]), source.position(span[1])
    return Region(line=start.line, column=start.column, end_line=end.line, end_column=end.column)


def edits(finding: Finding) -> list[tuple[Region, Edit]]:
    """The edits of its fix with their places."""
    return [(region(finding.source, (edit.start, edit.end)), edit) for edit in finding.fix.edits] if finding.fix else []
