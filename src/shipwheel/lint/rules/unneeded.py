"""Tools for developers in the image that is shipped, and stages that nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.context.running import FOR_DEVELOPERS, SYSTEM, for_running, removed, tools
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.development import for_development
from shipwheel.lint.packages.python import Added, packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.start import start_of
from shipwheel.lint.source import Span
from shipwheel.lint.wording import listed

DEV_TOOLS_FINAL = Rule(
    key="dev-tools-final",
    severity="info",
    title="Editors, test runners or notebooks in the image that is shipped",
    why="What no request needs makes the image larger, and each package is one more to patch.",
    remedy="Keep them in requirements or a stage of their own for development",
    source="https://docs.docker.com/build/building/best-practices/#dont-install-unnecessary-packages",
)

STAGE_DEAD = Rule(
    key="stage-dead",
    severity="info",
    title="A stage that nothing uses",
    why="BuildKit does not build it, so that what it is meant to do, a test or a download, does not happen.",
    remedy="Remove it, or copy from it; or say what builds it: # shipwheel: ignore=stage-dead built with --target",
    source="https://docs.docker.com/build/building/multi-stage/#differences-between-legacy-builder-and-buildkit",
    fix="none",
)

_QUOTED = re.compile(r'"([^"\n]*)"')
_VARIABLE = re.compile(r"\$(?:\{[^}]*\}|\w+)")


@DEV_TOOLS_FINAL.check(Dockerfile)
def _dev_tools(dockerfile: Dockerfile) -> Iterator[Hit]:
    told: set[Span] = set()
    for stage in for_running(dockerfile):
        start = start_of(dockerfile, stage)
        serves = start is not None and start.server is not None
        unwanted = tools("develop", "python") | (tools("develop", "notebooks") if serves else frozenset())
        if start is not None and start.program in unwanted:
            continue
        for span, names in [*_dev_programs(stage), *_dev_packages(stage, unwanted)]:
            if span not in told:
                told.add(span)
                syncs = dockerfile.source.text[slice(*span)].startswith("uv sync")
                remedy = "Write uv sync --no-dev, or set UV_NO_DEV=1" if syncs else ""
                yield Hit(span=span, message=f"{listed(names)}: not needed to run the application", remedy=remedy)


def _dev_programs(stage: Stage) -> Iterator[tuple[Span, list[str]]]:
    for step in stage.all_steps:
        gone = removed(step) if step.installs else frozenset[str]()
        for install in step.installs:
            if install.manager in SYSTEM and install.action == "install" and "*" not in gone:
                found = [one for one in install.packages if one.name in tools("develop", "programs") and one.name not in gone]
                if found:
                    yield found[0].span, [one.name for one in found]


def _dev_packages(stage: Stage, unwanted: frozenset[str]) -> Iterator[tuple[Span, list[str]]]:
    """Python packages by the command or the file that asks for them."""
    by_place: dict[Span, list[str]] = {}
    for name, added in packages_of(stage).by_name.items():
        if name in unwanted and (not added.file.endswith(".lock") or for_development(added)):
            by_place.setdefault(_place(added), []).append(name)
    for span, names in by_place.items():
        yield span, sorted(names)


def _place(added: Added) -> Span:
    """Where the Dockerfile asks for a package: its command, or the file that names it."""
    installs = [install for install in added.step.installs if install.manager not in SYSTEM]
    if added.file:
        words = [word for install in installs for word in install.files]
        named = next((word for word in words if word.text.rpartition("/")[2] == added.file.rpartition("/")[2]), None)
        return named.span if named else installs[0].command.span if installs else added.step.span
    asked = next((install for install in installs if added.requested in install.packages), None)
    return asked.command.span if asked else added.requested.span


@STAGE_DEAD.check(Dockerfile)
def _dead(dockerfile: Dockerfile) -> Iterator[Hit]:
    shipped = {stage.index for stage in dockerfile.shipped}
    unused = [stage for stage in dockerfile.stages if not dockerfile.used(stage) and stage.index not in shipped]
    patterns, targets = (_chosen_late(dockerfile), _targets(dockerfile)) if unused else ([], frozenset[str]())
    for stage in unused:
        # a stage on scratch is made for `--output`: files alone
        if FOR_DEVELOPERS.search(stage.name) or stage.base.text == "scratch" or stage.name in targets:
            continue
        if not (stage.name and any(pattern.fullmatch(stage.name) for pattern in patterns)):
            yield Hit(span=stage.span, message=f"no stage uses {stage.name or 'this one'}, so that BuildKit leaves it out")


def _chosen_late(dockerfile: Dockerfile) -> list[re.Pattern[str]]:
    """What a FROM or --from with a variable may name in another build: `FROM base-$TARGETARCH`."""
    named = [word.text for other in dockerfile.stages for word in other.instruction.words[:1]]
    named += [flag.value for step in dockerfile.steps("COPY", "ADD", "RUN") for flag in step.flags]
    found = dict.fromkeys(tuple(_VARIABLE.split(text.rpartition("from=")[2].partition(",")[0])) for text in named)
    return [re.compile(".*".join(map(re.escape, parts)), re.IGNORECASE) for parts in found if len(parts) > 1]


def _targets(dockerfile: Dockerfile) -> frozenset[str]:
    """What a script or a bake file of the project may build with `--target`."""
    scripts = dockerfile.context.workspace.all(Script)
    texts = {word.text.removeprefix("--target=") for script in scripts for one in script.commands for word in one.words}
    bake = dockerfile.context.read("docker-bake.hcl")
    return frozenset(texts.union(_QUOTED.findall(bake.text) if bake else ()))
