"""`shipwheel lint`."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipwheel.cli.context import Context
from shipwheel.errors import UsageError
from shipwheel.project.locate import read_toml, table_at
from shipwheel.project.settings import OWN_FILE, PYPROJECT, LintSettings, section_path, settings_from

if TYPE_CHECKING:
    from shipwheel.lint.edits.mending import Mended
    from shipwheel.lint.linting import Report, Selection
    from shipwheel.lint.report.text import Style
    from shipwheel.lint.rule import Rule


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--fix", is_flag=True, help="Mend what can be mended safely, in the files.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="text for people, json a list of findings, sarif for code scanning, github for the log of a workflow.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the findings to this file.")
@click.option("--select", metavar="RULES", multiple=True, help="Only these rules, separated by commas; apt is all of apt-*.")
@click.option("--ignore", metavar="RULES", multiple=True, help="Leave these rules out.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    help="Status 1 if a finding is at least this bad; warning, if the settings do not say otherwise.",
)
@click.option("--explain", metavar="RULE", help="Say what a rule is about, or list all: --explain all.")
@click.pass_obj
def command(context: Context, /, paths: tuple[Path, ...], explain: str | None, **flags: object) -> int:
    """Find what is wrong in Dockerfiles and the files around them: ignore files, requirements, compose files, Kubernetes
    manifests, CI workflows, scripts, documents, the Python of a service.

    Each PATH is a file, or a folder with all below it that git does not ignore; the current folder without any. A comment
    '# shipwheel: ignore=RULE reason' takes a finding back.
    """
    if explain:
        click.echo(_explained(explain))
        return 0
    return _lint(context, paths or (Path(),), flags)


def _lint(context: Context, paths: tuple[Path, ...], flags: dict[str, object]) -> int:
    from shipwheel.lint.linting import lint

    settings, base = _settings(paths)
    selection = _selection(settings, base, flags)
    fail_on = str(flags["fail_on"] or settings.fail_on)
    if not (flags["fix"] or flags["diff"]):
        report = lint(paths, selection, root=Path.cwd())
        _write(report, flags)
        context.say(_summary(report))
        return _status(report, fail_on)
    from shipwheel.lint.edits.mending import mend

    mended = mend(paths, selection, root=Path.cwd())
    if flags["diff"]:
        from shipwheel.lint.secrets import redacted

        shown = _diff(mended, redacted)
        click.echo(shown, nl=False)
        context.say(_mended(mended, "would be mended"))
        if shown != _diff(mended, str):
            context.say("secrets are blanked in it, so that git apply refuses it there: --fix changes the files themselves")
        return 1 if mended.changes else 0
    _replace_all(mended)
    _write(mended.report, flags)
    context.say(_mended(mended, "mended"))
    context.say(_summary(mended.report))
    return _status(mended.report, fail_on)


def _settings(paths: tuple[Path, ...]) -> tuple[LintSettings, Path]:
    """`[tool.shipwheel.lint]` of the nearest file above all paths that has one, and its folder."""
    start = Path(os.path.commonpath([os.path.normpath(path.absolute()) for path in paths]))
    for folder in (start, *start.parents):
        for name in (OWN_FILE, PYPROJECT):
            file = folder / name
            if not file.is_file():
                continue
            text = file.read_text("utf-8-sig")
            if table := table_at(read_toml(text, str(file)), *section_path(name), "lint"):
                return settings_from({"lint": table}, text, name).lint, folder
    return LintSettings(), start if start.is_dir() else start.parent


def _selection(settings: LintSettings, base: Path, flags: dict[str, object]) -> Selection:
    from shipwheel.lint.linting import Selection

    select, ignore = _names(flags["select"]), _names(flags["ignore"])
    return Selection(
        select=select or frozenset(settings.select),
        ignore=(ignore | frozenset(settings.ignore)) - select,
        exclude=settings.exclude,
        paths={pattern: frozenset(keys) for pattern, keys in settings.paths.items()},
        base=base,
    )


def _names(given: object) -> frozenset[str]:
    assert isinstance(given, tuple)
    return frozenset(name.strip() for text in given for name in text.split(",") if name.strip())


def _write(report: Report, flags: dict[str, object]) -> None:
    """The findings, to stdout or to a file."""
    output = flags["output"]
    style = click.style if output is None else _plain
    columns = shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else 0
    text = "".join(f"{line}\n" for line in _lines(report, str(flags["form"]), style, columns))
    data = text.encode("utf-8", "replace")
    if isinstance(output, Path):
        try:
            output.write_bytes(data)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}") from error
    else:
        click.echo(data.decode(), nl=False)


def _lines(report: Report, form: str, style: Style, columns: int) -> Iterable[str]:
    if form == "json":
        from shipwheel.lint.report.as_json import as_json

        return [json.dumps(as_json(report.findings), indent=2, ensure_ascii=False)]
    if form == "sarif":
        from shipwheel.lint.report.sarif import as_sarif

        return [json.dumps(as_sarif(report.findings), indent=2, ensure_ascii=False)]
    if form == "github":
        from shipwheel.lint.report.github import as_github

        return as_github(report.findings)
    from shipwheel.lint.report.text import as_text

    return as_text(report.findings, style, columns)


def _plain(text: str, **_: object) -> str:
    return text


def _status(report: Report, fail_on: str) -> int:
    from shipwheel.lint.finding import SEVERITIES

    if fail_on == "never":
        return 0
    order = [*map(str, SEVERITIES)]
    return 1 if any(order.index(finding.severity) <= order.index(fail_on) for finding in report.findings) else 0


def _summary(report: Report) -> str:
    """12 findings (3 errors, 9 warnings) in 4 files; --fix mends 5."""
    from shipwheel.lint.wording import listed

    unread = listed(map(report.workspace.name, report.workspace.unread))
    return f"cannot read {unread}\n{_counted(report)}" if unread else _counted(report)


def _counted(report: Report) -> str:
    files = _count(report.files, "file")
    if report.files == 0 and report.excluded:
        return f"nothing to look at: the settings exclude {_count(report.excluded, 'file')}"
    if report.files == 0:
        return "nothing to look at: no Dockerfile, and no file beside one"
    if not report.findings:
        return f"{files}: nothing found" + _taken(report)
    severities = Counter(finding.severity for finding in report.findings)
    told = [_count(severities[one], one) for one in ("error", "warning") if severities[one]]
    told += [f"{severities['info']} info"] if severities["info"] else []
    mendable = sum(finding.fix is not None for finding in report.findings)
    more = f"; --fix mends {mendable} of them" if mendable else ""
    return f"{_count(len(report.findings), 'finding')} ({', '.join(told)}) in {files}{more}{_taken(report)}"


def _taken(report: Report) -> str:
    return f"; {report.suppressed} taken back by comments" if report.suppressed else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _mended(mended: Mended, verb: str) -> str:
    if not mended.changes:
        return "nothing to mend"
    rules = ", ".join(f"{rule}{f' ({number})' if number > 1 else ''}" for rule, number in sorted(mended.done.items()))
    return f"{verb} in {_count(len(mended.changes), 'file')}: {rules}"


def _diff(mended: Mended, readable: Callable[[str], str]) -> str:
    shown = []
    for before, after in mended.changes.values():
        old, new = (readable(source.text).splitlines(keepends=True) for source in (before, after))
        for line in difflib.unified_diff(old, new, f"a/{before.name}", f"b/{before.name}"):
            shown.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(shown).encode("utf-8", "replace").decode()


def _replace_all(mended: Mended) -> None:
    """Write what is mended; a file that cannot be written does not keep the others from it."""
    refused = []
    for path, (_, after) in mended.changes.items():
        try:
            _replace(path, after.data)
        except OSError as error:
            refused.append(f"  {after.name}: {error.strerror}")
    if refused:
        raise UsageError("\n".join(["cannot mend, a file or its folder may not be written", *refused]))


def _replace(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all, with its mode; a link stays one."""
    target = path.resolve()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
        stream.write(data)
    shutil.copymode(target, stream.name)
    Path(stream.name).replace(target)


def _explained(name: str) -> str:
    from shipwheel.lint.rule import rules
    from shipwheel.lint.wording import closest

    if name == "all":
        width = max(map(len, rules()))
        return "\n".join(f"{rule.key:<{width}}  {rule.severity:<7}  {rule.title}" for rule in rules().values())
    chosen = [rule for key, rule in rules().items() if key == name or key.startswith(f"{name}-")]
    if not chosen:
        near = closest(name, rules(), 0.5)
        hint = f"did you mean {near}?" if near else "'shipwheel lint --explain all' lists them"
        raise UsageError(f"there is no rule {name}", hint=hint)
    return "\n\n".join(map(_about, chosen))


def _about(rule: Rule) -> str:
    fixes = {"automatic": "--fix mends it, where that is safe", "suggested": "by hand", "none": "none"}
    return "\n".join(
        [
            f"{rule.key} ({rule.severity}{', off by default' if rule.off else ''})",
            f"  {rule.title}",
            f"  why:    {rule.reason}",
            f"  remedy: {rule.remedy}",
            f"  fix:    {fixes[rule.fix]}",
            f"  source: {rule.source}",
        ]
    )
