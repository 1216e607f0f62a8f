"""From paths to findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.lint.finding import Finding
from shipwheel.lint.opening import open_workspace
from shipwheel.lint.rule import Rule, rules
from shipwheel.lint.suppress import suppressed
from shipwheel.lint.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rules run: keys, or their beginnings up to a dash ("apt", "secret"). `select` empty: all but those that are off."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    def takes(self, rule: Rule) -> bool:
        """Whether a rule runs."""
        chosen = _named(rule.key, self.select) if self.select else not rule.off
        return chosen and not _named(rule.key, self.ignore)


def _named(key: str, names: frozenset[str]) -> bool:
    return any(key == name or key.startswith(f"{name}-") for name in names)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, in the order of files and places, and how many files were looked at."""

    findings: tuple[Finding, ...] = ()
    ignored: int = 0
    """How many findings a comment in the file takes back."""
    workspace: Workspace = field(default_factory=Workspace)


def lint(paths: Iterable[Path], selection: Selection | None = None, *, root: Path | None = None) -> Report:
    """Look at these files, and at everything below these folders.

    Names in findings are relative to `root`, where they lie below it.

    Raises:
        UsageError: a path that is not there.
    """
    workspace = open_workspace(paths, root=root)
    chosen = [rule for rule in rules().values() if (selection or Selection()).takes(rule)]
    found = [finding for subject in workspace.subjects for finding in _findings(subject, chosen)]
    kept = [finding for finding in found if not suppressed(finding)]
    ordered = sorted(kept, key=lambda finding: (finding.source.name, finding.span, finding.rule))
    return Report(findings=tuple(ordered), ignored=len(found) - len(kept), workspace=workspace)


def _findings(subject: object, chosen: Iterable[Rule]) -> Iterable[Finding]:
    for rule in chosen:
        for hit in rule.hits(subject):
            yield Finding(
                rule=rule.key,
                severity=rule.severity,
                source=subject.source,  # type: ignore[attr-defined]  # every subject has one
                span=hit.span,
                message=hit.message,
                why=rule.why,
                remedy=hit.remedy or rule.remedy,
                fix=hit.fix,
            )
