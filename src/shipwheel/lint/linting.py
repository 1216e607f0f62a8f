"""From paths to findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from shipwheel.errors import UsageError
from shipwheel.lint.finding import Finding, Hit
from shipwheel.lint.opening import open_workspace
from shipwheel.lint.rule import Rule, rules
from shipwheel.lint.rules import ignoring
from shipwheel.lint.source import Source
from shipwheel.lint.suppress import Ignore, ignores_of, named
from shipwheel.lint.wording import did_you_mean
from shipwheel.lint.workspace import Workspace
from shipwheel.project.ignore import GitRules


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rules run, and where: keys of rules, or their beginnings up to a dash ("apt", "secret").

    `select` empty: all but those that are off. `exclude` are patterns as in .gitignore of files not to look at; `paths` such
    patterns with the rules that are left out there; both are relative to `base`.
    """

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    exclude: tuple[str, ...] = ()
    paths: Mapping[str, frozenset[str]] = field(default_factory=dict)
    base: Path = field(default=Path())

    def __post_init__(self) -> None:
        """Raises UsageError for names that no rule has: all of them."""
        names = {*self.select, *self.ignore, *(name for some in self.paths.values() for name in some)}
        unknown = [name for name in sorted(names) if not any(named(key, frozenset({name})) for key in rules())]
        if unknown:
            told = "\n".join(f"  {_unknown(name)}" for name in unknown)
            raise UsageError(f"no rule of that name\n{told}", hint="'shipwheel lint --explain all' lists them")

    def takes(self, rule: Rule) -> bool:
        """Whether a rule runs."""
        chosen = named(rule.key, self.select) if self.select else not rule.off
        return chosen and not named(rule.key, self.ignore)

    @cached_property
    def _excluded(self) -> GitRules:
        return GitRules.parse(self.exclude)

    @cached_property
    def _paths(self) -> list[tuple[GitRules, frozenset[str]]]:
        return [(GitRules.parse([pattern]), keys) for pattern, keys in self.paths.items()]

    def looks_at(self, source: Source) -> bool:
        """Whether a file is looked at."""
        return not (self.exclude and self._excluded.covers(self._name(source)))

    def _name(self, source: Source) -> str:
        base = self.base.absolute()
        return source.path.relative_to(base).as_posix() if source.path.is_relative_to(base) else source.name

    def wants(self, finding: Finding) -> bool:
        """Whether its rule runs, also in its file."""
        left_out = (named(finding.rule, keys) and git.covers(self._name(finding.source)) for git, keys in self._paths)
        return self.takes(rules()[finding.rule]) and not any(left_out)


def _unknown(name: str) -> str:
    return name + did_you_mean(name, rules(), 0.5)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, in the order of files and places.

    `suppressed`: how many findings comments took back; `excluded`: how many files the selection leaves out.
    """

    findings: tuple[Finding, ...] = ()
    suppressed: int = 0
    excluded: int = 0
    workspace: Workspace = field(default_factory=Workspace)

    @property
    def files(self) -> int:
        """How many files were looked at."""
        return len({subject.source.name for subject in self.workspace.subjects})


def lint(
    paths: Iterable[Path],
    selection: Selection | None = None,
    *,
    root: Path | None = None,
    sources: Mapping[Path, Source] | None = None,
) -> Report:
    """Look at these files, and at everything below these folders; `sources` stand for the files of their paths.

    Names in findings are relative to `root`, where they lie below it.

    Raises:
        UsageError: a path that is not there.
    """
    selection = selection or Selection()
    workspace = open_workspace(paths, root=root, sources=sources)
    opened = {subject.source.name for subject in workspace.subjects}
    workspace.subjects = [subject for subject in workspace.subjects if selection.looks_at(subject.source)]
    found, ignores = _run(workspace, selection)
    taken = {finding for finding in found if _is_taken(finding, ignores[finding.source.name][1])}
    left = [*(finding for finding in found if finding not in taken), *_about_comments(ignores.values())]
    wanted = {finding for finding in left if selection.wants(finding)}
    ordered = sorted(wanted, key=lambda finding: (finding.source.name, finding.span, finding.rule, finding.message))
    suppressed = sum(selection.wants(finding) for finding in taken)
    report = Report(findings=tuple(ordered), suppressed=suppressed, workspace=workspace)
    return replace(report, excluded=len(opened) - report.files)


def _is_taken(finding: Finding, ignores: list[Ignore]) -> bool:
    """Whether a comment takes it back; every comment that does notes it."""
    return sum(ignore.takes(finding) for ignore in ignores) > 0


Ignores = dict[str, tuple[Source, list[Ignore]]]


def _run(workspace: Workspace, selection: Selection) -> tuple[list[Finding], Ignores]:
    """All hits of the chosen rules, and of those that a file's comments name, for only so is it known what they take back."""
    ignores: Ignores = {}
    found: list[Finding] = []
    chosen = [rule for rule in rules().values() if selection.takes(rule)]
    for subject in workspace.subjects:
        source = subject.source
        if source.name not in ignores:
            ignores[source.name] = (source, ignores_of(subject, source))
        also = frozenset(key for one in ignores[source.name][1] for key in one.keys)
        running = [rule for rule in rules().values() if rule in chosen or named(rule.key, also)] if also else chosen
        found += [_finding(rule, source, hit) for rule in running for hit in rule.hits(subject)]
    return found, ignores


def _about_comments(ignores: Iterable[tuple[Source, list[Ignore]]]) -> Iterator[Finding]:
    for source, comments in ignores:
        yield from (_finding(ignoring.UNUSED, source, hit) for hit in ignoring.unused(comments))
        yield from (_finding(ignoring.WITHOUT_REASON, source, hit) for hit in ignoring.without_reason(comments))


def _finding(rule: Rule, source: Source, hit: Hit) -> Finding:
    return Finding(
        rule=rule.key,
        severity=rule.severity,
        source=source,
        span=hit.span,
        message=hit.message,
        why=rule.reason,
        remedy=hit.remedy or rule.remedy,
        fix=hit.fix,
    )
