"""Packages of the distribution: lists that stay in layers, stale lists, questions that nobody answers, names that are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.chains import after_word, appended, in_place, prepended, text_of
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.installs import Install
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Span
from shipwheel.lint.tables import table
from shipwheel.lint.wording import listed

BEST_PRACTICES = "https://docs.docker.com/build/building/best-practices/#apt-get"

_LISTS = re.compile(r"apt/lists|/var/lib/apt\b|/var/lib/\{|/var/lib/\*")
_CLEANER = re.compile(r"clean", re.IGNORECASE)
_ASSUMES_YES = re.compile(r"assume-?yes|assumeyes|force-?yes", re.IGNORECASE)
_NO_RECOMMENDS = re.compile(r"Install-Recommends\W+(?:false|0|no)\b", re.IGNORECASE)
_OTHER_SOURCES = re.compile(r"sources\.list|add-apt-repository|apt-add-repository|dpkg -i|\.deb\b")
_RUNS_UPDATE = frozenset(("bash", "sh", "source", ".", "add-apt-repository", "apt-add-repository"))
"""Programs behind which an update may hide."""

_HARMLESS = frozenset(
    ("apt-get", "apt", "apt-cache", "rm", "echo", "set", "export", "sed", "mkdir", "cp", "mv", "ln", "cat", "tee", "true", "")
)
"""Programs that need no package lists; with apt's other actions beside update."""


def _of(step: Step, manager: str, *actions: str) -> list[Install]:
    return [one for one in step.installs if one.manager == manager and (not actions or one.action in actions)]


def _kept_runs(dockerfile: Dockerfile) -> Iterator[Step]:
    """RUNs whose layers end up in an image that is shipped."""
    return (step for stage in dockerfile.kept for step in stage.steps if step.keyword == "RUN")


def _mounted(step: Step, *targets: str) -> bool:
    """Whether one of these folders, or one above it, is a mount that no layer keeps."""
    found = [mount.options.get("target", "").rstrip("/") for mount in step.mounts if mount.type in ("cache", "tmpfs")]
    return any(target == path or target.startswith(f"{path}/") for target in targets for path in found if path)


def _sudo(install: Install) -> str:
    return "sudo " if any(word.text == "sudo" for word in install.command.wrappers) else ""


def _action(install: Install) -> Span:
    """The place of the subcommand, such as install."""
    names = {"install": ("install", "add", "reinstall", "localinstall"), "group": ("groupinstall",)}.get(install.action, ())
    word = next((one for one in install.command.arguments if one.text in names), None)
    return (word or install.command.words[-1]).span if install.action in ("install", "group") else _verb(install)


def _verb(install: Install) -> Span:
    """The first argument that is no option."""
    return next((one.span for one in install.command.arguments if not one.text.startswith("-")), install.command.span)


APT_CACHE = Rule(
    key="apt-cache",
    severity="warning",
    title="Package lists and package caches stay in the layer",
    why="The lists are stale by the time somebody uses them, and every pull of the image pays for them.",
    remedy="End the same RUN with `&& rm -rf /var/lib/apt/lists/*`.",
    source=BEST_PRACTICES,
    fix="automatic",
)


@APT_CACHE.check(Dockerfile)
def caches_stay(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get update without rm of the lists; apk without --no-cache; dnf and yum without clean all."""
    for step in _kept_runs(dockerfile):
        if not step.installs:
            continue
        yield from _apt_lists(step)
        yield from _apk_index(step)
        yield from _dnf_cache(step)


def _apt_lists(step: Step) -> Iterator[Hit]:
    updates = _of(step, "apt", "update")
    if not updates or _mounted(step, "/var/lib/apt/lists") or _lists_removed(step, updates[-1]):
        return
    edits = appended(step, f"{_sudo(updates[-1])}rm -rf /var/lib/apt/lists/*")
    yield Hit(
        span=updates[0].command.span,
        message=f"the package lists that {updates[0].tool} update fetches stay in the layer",
        fix=Fix(what="remove the lists at the end of the RUN", edits=edits) if edits else None,
    )


def _lists_removed(step: Step, update: Install) -> bool:
    """Whether something behind the last update removes them, or is a script that says it cleans."""
    for command in step.commands:
        if command.span[0] <= update.command.span[0]:
            continue
        texts = [word.text for word in command.words]
        if command.program in ("rm", "find") and any(_LISTS.search(text) for text in texts):
            return True
        if command.program in ("apt-get", "apt") and {"distclean", "dist-clean"} & set(texts):
            return True
        if texts and _CLEANER.search(texts[0]):
            return True
    return False


def _apk_index(step: Step) -> Iterator[Hit]:
    adds = [
        one
        for one in _of(step, "apk", "install")
        if not one.command.has("--no-cache") and one.option("--cache-dir") is None and one.option("--root", "-p") is None
    ]
    if not adds or _mounted(step, "/var/cache/apk", "/etc/apk/cache") or re.search(r"/var/cache/(?:apk|\*)", text_of(step)):
        return
    if _of(step, "apk", "update"):
        edits = appended(step, f"{_sudo(adds[0])}rm -rf /var/cache/apk/*")
    else:
        edits = after_word("--no-cache", [_action(one) for one in adds if in_place(step, _action(one))])
    yield Hit(
        span=adds[0].command.span,
        message="apk add keeps its index in the layer",
        remedy="Write `apk add --no-cache`.",
        fix=Fix(what="keep no index", edits=edits) if edits else None,
    )


def _dnf_cache(step: Step) -> Iterator[Hit]:
    installs = [one for one in _of(step, "dnf", "install", "group", "upgrade") if one.option("--installroot") is None]
    text = text_of(step)
    if not installs or re.search(r"\bclean\b|/var/cache/(?:dnf|yum|\*|tdnf)", text):
        return
    if _mounted(step, "/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5"):
        return
    tool = installs[-1].tool
    edits = appended(step, f"{_sudo(installs[-1])}{tool} clean all")
    yield Hit(
        span=installs[0].command.span,
        message=f"{tool} keeps its metadata and packages in the layer",
        remedy=f"End the same RUN with `&& {tool} clean all`.",
        fix=Fix(what=f"end with {tool} clean all", edits=edits) if edits else None,
    )


APT_NO_RECOMMENDS = Rule(
    key="apt-no-recommends",
    severity="info",
    title="apt installs recommended packages too",
    why="What is recommended is often more than what was asked for, and each of it has to be updated and scanned.",
    remedy="Write `apt-get install --no-install-recommends`, and name what you do need of the recommended packages.",
    source=BEST_PRACTICES,
)


@APT_NO_RECOMMENDS.check(Dockerfile)
def recommends(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get install without --no-install-recommends, where no configuration says the same."""
    for stage in dockerfile.kept:
        said = any(_NO_RECOMMENDS.search(text_of(step)) for one in stage.lineage for step in one.steps)
        for step in () if said else stage.steps:
            found = [
                one
                for one in _of(step, "apt", "install")
                if one.packages and one.tool != "aptitude" and not one.command.has("--no-install-recommends")
            ]
            if found:
                names = listed([package.name or package.url for package in found[0].packages])
                message = f"{found[0].tool} installs {names} with everything that they recommend"
                yield Hit(span=found[0].command.span, message=message)


APT_UPDATE_ALONE = Rule(
    key="apt-update-alone",
    severity="warning",
    title="apt-get update and apt-get install stand in different layers",
    why="The layer with the lists is cached, so that a later install asks for versions that the mirror has deleted.",
    remedy="Write `apt-get update && apt-get install` in one RUN.",
    source=BEST_PRACTICES,
    fix="automatic",
)


@APT_UPDATE_ALONE.check(Dockerfile)
def update_alone(dockerfile: Dockerfile) -> Iterator[Hit]:
    """A RUN that only updates, and one that installs from lists of an earlier layer."""
    for stage in dockerfile.stages:
        covered = False
        for number, step in enumerate(stage.steps):
            if _only_updates(step):
                first = next(_stale(stage, number + 1), None)
                covered = covered or first is not None
                yield _alone(stage, number, first)
            elif (stale := _stale_install(step)) and not covered:
                yield _without_update(step, stale)


def _only_updates(step: Step) -> bool:
    """Whether a RUN fetches lists and does nothing that needs them."""
    if step.keyword != "RUN" or not _of(step, "apt", "update") or _mounted(step, "/var/lib/apt/lists"):
        return False
    if {one.action for one in step.installs} != {"update"} or _lists_removed(step, _of(step, "apt", "update")[-1]):
        return False
    return all(command.program in _HARMLESS and not command.inside for command in step.commands)


def _stale_install(step: Step) -> Install | None:
    """The first install of a RUN before which no update stands, nor anything that may hide one."""
    if step.keyword != "RUN" or _mounted(step, "/var/lib/apt/lists"):
        return None
    for command in step.commands:
        install = next((one for one in step.installs if one.command is command), None)
        if install is None or install.manager != "apt":
            if command.program in _RUNS_UPDATE or (command.words and "/" in command.words[0].text.lstrip("/")):
                return None
        elif install.action == "update" or not all(package.known for package in install.packages):
            return None
        elif install.action == "install":
            named = [one for one in install.packages if not one.url and not one.name.endswith(".deb")]
            return install if named and not command.inside else None
    return None


def _stale(stage: Stage, start: int) -> Iterator[int]:
    """Steps from there that install without an update of their own, up to one that updates."""
    for number in range(start, len(stage.steps)):
        if _of(stage.steps[number], "apt", "update"):
            return
        if _stale_install(stage.steps[number]):
            yield number


def _alone(stage: Stage, number: int, first: int | None) -> Hit:
    step = stage.steps[number]
    update = _of(step, "apt", "update")[0]
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


def _without_update(step: Step, install: Install) -> Hit:
    tool = "apt" if install.tool == "apt" else "apt-get"
    edits = prepended(step, f"{_sudo(install)}{tool} update")
    return Hit(
        span=install.command.span,
        message=f"{install.tool} install without an update in the same RUN takes lists of an earlier layer, if any",
        fix=Fix(what="update first", edits=edits) if edits else None,
    )


APT_NO_Y = Rule(
    key="apt-no-y",
    severity="error",
    title="A package manager asks, and nobody answers",
    why="A build has no terminal: the question whether to continue is answered by an end of file, and the build fails.",
    remedy="Write `apt-get install -y`.",
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
                spots = [_verb(one) for one in found if in_place(step, _verb(one))]
                yield Hit(
                    span=found[0].command.span,
                    message=f"{found[0].tool} {found[0].action} without -y waits for an answer",
                    remedy=f"Write `{found[0].tool} {found[0].action} -y`.",
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


APT_UPGRADE = Rule(
    key="apt-upgrade",
    severity="info",
    title="A build upgrades the packages of its base",
    why="What comes out depends on the day of the build, and every upgraded file lies in the image twice.",
    remedy="Take a newer tag or digest of the base, and rebuild often.",
    source="https://docs.docker.com/build/building/best-practices/#rebuild-your-images-often",
)


@APT_UPGRADE.check(Dockerfile)
def upgrades(dockerfile: Dockerfile) -> Iterator[Hit]:
    """apt-get upgrade and its kin without names of packages."""
    for step in _kept_runs(dockerfile):
        for install in step.installs:
            if install.manager in ("apt", "apk", "dnf") and install.action == "upgrade" and not install.packages:
                yield Hit(span=install.command.span, message=f"{install.tool} upgrades all packages of the base")
                break


APT_MISSING_PKG = Rule(
    key="apt-missing-pkg",
    severity="error",
    title="A package that this release does not have",
    why="apt says that it has no installation candidate, and the build fails.",
    remedy="Name the package that this release has.",
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
    for install in _of(step, "apt", "install"):
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
