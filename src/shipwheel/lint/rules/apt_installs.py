"""Installs from the distribution that fail, or that will: stale lists, questions that nobody answers, names that are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.edits.chains import after_word, in_place, prepended, text_of
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.system import installs_of, off_layer, only_updates, removes_lists, sudo, verb_span
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.apt import BEST_PRACTICES
from shipwheel.lint.shell.command import Command
from shipwheel.lint.tables import table
from shipwheel.lint.wording import listed

_ASSUMES_YES = re.compile(r"assume-?yes|assumeyes|force-?yes", re.IGNORECASE)
_OTHER_SOURCES = re.compile(r"sources\.list|add-apt-repository|apt-add-repository|dpkg -i|\.deb\b")
_RUNS_UPDATE = frozenset(("bash", "sh", "source", ".", "add-apt-repository", "apt-add-repository"))
"""Programs behind which an update may hide."""


APT_UPDATE_ALONE = Rule(
    key="apt-update-alone",
    severity="warning",
    title="apt-get update and apt-get install stand in different layers",
    why="The layer with the lists is cached, so that a later install asks for versions that the mirror has deleted.",
    remedy="Write `apt-get update && apt-get install` in one RUN",
    source=BEST_PRACTICES,
    fix="automatic",
)


@APT_UPDATE_ALONE.check(Dockerfile)
def update_alone(dockerfile: Dockerfile) -> Iterator[Hit]:
    """A RUN that only updates, and one that installs from lists of an earlier layer."""
    for stage in dockerfile.stages:
        covered = gone = False
        for number, step in enumerate(stage.steps):
            if only_updates(step):
                first = next(_stale(stage, number + 1), None)
                covered, gone = covered or first is not None, False
                yield _alone(stage, number, first)
            elif (stale := _stale_install(step)) and (gone or not covered):
                yield _without_update(step, stale, gone=gone)
            gone = removes_lists(step) or (gone and not _may_update(step))


def _may_update(step: Step) -> bool:
    """Whether a RUN fetches lists, or runs what may."""
    return bool(installs_of(step, "apt", "update")) or any(_hides_update(command) for command in step.commands)


def _hides_update(command: Command) -> bool:
    return command.program in _RUNS_UPDATE or bool(command.words and "/" in command.words[0].text.lstrip("/"))


def _stale_install(step: Step) -> Install | None:
    """The first install of a RUN before which no update stands, nor anything that may hide one."""
    if step.keyword != "RUN" or off_layer(step, "/var/lib/apt/lists"):
        return None
    for command in step.commands:
        install = next((one for one in step.installs if one.command is command), None)
        if install is None or install.manager != "apt":
            if _hides_update(command):
                return None
        elif (
            install.action == "update"
            or install.command.has("--update")
            or not all(package.known for package in install.packages)
        ):
            return None
        elif install.action == "install":
            named = [one for one in install.packages if not one.url and not one.name.endswith(".deb")]
            return install if named and not command.inside else None
    return None


def _stale(stage: Stage, start: int) -> Iterator[int]:
    """Steps from there that install without an update of their own, up to one that updates."""
    for number in range(start, len(stage.steps)):
        if installs_of(stage.steps[number], "apt", "update"):
            return
        if _stale_install(stage.steps[number]):
            yield number


def _alone(stage: Stage, number: int, first: int | None) -> Hit:
    step = stage.steps[number]
    update = installs_of(step, "apt", "update")[0]
    behind = "" if first is None else "; a later RUN installs from them"
    edits = () if first is None else _joined(stage, number, first)
    return Hit(
        span=update.command.span,
        message=f"{update.tool} update stands in a RUN of its own{behind}",
        fix=Fix(what="join the update to the install", edits=edits) if edits else None,
    )


def _joined(stage: Stage, number: int, first: int) -> tuple[Edit, ...]:
    """Move the update's text to the front of the install, where nothing that runs stands between and both are plain."""
    step, install = stage.steps[number], stage.steps[first]
    text = step.instruction.body.text.strip()
    source = step.instruction.body.source
    one_line = "\n" not in source.text[slice(*step.span)] and not step.instruction.heredocs
    ends = step.commands[-1].span[1] == step.instruction.body.offset(len(step.instruction.body.text.rstrip()) - 1) + 1
    if not one_line or not ends or step.flags or install.flags or step.onbuild or step.user != install.user:
        return ()
    if any(between.keyword in ("RUN", "USER", "SHELL") for between in stage.steps[number + 1 : first]):
        return ()
    moved = prepended(install, text)
    start, end = step.span
    line_end = source.text.find("\n", end)
    return (Edit(start, line_end + 1, ""), *moved) if moved and line_end >= 0 and not source.text[end:line_end].strip() else ()


def _without_update(step: Step, install: Install, *, gone: bool) -> Hit:
    tool = "apt" if install.tool == "apt" else "apt-get"
    which = "finds no package: an earlier RUN removed the lists" if gone else "takes lists of an earlier layer, if any"
    edits = prepended(step, f"{sudo(install)}{tool} update")
    return Hit(
        span=install.command.span,
        message=f"{install.tool} install without an update in the same RUN {which}",
        fix=Fix(what="update first", edits=edits) if edits else None,
    )


APT_NO_Y = Rule(
    key="apt-no-y",
    severity="error",
    title="A package manager asks, and nobody answers",
    why="A build has no terminal: the question whether to continue is answered by an end of file, and the build fails.",
    remedy="Write `apt-get install -y`",
    source="https://manpages.debian.org/bookworm/apt/apt-get.8.en.html",
    fix="automatic",
)


@APT_NO_Y.check(Dockerfile)
def asks(dockerfile: Dockerfile) -> Iterator[Hit]:
    """install and upgrade without -y, or what means the same."""
    for stage in dockerfile.stages:
        said = any(_ASSUMES_YES.search(_configures(step)) for one in stage.lineage for step in one.steps)
        for step in () if said else stage.steps:
            found = [one for one in step.installs if step.keyword == "RUN" and _asks(one)]
            if found:
                spots = [verb_span(one) for one in found if in_place(step, verb_span(one))]
                yield Hit(
                    span=found[0].command.span,
                    message=f"{found[0].tool} {found[0].action} without -y waits for an answer",
                    remedy=f"Write `{found[0].tool} {found[0].action} -y`",
                    fix=Fix(what="add -y", edits=after_word("-y", spots)) if spots else None,
                )


def _configures(step: Step) -> str:
    """The text of steps that write files; those of apt-get's own commands say something of themselves alone."""
    return "" if step.installs and not re.search(r"conf\b", text_of(step)) else text_of(step)


def _asks(install: Install) -> bool:
    command = install.command
    managed = install.manager == "apt" or install.tool in ("yum", "dnf", "dnf5")
    if not managed or install.action not in ("install", "upgrade", "build-dep", "group"):
        return False
    if command.before == "|" or any(one.operator.endswith("<") or "<<<" in one.operator for one in command.redirects):
        return False
    if command.has("-y", "--yes", "-s", "--simulate", "--dry-run", "--just-print", "--print-uris", "--trivial-only"):
        return False
    texts = [word.text for word in command.arguments]
    if any(_ASSUMES_YES.search(text) for text in texts) or not all(word.known for word in command.words[:2]):
        return False
    return not (install.manager == "apt" and _quiet(texts) >= 2) and bool(install.packages or install.action != "install")


def _quiet(texts: list[str]) -> int:
    """How often -q is said; twice implies -y (apt-get(8), --quiet)."""
    named = [re.fullmatch(r"(?:-q|--quiet)=(\d+)", text) for text in texts]
    return sum(int(one[1]) for one in named if one) + sum(
        text.count("q") if re.fullmatch(r"-[a-zA-Z]+", text) else text == "--quiet" for text in texts
    )


APT_MISSING_PKG = Rule(
    key="apt-missing-pkg",
    severity="error",
    title="A package that this release does not have",
    why="apt says that it has no installation candidate, and the build fails.",
    remedy="Name the package that this release has",
    source="https://packages.debian.org/ and https://packages.ubuntu.com/",
    fix="automatic",
    dated="apt_renamed.toml",
)


@APT_MISSING_PKG.check(Dockerfile)
def missing(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Packages that were renamed or dropped before the release of the base."""
    for stage in dockerfile.stages:
        release = stage.facts.release
        if stage.facts.distribution not in ("debian", "ubuntu") or not release:
            continue
        others = any(_OTHER_SOURCES.search(text_of(step)) for step in stage.all_steps)
        for step in stage.steps:
            if hit := _missing_in(step, release, others=others):
                yield hit


def _missing_in(step: Step, release: str, *, others: bool) -> Hit | None:
    """`others`: packages may come from somewhere else than the distribution; then only plain renames are certain."""
    found = []
    for install in installs_of(step, "apt", "install"):
        if "||" in (install.command.before, install.command.after):
            continue
        for package in install.packages:
            entry = table(APT_MISSING_PKG.dated).get(package.name, {}) if package.known and not package.url else {}
            if release in entry.get("gone", ()) and (entry.get("same") or not others):
                found.append((package, entry))
    if not found:
        return None
    edits = tuple(
        Edit(package.span[0], package.span[1], str(entry["instead"]))
        for package, entry in found
        if entry.get("same")
        and not package.specifier
        and step.instruction.body.source.text[slice(*package.span)] == package.name
    )
    names = listed([package.name for package, _ in found])
    instead = [f"{entry['instead']} instead of {package.name}" for package, entry in found if entry.get("instead")]
    return Hit(
        span=found[0][0].span,
        message=f"{step.stage.facts.distribution.title()} {release} has no package {names}",
        remedy=f"Name {listed(instead)}" if instead else "Leave it out, or get it from where its makers publish it",
        fix=Fix(what="name what the release has", edits=edits) if edits else None,
    )
