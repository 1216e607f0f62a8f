"""Findings as JSON: a list of objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from shipwheel.lint.finding import Finding
from shipwheel.lint.report.places import edits, region


def as_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """One object a finding: rule, severity, path, line, column, end_line, end_column, message, why, remedy, fix."""
    return [
        {
            "rule": finding.rule,
            "severity": finding.severity,
            "path": finding.source.name,
            **asdict(region(finding.source, finding.span)),
            "message": finding.message,
            "why": finding.why,
            "remedy": finding.remedy,
            "fix": _fix(finding),
        }
        for finding in findings
    ]


def _fix(finding: Finding) -> dict[str, object] | None:
    if finding.fix is None:
        return None
    return {"what": finding.fix.what, "edits": [{**asdict(place), "text": edit.text} for place, edit in edits(finding)]}
