"""Applies fixes, round after round until nothing is left to mend; in memory, for a diff as well as for --fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from shipwheel.lint.dockerfile.parse import parse
from shipwheel.lint.edits.fixing import fixed
from shipwheel.lint.finding import Finding
from shipwheel.lint.linting import Report, Selection, lint
from shipwheel.lint.opening import kind_of
from shipwheel.lint.source import Source

ROUNDS = 10
"""A fix may make place for another a few times; more would mean that two undo each other."""


@dataclass(frozen=True, kw_only=True)
class Mended:
    """`changes`: by path, the file before and after. `done`: how many findings of each rule are mended. `report`: the rest."""

    changes: dict[Path, tuple[Source, Source]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    report: Report


def mend(paths: Iterable[Path], selection: Selection, *, root: Path | None = None) -> Mended:
    """What --fix would write. A round of fixes after which a Dockerfile would no longer parse is left out.

    Raises:
        UsageError: a path that is not there.
    """
    paths = list(paths)
    now: dict[Path, Source] = {}
    before: dict[Path, Source] = {}
    stuck: set[Path] = set()
    done: Counter[str] = Counter()
    report = lint(paths, selection, root=root)
    for _ in range(ROUNDS):
        mended = {path: outcome for path, outcome in _round(report.findings).items() if path not in stuck}
        stuck |= {path for path, (old, new, _) in mended.items() if not _still_parses(old, new)}
        sound = {path: outcome for path, outcome in mended.items() if path not in stuck}
        if not sound:
            break
        for path, (old, new, findings) in sound.items():
            before.setdefault(path, old)
            now[path] = new
            done.update(finding.rule for finding in findings)
        report = lint(paths, selection, root=root, sources=now)
    changes = {path: (before[path], now[path]) for path in sorted(now) if now[path].text != before[path].text}
    return Mended(changes=changes, done=done, report=report)


def _round(findings: Iterable[Finding]) -> dict[Path, tuple[Source, Source, tuple[Finding, ...]]]:
    """By path: the file, the file with the fixes of its findings, and those that were applied."""
    found = {}
    for path, group in groupby(findings, lambda finding: finding.source.path):
        mine = list(group)
        text, done = fixed(mine[0].source.text, mine)
        if text == mine[0].source.text:
            continue
        found[path] = (mine[0].source, Source(name=mine[0].source.name, text=text, path=path), done)
    return found


def _still_parses(old: Source, new: Source) -> bool:
    """Whether a Dockerfile has no fault that it did not have."""
    if kind_of(old.path, old) != "dockerfile":
        return True
    return len(parse(new).faults) <= len(parse(old).faults)
