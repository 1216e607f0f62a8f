"""Comments where there are none: behind an instruction, behind a continuation, before joined lines."""

from __future__ import annotations

import re
from itertools import islice

from shipwheel.lint.dockerfile.instructions import Instruction
from shipwheel.lint.source import Span

_WORDS = frozenset({"ADD", "ARG", "COPY", "ENV", "EXPOSE", "FROM", "LABEL", "VOLUME"})
_WHOLE = frozenset({"STOPSIGNAL", "USER", "WORKDIR"})
_EXEC = frozenset({"CMD", "ENTRYPOINT", "RUN", "SHELL", "HEALTHCHECK"})
_TRIED = 100
"""How many # of an instruction are looked at."""
_COMMENT = re.compile(r"(?<!\S)#")
_QUOTED = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_BROKEN = {escape: re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]+#") for escape in ("\\", "`")}
_BEHIND = re.compile(r"[ \t]#")
_BEHIND_ARRAY = re.compile(r"\[[^#]*\"[ \t]*\][ \t]*(#)")


def inline_comment(instruction: Instruction) -> Span | None:
    """The place of a comment at the end of an instruction that has none there; RUN in shell form has."""
    body = instruction.body.text
    if "#" not in body:
        return None
    if instruction.keyword in _EXEC:
        found = None if instruction.json else _BEHIND_ARRAY.match(body)
        return instruction.body.span(found.start(1), len(body)) if found else None
    if instruction.keyword in _WHOLE:
        found = _BEHIND.search(body)
        return instruction.body.span(found.start() + 1, len(body)) if found else None
    if instruction.keyword not in _WORDS or instruction.json:
        return None
    return _from_word(instruction)


def _from_word(instruction: Instruction) -> Span | None:
    body = instruction.body
    if instruction.keyword == "VOLUME" and (array := _BEHIND_ARRAY.match(body.text)):
        return body.span(array.start(1), len(body.text))
    if instruction.keyword in ("ENV", "LABEL") and instruction.words and "=" not in instruction.words[0].text:
        value = instruction.words[-1]
        found = None if value.quoted else _BEHIND.search(value.text)
        return body.span(len(body.text) - len(value.text) + found.start() + 1, len(body.text)) if found else None
    for word in instruction.words[1:]:
        if word.text.startswith("#"):
            return word.span[0], body.offset(len(body.text))
    return None


def broken_continuation(instruction: Instruction, escape: str) -> Span | None:
    """`\\ # comment` at the end of the last line: the escape character, the blanks and the comment."""
    start, end = instruction.span
    text = instruction.body.source.text
    line = text.rfind("\n", start, end) + 1 or start
    if instruction.heredocs or instruction.keyword == "ONBUILD":
        return None
    found = _BROKEN[escape].search(text, line, end)
    return (found.start(), end) if found else None


def commented_out(instruction: Instruction) -> Span | None:
    """A comment of the shell in a line that goes on: all that is joined to it is part of it."""
    body = instruction.body
    if instruction.keyword != "RUN" or instruction.json or instruction.heredocs or len(body.pieces) < 2 or "#" not in body.text:
        return None
    for found in islice(_COMMENT.finditer(body.text), _TRIED):
        if _is_comment(body.text[: found.start()]):
            start = found.start()
            piece = max(number for number, (begin, _) in enumerate(body.pieces) if begin <= start)
            if piece == len(body.pieces) - 1:
                return None
            end = body.pieces[piece + 1][0]
            return body.span(start, end) if body.text[end:].strip() else None
    return None


def _is_comment(before: str) -> bool:
    """Whether no quote is open."""
    rest = _QUOTED.sub("", before)
    return "'" not in rest and '"' not in rest and "`" not in rest and rest.count("$(") <= rest.count(")")
