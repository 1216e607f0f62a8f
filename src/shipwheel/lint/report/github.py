"""Findings as workflow commands of GitHub Actions, which show them at their lines in a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipwheel.lint.finding import Finding, Severity
from shipwheel.lint.report.places import region

LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}


def as_github(findings: Iterable[Finding]) -> Iterator[str]:
    """One line a finding (GitHub docs, "Workflow commands for GitHub Actions", "Setting an error message")."""
    for finding in findings:
        place = region(finding.source, finding.span)
        values = {
            "file": finding.source.name,
            "line": place.line,
            "endLine": place.end_line,
            "col": place.column,
            "endColumn": place.end_column,
            "title": finding.rule,
        }
        properties = ",".join(f"{name}={_escaped(str(value), ',:')}" for name, value in values.items())
        text = _escaped(f"{finding.message}. {finding.why} Remedy: {finding.remedy}")
        yield f"::{LEVELS[finding.severity]} {properties}::{text}"


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
