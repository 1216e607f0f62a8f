"""What an instruction runs: its shell form, its exec form, its heredocs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from shipwheel.lint.dockerfile.instructions import Heredoc, Instruction
from shipwheel.lint.shell.command import SHELLS, Command
from shipwheel.lint.shell.parse import parse_shell, parse_words
from shipwheel.lint.source import Excerpt

_ONLY_HEREDOC = re.compile(r"\s*<<-?\s*[\"']?[\w.-]+[\"']?(?:\s+(?:\S*/)?(?:ba|da|a|k|z)?sh(?:\s+-\w+)*)?\s*")


def commands_of(instruction: Instruction, variables: Mapping[str, str], shell: tuple[str, ...]) -> tuple[Command, ...]:
    """The commands of RUN, CMD, ENTRYPOINT and HEALTHCHECK; none where they are no shell's."""
    if instruction.keyword == "HEALTHCHECK" and (not instruction.words or instruction.words[0].text.upper() != "CMD"):
        return ()
    if instruction.keyword not in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
        return ()
    if instruction.json:
        words = instruction.words[1:] if instruction.keyword == "HEALTHCHECK" else instruction.words
        return parse_words(words, instruction.body.source, variables)
    if not shell_in(shell):
        return ()
    if not instruction.heredocs:
        return parse_shell(instruction.body, variables)
    return _with_heredocs(instruction, variables)


def shell_in(words: tuple[str, ...]) -> str:
    """The shell that SHELL names, perhaps behind what starts it: ["conda", "run", "-n", "env", "/bin/bash", "-c"]."""
    names = (posixpath.basename(word).removesuffix(".exe") for word in words)
    return next((name for name in names if name in SHELLS), "")


def _with_heredocs(instruction: Instruction, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """RUN <<EOF runs the lines as a script, RUN CMD <<EOF gives them to CMD (Dockerfile reference, "Here-Documents")."""
    body = instruction.body
    if _ONLY_HEREDOC.fullmatch(body.text):
        return _script(instruction.heredocs[0], variables)
    joined = _append(body, instruction.heredocs)
    commands = parse_shell(joined, variables)
    if any(command.program in SHELLS and len(command.words) == 1 for command in commands):
        commands += tuple(inner for heredoc in instruction.heredocs for inner in _script(heredoc, variables))
    return commands


def _script(heredoc: Heredoc, variables: Mapping[str, str]) -> tuple[Command, ...]:
    """The commands of a script, unless its first line names another interpreter than a shell."""
    first = heredoc.body.text.lstrip().partition("\n")[0]
    if first.startswith("#!") and not any(re.search(rf"\b{name}\b", first) for name in SHELLS):
        return ()
    return parse_shell(heredoc.body, variables)


def _append(body: Excerpt, heredocs: tuple[Heredoc, ...]) -> Excerpt:
    """The command's line with the lines of its heredocs below, as a shell would get them."""
    text, pieces = body.text, list(body.pieces)
    for heredoc in heredocs:
        start, end = heredoc.span
        pieces += [(len(text), start - 1)]
        text += "\n" + body.source.text[start:end]
    return Excerpt(body.source, text, tuple(pieces))
