"""The order of layers, and what the whole context brings into one."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.lint.context.copying import from_context, whole_copy
from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.finding import Fix, Hit
from shipwheel.lint.packages.reinstalls import moved, reinstalls
from shipwheel.lint.rule import Rule
from shipwheel.lint.wording import called, listed

COPY_BEFORE_INSTALL = Rule(
    key="copy-before-install",
    severity="warning",
    title="Code is copied before what it requires is installed",
    why="Every change of a line of code installs everything again, because a layer is cached only while those below it are.",
    remedy="Copy the requirements, install them, and copy the code last",
    source="https://docs.docker.com/build/cache/optimize/#order-your-layers",
    fix="automatic",
)


@COPY_BEFORE_INSTALL.check(Dockerfile)
def code_first(dockerfile: Dockerfile) -> Iterator[Hit]:
    """One for each stage: the first COPY of code with installs behind it that do not need it."""
    for stage in dockerfile.stages:
        for found in reinstalls(dockerfile.context, stage.steps):
            copy = found.steps[found.number]
            edits = moved(found)
            names = listed([called(install) for _, install in found.installs])
            yield Hit(
                span=copy.span,
                message=f"{_said(copy)} comes before {names}: each change of a file there installs again",
                fix=Fix(what="copy it behind the installs", edits=edits) if edits else None,
            )


def _said(step: Step) -> str:
    return f"{step.keyword} {listed([word.text for word in from_context(step)])}"


WHOLE_CONTEXT_COPIED = Rule(
    key="whole-context-copied",
    severity="warning",
    title="The whole context is copied, and no ignore file leaves anything out",
    why="What lies in the folder gets in: .git, virtual environments, data, keys; and each change there makes the layer anew.",
    remedy="Add a .dockerignore with .git, .venv, **/__pycache__, .env and your data, or copy only what the image needs",
    source="https://docs.docker.com/build/concepts/context/#dockerignore-files",
)


@WHOLE_CONTEXT_COPIED.check(Dockerfile)
def everything(dockerfile: Dockerfile) -> Iterator[Hit]:
    """COPY . without an ignore file that says something; what one with patterns lets in is told there."""
    ignore = dockerfile.context.ignore
    if ignore is not None and ignore.patterns:
        return
    there = "there is no ignore file" if ignore is None else "the ignore file is empty"
    for step in dockerfile.steps("COPY", "ADD"):
        if whole_copy(step):
            yield Hit(span=step.span, message=f"{_said(step)} takes the whole context, and {there}")
