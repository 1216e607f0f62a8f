"""Architectures: laptops are arm64, servers amd64."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.word import Word

ARCH_MISMATCH = Rule(
    key="arch-mismatch",
    severity="warning",
    title="Files or an image of another architecture than the one that is built for",
    why="Programs of the wrong architecture end with `exec format error`; servers do not emulate another one.",
    remedy="Leave --platform to the command line, and put $TARGETARCH into the names of what you download",
    source="https://docs.docker.com/reference/build-checks/from-platform-flag-const-disallowed/",
)

_AMD64 = re.compile(r"(?:^|[-_./])(?:x86_64|x86-64|amd64|x64)(?:$|[-_./])", re.IGNORECASE)
_ARM64 = re.compile(r"(?:^|[-_./])(?:aarch64|arm64(?:v8)?)(?:$|[-_./])", re.IGNORECASE)
_ASKS = re.compile(r"TARGETARCH|TARGETPLATFORM|BUILDARCH|BUILDPLATFORM|uname\s+-m|print-architecture|\barch\b")
_ARM_ONLY = re.compile(r"arm|aarch|jetson|l4t|graviton|raspberry|rpi|tegra|orin|grace|gh200|m1|apple", re.IGNORECASE)
_REFUSES = re.compile(r"\b(?:aarch64|arm64)[\"']?\s*\)\s*(?:echo\b[^;]*;\s*)?exit\s+[1-9]")
"""A branch for arm64 that ends the build."""
_ENVIRONMENT = re.compile(r"venv|site-packages|/usr/local(?:/lib)?/?$|/opt/conda|\.local|^/install")
_FETCHERS = frozenset(("curl", "wget", "aria2c", "pip", "pip3", "uv", "apt-get", "dpkg"))


@ARCH_MISMATCH.check(Dockerfile)
def _architectures(dockerfile: Dockerfile) -> Iterator[Hit]:
    many = _for_many(dockerfile)
    for stage in dockerfile.stages:
        yield from _platform(dockerfile, stage, many)
        yield from _of_builder(dockerfile, stage)
        wanted = _architecture(stage)
        for step in stage.steps:
            yield from _downloads(step, wanted, many)


def _for_many(dockerfile: Dockerfile) -> bool:
    """Whether the file is meant for more than one architecture: it asks for the one that is built for, and refuses none."""
    if _REFUSES.search(dockerfile.source.text):
        return False
    arguments = (name.text for step in dockerfile.steps("ARG") for name, _ in step.instruction.pairs)
    asked = any(name in ("TARGETARCH", "TARGETPLATFORM") for name in arguments)
    return asked or any("$" in stage.platform or "BUILDPLATFORM" in _flag(stage) for stage in dockerfile.stages)


def _flag(stage: Stage) -> str:
    flag = stage.instruction.flag("platform")
    return flag.value if flag else ""


def _architecture(stage: Stage) -> str:
    """amd64 or arm64 where FROM, here or below, says so; "" for what is built for."""
    root = stage.lineage[0]
    text = f"{root.platform}/" if root.platform else f"/{(root.image.repository if root.image else '').partition('/')[0]}/"
    return "arm64" if _ARM64.search(text) else "amd64" if _AMD64.search(text) else ""


def _platform(dockerfile: Dockerfile, stage: Stage, many: bool) -> Iterator[Hit]:
    """A constant --platform in a stage that is shipped: arm64 always, amd64 in a file for many."""
    flag = stage.instruction.flag("platform")
    if flag is None or "$" in flag.value or stage not in dockerfile.kept:
        return
    named = f"{dockerfile.source.name} {stage.name} {stage.image}"
    if _ARM64.search(flag.value) and not _ARM_ONLY.search(named):
        message = "the image is for arm64 only, and ends with `exec format error` on servers that are amd64"
        yield Hit(span=flag.span, message=message)
    elif many and _AMD64.search(flag.value) and not _AMD64.search(f"{stage.name}/"):
        yield Hit(span=flag.span, message="the image is for amd64 only, although the file asks for which it is built")


def _of_builder(dockerfile: Dockerfile, stage: Stage) -> Iterator[Hit]:
    """What is made for the machine that builds, in an image for another: the stage itself, or its Python packages.

    A stage upon another one is of that one's platform, whatever its flag says.
    """
    flag = stage.instruction.flag("platform")
    if flag is None or "BUILDPLATFORM" not in flag.value or len(stage.lineage) > 1:
        return
    if stage in dockerfile.kept:
        message = "the image holds programs for the machine that builds it, whatever it is built for"
        yield Hit(span=flag.span, message=message, remedy="Leave --platform=$BUILDPLATFORM to stages that cross-compile")
    elif packages_of(stage).by_name:
        for step in _environments(dockerfile, stage):
            message = f"the Python packages of {stage.name or 'that stage'} are for the machine that builds"
            yield Hit(span=step.span, message=message, remedy="Install Python packages in stages without --platform")


def _environments(dockerfile: Dockerfile, stage: Stage) -> Iterator[Step]:
    """Copies of Python environments of a stage into images that are shipped."""
    for step in (step for kept in dockerfile.kept for step in kept.steps if step.copies_from):
        if dockerfile.stage(step.copies_from) is stage and any(_ENVIRONMENT.search(word.text) for word in step.sources):
            yield step


def _downloads(step: Step, wanted: str, many: bool) -> Iterator[Hit]:
    """Artefacts of a constant architecture where another one, or any, is built for."""
    if step.keyword not in ("RUN", "ADD") or (not wanted and not many) or _ASKS.search(_text(step)):
        return
    for word in _fetched(step):
        name = word.text.partition("?")[0]
        there = "amd64" if _AMD64.search(name) else "arm64" if _ARM64.search(name) else ""
        if there and there != wanted and not (_AMD64.search(name) and _ARM64.search(name)):
            stage = f"the stage is for {wanted}" if wanted else "the file for every architecture"
            yield Hit(span=word.span, message=f"{name.rpartition('/')[2] or name} is for {there}, {stage}")


def _text(step: Step) -> str:
    return step.stage.dockerfile.source.text[slice(*step.span)] if step.stage.dockerfile else ""


def _fetched(step: Step) -> Iterator[Word]:
    """Addresses that a step downloads without a condition."""
    if step.keyword == "ADD":
        yield from (word for word in step.sources if "://" in word.text)
        return
    for command in step.commands:
        if command.program in _FETCHERS and not {"then", "else", "case"} & set(command.inside):
            yield from (word for word in command.arguments if "://" in word.text)
