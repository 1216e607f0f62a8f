"""Where a RUN can be lengthened or shortened without a change to the rest of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipwheel.lint.dockerfile.instructions import Instruction
from shipwheel.lint.dockerfile.stages import Step
from shipwheel.lint.finding import Edit
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.parse import parse_shell
from shipwheel.lint.source import Excerpt, Source, Span

_CLOSES = re.compile(r"(?:[\s;)}]|\bfi\b|\bdone\b|\besac\b)*")
_NOTHING = re.compile(r"[\s;]*(?:\s#.*)?", re.DOTALL)
_SETS_E = re.compile(r"\s*set\s+(?:-\w*e|-o\s+errexit)")


def text_of(step: Step) -> str:
    """What the instruction says, its heredocs too, without continuations."""
    return step.instruction.body.text + "".join(heredoc.body.text for heredoc in step.instruction.heredocs)


def last_end(command: Command) -> int:
    """Where a command ends with its redirects."""
    return max([command.span[1], *(redirect.span[1] for redirect in command.redirects)])


def appended(step: Step, command: str) -> tuple[Edit, ...]:
    """Add a command that runs when all of a RUN went well; nothing where its end is not plain to see.

    In one line it stands behind the last command; in several on a line of its own, as the others stand there.
    """
    if not _plain(step.instruction) or not step.commands:
        return ()
    last = max(step.commands, key=last_end)
    tail = step.instruction.body.text[_index(step.instruction, last_end(last)) :]
    if last.after in ("&", "|") or not (_CLOSES if last.inside else _NOTHING).fullmatch(tail):
        return ()
    if not _would_run(step, command):
        return ()
    at = _outer_end(step.instruction, last) if last.inside else last_end(last)
    return (Edit(at, at, _joiner(step) + command),)


def _would_run(step: Step, command: str) -> bool:
    """Whether a command at the end of a RUN is one: behind a quote or a substitution that nothing closes it is text."""
    ends = Source(name="", text=f"{step.instruction.body.text.rstrip()}\n{command}")
    found = parse_shell(Excerpt.whole(ends), {})
    if not found or found[-1].inside:
        return False
    words = [word.text for word in (*found[-1].wrappers, *found[-1].words)]
    return len(words) == len(command.split()) and words[-1] == command.rsplit(maxsplit=1)[-1]


def prepended(step: Step, command: str) -> tuple[Edit, ...]:
    """Run a command first: `command &&` before the rest, where that is no chain with an alternative."""
    if not _plain(step.instruction) or "||" in step.instruction.body.text or not step.commands:
        return ()
    first = min(step.commands, key=lambda one: one.span)
    at = step.instruction.body.offset(len(step.instruction.body.text) - len(step.instruction.body.text.lstrip()))
    return (Edit(at, at, f"{command} && "),) if not first.inside and first.span[0] == at else ()


def without(step: Step, command: Command) -> tuple[Edit, ...]:
    """Take a command with the `&&` before it out of a chain; nothing where it is no plain link of one."""
    if not _plain(step.instruction) or command.before != "&&" or command.inside or command.after not in ("", "&&", ";"):
        return ()
    index = _index(step.instruction, command.span[0])
    operator = step.instruction.body.text.rfind("&&", 0, index)
    if operator < 0 or step.instruction.body.text[operator + 2 : index].strip():
        return ()
    return _cut(step.instruction, operator, last_end(command))


def without_words(step: Step, spans: Iterable[Span]) -> tuple[Edit, ...]:
    """Take words out of a command, each with the blanks before it; nothing where one cannot be taken out."""
    edits = [_cut(step.instruction, _index(step.instruction, span[0]), span[1]) for span in spans if in_place(step, span)]
    return tuple(edit for one in edits for edit in one) if all(edits) and _plain(step.instruction) else ()


def _cut(instruction: Instruction, index: int, end: int) -> tuple[Edit, ...]:
    """Remove the body's text from there with the blanks and continuations before it, unless a comment stands between."""
    body = instruction.body
    start = body.offset(len(body.text[:index].rstrip()) - 1) + 1
    return () if "#" in body.source.text[start : body.offset(index)] else (Edit(start, end, ""),)


def in_place(step: Step, span: Span) -> bool:
    """Whether a word stands in the instruction itself, and not in an ENV or ARG that was put in."""
    return step.span[0] <= span[0] and span[1] <= step.span[1]


def after_word(text: str, words: Iterable[Span]) -> tuple[Edit, ...]:
    """The same option behind each of these words."""
    return tuple(Edit(end, end, f" {text}") for _, end in dict.fromkeys(words))


def _plain(instruction: Instruction) -> bool:
    return instruction.keyword == "RUN" and not instruction.json and not instruction.heredocs


def _index(instruction: Instruction, offset: int) -> int:
    """The place in the body of an offset in the source."""
    body = instruction.body
    begin, start = next((piece for piece in reversed(body.pieces) if piece[1] <= offset), body.pieces[0])
    return min(begin + offset - start, len(body.text))


def _outer_end(instruction: Instruction, last: Command) -> int:
    """Behind the words that close what the last command stands in; a `;` at the very end is left behind."""
    body = instruction.body
    text = body.text.rstrip()
    while text.endswith(";"):
        text = text[:-1].rstrip()
    return body.offset(max(len(text), _index(instruction, last_end(last))) - 1) + 1


def _joiner(step: Step) -> str:
    """How the commands of this RUN are joined: what stands between its last command and one more."""
    source = step.instruction.body.source
    text = source.text[slice(*step.span)]
    lines = text.split("\n")
    if len(lines) == 1:
        return " && "
    end = source.line_end
    for number in range(len(lines) - 1, 0, -1):
        line, above = lines[number], lines[number - 1].rstrip().removesuffix(step.escape).rstrip()
        indent = line[: len(line) - len(line.lstrip())]
        if line.lstrip().startswith("&&"):
            return f" {step.escape}{end}{indent}&& "
        if above.endswith("&&"):
            return f" && {step.escape}{end}{indent}"
        if above.endswith(";") and _SETS_E.match(step.instruction.body.text):
            return f"; {step.escape}{end}{indent}"
    last = next((line for line in reversed(lines[1:]) if line.strip()), "    ")
    return f" {step.escape}{end}{last[: len(last) - len(last.lstrip())] or '    '}&& "
