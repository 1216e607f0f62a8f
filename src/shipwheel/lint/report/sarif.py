"""Findings as SARIF 2.1.0 (OASIS), which GitHub's code scanning and editors read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from shipwheel import __version__
from shipwheel.lint.finding import Finding, Severity
from shipwheel.lint.report.places import Region, edits, region
from shipwheel.lint.rule import Rule, rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}


def as_sarif(findings: Iterable[Finding]) -> dict[str, object]:
    """A log with one run: the rules that have findings, and the findings."""
    shown = list(findings)
    used = [rule for rule in rules().values() if any(finding.rule == rule.key for finding in shown)]
    numbers = {rule.key: number for number, rule in enumerate(used)}
    seen: Counter[str] = Counter()
    driver = {
        "name": "shipwheel lint",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(rule) for rule in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The folder that was linted"}}},
        "results": [_result(finding, numbers[finding.rule], seen) for finding in shown],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.key,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} Remedy: {rule.remedy}. Source: {rule.source}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity], "enabled": not rule.off},
    }


def _result(finding: Finding, number: int, seen: Counter[str]) -> dict[str, object]:
    location = {"artifactLocation": _artifact(finding), "region": _region(region(finding.source, finding.span))}
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. Remedy: {finding.remedy}"},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"shipwheel/v1": _fingerprint(finding, seen)},
    }
    if finding.fix:
        replacements = [
            {"deletedRegion": _region(place), "insertedContent": {"text": edit.text}} for place, edit in edits(finding)
        ]
        change = {"artifactLocation": _artifact(finding), "replacements": replacements}
        result["fixes"] = [{"description": {"text": finding.fix.what}, "artifactChanges": [change]}]
    return result


def _artifact(finding: Finding) -> dict[str, str]:
    name = quote(finding.source.name, errors="surrogateescape")
    return {"uri": name} if name.startswith("/") else {"uri": name, "uriBaseId": "%SRCROOT%"}


def _region(place: Region) -> dict[str, int]:
    return {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def _fingerprint(finding: Finding, seen: Counter[str]) -> str:
    """The same after lines moved: of rule, file and message; equal ones are numbered (SARIF 2.1.0, section 3.27.17)."""
    text = "\0".join((finding.rule, finding.source.name, finding.message))
    seen[text] += 1
    return f"{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:32]}:{seen[text]}"
