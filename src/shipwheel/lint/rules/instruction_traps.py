"""Instructions that read well and do something else: comments at the end, parents of the context, relative folders."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.inline import broken_continuation, commented_out, inline_comment
from shipwheel.lint.dockerfile.instructions import Instruction
from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Source, Span

INLINE_COMMENT = Rule(
    key="inline-comment",
    severity="error",
    title="A comment behind an instruction is no comment",
    why="# begins a comment only at the start of a line: elsewhere it is an argument, or hides the lines joined to it.",
    remedy="Put the comment on a line of its own above the instruction",
    source="https://docs.docker.com/reference/dockerfile/#format",
    fix="automatic",
)

COPY_PARENT = Rule(
    key="copy-parent",
    severity="warning",
    title="COPY from above the build's context",
    why="The builder strips the leading .. and looks in the context itself, where the file is another one or none.",
    remedy="Build with the folder above as the context, or pass it with --build-context NAME=.. and COPY --from=NAME",
    source="https://docs.docker.com/reference/dockerfile/#copy",
    fix="automatic",
)

RELATIVE_WORKDIR = Rule(
    key="relative-workdir",
    severity="info",
    title="WORKDIR is relative to what the base image has set",
    why="Where it is depends on the base image, and changes with it.",
    remedy="Write an absolute path, such as WORKDIR /app",
    source="https://docs.docker.com/reference/build-checks/workdir-relative-path/",
)

_PARENTS = re.compile(r"/?(?:\.\./+)+|/?(?:\.\./+)*\.\.\Z")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")


@INLINE_COMMENT.check(Dockerfile)
def comments_behind_instructions(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Each instruction with a # where the builder or the shell does not take it for a comment, or for too much of one."""
    for instruction in dockerfile.parsed.instructions:
        if span := inline_comment(instruction):
            yield _behind(instruction, span, dockerfile.source)
        elif span := broken_continuation(instruction, dockerfile.parsed.escape):
            yield _after_continuation(span, dockerfile)
        elif span := commented_out(instruction):
            yield Hit(
                span=span,
                message="the comment hides the lines that are joined to it: all of them are one line to the shell",
                remedy="Put the comment on a line of its own; such lines may stand between continued ones",
            )


def _behind(instruction: Instruction, span: Span, source: Source) -> Hit:
    """The comment moves to a line above, where the instruction is one line."""
    start, end = instruction.span
    text = source.text
    fix = None
    if "\n" not in text[start:end]:
        blank = len(text[start : span[0]].rstrip()) + start
        indent = text[text.rfind("\n", 0, start) + 1 : start]
        above = f"{text[span[0] : end].rstrip()}{source.line_end}{'' if indent.strip() else indent}"
        fix = Fix(what="put the comment above", edits=(Edit(start, start, above), Edit(blank, end, "")))
    what = "turns the JSON form into a shell's line" if text[instruction.body.offset(0)] == "[" else "is taken for arguments"
    return Hit(span=span, message=f"the comment behind {instruction.keyword} {what}", fix=fix)


def _after_continuation(span: Span, dockerfile: Dockerfile) -> Hit:
    source = dockerfile.source
    comment = source.text.index("#", span[0])
    edit = Edit(span[0] + 1, comment, source.line_end)
    return Hit(
        span=span,
        message=f"the {dockerfile.parsed.escape} before the comment is not the end of the line, so the instruction ends here",
        fix=Fix(what="put the comment on a line of its own", edits=(edit,)),
    )


@COPY_PARENT.check(Dockerfile)
def copied_from_above(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Sources of the context that begin with `..`; for other stages, whose root has nothing above it, too."""
    for step in dockerfile.steps("COPY", "ADD"):
        for word in step.sources:
            found = _PARENTS.match(word.text)
            if found:
                place = f"the root of {step.copies_from}" if step.copies_from else "the context"
                inside = word.text[found.end() :] or f"all of {place}"
                yield Hit(
                    span=word.span,
                    message=f"{word.text} is above {place}: {inside} is copied instead",
                    fix=_without_parents(dockerfile.source, word.span),
                )
                break


def _without_parents(source: Source, span: Span) -> Fix | None:
    raw = source.text[span[0] : span[1]]
    quote = raw[:1] if raw[:1] in ("'", '"') else ""
    found = _PARENTS.match(raw.removeprefix(quote).removesuffix(quote))
    if not found:
        return None
    start = span[0] + len(quote)
    left = "" if found[0].endswith("/") and len(raw) - 2 * len(quote) > found.end() else "."
    return Fix(what="take the .. out, as the builder does", edits=(Edit(start, start + found.end(), left),))


@RELATIVE_WORKDIR.check(Dockerfile)
def relative_workdir(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Relative, and no WORKDIR before it is absolute."""
    for step in dockerfile.steps("WORKDIR"):
        word = next(iter(step.words), None)
        if word and word.known and not step.workdir.startswith("/") and not _ABSOLUTE.match(word.text.strip("\"'")):
            yield Hit(span=word.span, message=f"WORKDIR {word.text} is relative, and no absolute one stands before it")
