"""Findings for people: the line, a caret, the reason, the remedy."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from shipwheel.lint.finding import Finding, Severity
from shipwheel.lint.report.places import region
from shipwheel.lint.secrets import redacted

WIDTH = 110
"""Columns of a source line that are shown, where no terminal has fewer."""

MARGIN = 10
"""Columns of a source line's number, and of the dots where it is cut."""

Style = Callable[..., str]
"""`click.style`, or one that leaves the text alone."""

COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "cyan"}


def as_text(findings: Iterable[Finding], style: Style, columns: int = 0) -> Iterator[str]:
    """Some lines a finding, with an empty one behind each, for a terminal of that many columns.

    The reason of a rule is said once, what to write instead once in a file; of equal ones in a row below the last.
    """
    said: set[tuple[str, ...]] = set()
    room = min(WIDTH, max(columns - MARGIN, MARGIN)) if columns else WIDTH
    for (name, rule, remedy, mends), group in groupby(findings, _kind):
        for finding in group:
            yield _head(finding, style)
            yield from _line(finding, style, room)
        if (rule,) not in said:
            yield from _wrapped(printable(finding.why), columns, "      ")
        if (name, rule, remedy, mends) not in said:
            arrow, mark = style("→", fg="green"), style(f" ({mends})", dim=True) if mends else ""
            first, *more = _wrapped(printable(remedy), columns, "        ")
            *more, last = f"      {arrow} {first.strip()}", *more
            yield from (*more, f"{last}{mark}")
        said |= {(rule,), (name, rule, remedy, mends)}
        yield ""


def _kind(finding: Finding) -> tuple[str, str, str, str]:
    return finding.source.name, finding.rule, finding.remedy, "--fix does it" if finding.fix else ""


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    """Lines of a text for that many columns, none of its words broken; one line without a terminal."""
    if not columns:
        return [f"{indent}{text}"]
    room = max(columns, 2 * len(indent))
    return textwrap.wrap(
        text, room, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _head(finding: Finding, style: Style) -> str:
    place = region(finding.source, finding.span)
    where = style(f"{printable(finding.source.name)}:{place.line}:{place.column}:", bold=True)
    severity = style(f"{finding.severity}:", fg=COLOURS[finding.severity], bold=True)
    return f"{where} {severity} {printable(finding.message)} {style(f'[{finding.rule}]', dim=True)}"


def _line(finding: Finding, style: Style, room: int) -> Iterator[str]:
    """The source line, cut to what a terminal shows, with carets below the finding."""
    place = region(finding.source, finding.span)
    text = _blanked(finding.source.text)[slice(*finding.source.line_span(place.line))]
    if not text.strip():
        return
    start = place.column - 1
    end = min(place.end_column - 1 if place.end_line == place.line else len(text.rstrip()), len(text))
    left = max(0, min(start - room // 3, len(text) - room))
    shown = text[left : left + room]
    before = width(printable(shown[: start - left]))
    under = max(1, width(printable(shown[start - left : max(end - left, start - left + 1)])))
    number, bar = f"{place.line:>5}", style("|", dim=True)
    cut = "…" if left + room < len(text) else ""
    yield f"{style(number, dim=True)} {bar} {'…' if left else ''}{printable(shown)}{cut}"
    carets = style("^" * under, fg=COLOURS[finding.severity])
    yield f"{' ' * len(number)} {bar} {' ' * (before + bool(left))}{carets}"


@lru_cache(maxsize=1)
def _blanked(text: str) -> str:
    """A whole file without its secrets; findings come file by file."""
    return redacted(text)


def printable(text: str) -> str:
    """Nothing that a terminal would act on: tabs are four blanks, other control characters and lone surrogates a box."""
    return "".join(_SHOWN.get(one, one if one.isprintable() else "\N{REPLACEMENT CHARACTER}") for one in text)


_SHOWN = {"\t": "    ", "\N{ZERO WIDTH NO-BREAK SPACE}": ""}


def width(text: str) -> int:
    """Columns that a terminal takes for it."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 0 if unicodedata.combining(one) else 1 for one in text)
