"""Findings for people: the line, a caret, the reason, the remedy."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from shipwheel.lint.finding import Finding, Severity
from shipwheel.lint.report.places import region
from shipwheel.lint.rule import rules
from shipwheel.lint.secrets import redacted
from shipwheel.lint.source import Source
from shipwheel.lint.tables import date_of

WIDTH = 110
"""Columns of a source line that are shown."""

Style = Callable[..., str]
"""`click.style`, or one that leaves the text alone."""

COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "cyan"}


def as_text(findings: Iterable[Finding], style: Style) -> Iterator[str]:
    """Some lines a finding, with an empty one behind each.

    What is said of a rule in general (why, remedy) stands at its first finding in a row of the same file and remedy only.
    """
    for _, group in groupby(findings, lambda finding: (finding.source.name, finding.rule, finding.remedy)):
        *before, last = group
        for finding in before:
            yield from (_head(finding, style), *_line(finding, style))
        yield from (_head(last, style), *_line(last, style), *_advice(last, style), "")


def _head(finding: Finding, style: Style) -> str:
    place = region(finding.source, finding.span)
    where = style(f"{printable(finding.source.name)}:{place.line}:{place.column}:", bold=True)
    severity = style(f"{finding.severity}:", fg=COLOURS[finding.severity], bold=True)
    return f"{where} {severity} {printable(finding.message)} {style(f'[{finding.rule}]', dim=True)}"


def _line(finding: Finding, style: Style) -> Iterator[str]:
    """The source line, cut to what a terminal shows, with carets below the finding."""
    place = region(finding.source, finding.span)
    first, last = finding.source.line_span(place.line)
    text = _shown(finding.source)[first:last]
    if not text.strip():
        return
    start = place.column - 1
    end = min(place.end_column - 1 if place.end_line == place.line else len(text.rstrip()), len(text))
    left = max(0, min(start - WIDTH // 3, len(text) - WIDTH))
    shown = text[left : left + WIDTH]
    before = width(printable(shown[: start - left]))
    under = max(1, width(printable(shown[start - left : max(end - left, start - left + 1)])))
    number, bar = f"{place.line:>5}", style("|", dim=True)
    cut = "…" if left + WIDTH < len(text) else ""
    yield f"{style(number, dim=True)} {bar} {'…' if left else ''}{printable(shown)}{cut}"
    carets = style("^" * under, fg=COLOURS[finding.severity])
    yield f"{' ' * len(number)} {bar} {' ' * (before + bool(left))}{carets}"


def _advice(finding: Finding, style: Style) -> Iterator[str]:
    dated = rules()[finding.rule].dated
    yield f"      {printable(finding.why)}{f' (as of {date_of(dated)})' if dated else ''}"
    mended = style(" (--fix does it)", dim=True) if finding.fix else ""
    yield f"      {style('→', fg='green')} {printable(finding.remedy)}{mended}"


@lru_cache(maxsize=4)
def _shown(source: Source) -> str:
    """The whole text without secrets: what names one may stand on another line than its value."""
    return redacted(source.text)


def printable(text: str) -> str:
    """Nothing that a terminal would act on: tabs are four blanks, other control characters and lone surrogates a box."""
    return "".join("    " if one == "\t" else one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def width(text: str) -> int:
    """Columns that a terminal takes for it."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 0 if unicodedata.combining(one) else 1 for one in text)
