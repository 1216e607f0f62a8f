"""Dockerfiles that cannot be built."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.inline import broken_continuation, inline_comment
from shipwheel.lint.dockerfile.instructions import Parsed
from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.names import ImageFacts, facts_of, parse_image
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Source, Span
from shipwheel.lint.word import Word
from shipwheel.lint.wording import closest

SYNTAX = Rule(
    key="syntax",
    severity="error",
    title="The builder refuses the Dockerfile",
    why="The build stops before its first step.",
    remedy="Write the instruction as the Dockerfile reference gives it",
    source="https://docs.docker.com/reference/dockerfile/",
    fix="none",
)

_TEMPLATE = re.compile(r"(?m)^[ \t]*(?:\{\{|\{%|\{#)|^FROM\b[^\n]*\{\{")
_TEMPLATE_NAME = re.compile(r"\.(?:j2|jinja2?|tmpl|tpl|template|mustache|erb|in|m4)\b")


@SYNTAX.check(Dockerfile)
def refused(dockerfile: Dockerfile) -> Iterator[Hit]:
    """What the parser and the order of stages forbid; templates are no Dockerfiles yet."""
    if _is_template(dockerfile.source):
        return
    hidden = tuple(_commented(dockerfile.parsed))
    for fault in dockerfile.parsed.faults:
        if not any(start <= fault.span[0] < end for start, end in hidden):
            yield Hit(span=fault.span, message=fault.message)


def _commented(parsed: Parsed) -> Iterator[Span]:
    """Instructions with a comment where there is none, and the line below a broken continuation: another rule says it."""
    instructions = parsed.instructions
    for number, instruction in enumerate(instructions):
        if inline_comment(instruction):
            yield instruction.span
        elif broken_continuation(instruction, parsed.escape) and number + 1 < len(instructions):
            yield instructions[number + 1].span


@SYNTAX.check(Dockerfile)
def misspelt_stage(dockerfile: Dockerfile) -> Iterator[Hit]:
    """`--from=biulder`: no stage, no image that is known, and nearly the name of a stage."""
    names = [stage.name for stage in dockerfile.stages if stage.name]
    for step in dockerfile.steps("COPY"):
        flag = step.instruction.flag("from")
        if flag and (meant := _meant(flag.value, names)):
            yield Hit(span=flag.value_span, message=f"there is no stage {flag.value}; did you mean {meant}?")
    for stage in dockerfile.stages:
        base: Word = stage.base
        if stage.parent is None and base.known and (meant := _meant(base.text, names[: stage.index])):
            yield Hit(span=base.span, message=f"there is no stage {base.text}; did you mean {meant}?")


def _meant(name: str, names: list[str]) -> str:
    """The stage that was meant; "" for a stage, for what may be an image or a build context, and where none is near."""
    lower = name.lower()
    if lower in names or not re.fullmatch(r"[a-z][a-z0-9_-]{3,}", lower) or facts_of(parse_image(lower)) != ImageFacts():
        return ""
    meant = closest(lower, names, 0.8)
    return meant if meant and abs(len(meant) - len(lower)) <= 2 and meant[0] == lower[0] else ""


def _is_template(source: Source) -> bool:
    return bool(_TEMPLATE.search(source.text) or _TEMPLATE_NAME.search(source.name.rsplit("/", 1)[-1]))
