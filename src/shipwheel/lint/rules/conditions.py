"""Conditions that are always true, and what sh does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.running import shell_in
from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Source, Span

COND_ALWAYS_TRUE = Rule(
    key="cond-always-true",
    severity="error",
    title="A condition that does not compare",
    why="Without blanks around = there is one text and nothing to compare it with, and a text that is not empty is true.",
    remedy='Put blanks around the operator and the variable in quotes: [ "$X" = "y" ], [ -n "$X" ]',
    source="https://pubs.opengroup.org/onlinepubs/9699919799/utilities/test.html",
    fix="automatic",
)

BRACE_EXPANSION = Rule(
    key="brace-expansion-in-sh",
    severity="warning",
    title="Braces in a RUN that sh runs",
    why="Sh of Debian, Ubuntu and Alpine knows no {a,b}: it makes one file or folder with braces in its name.",
    remedy='Write the words out, or set SHELL ["/bin/bash", "-c"] before',
    source="https://www.gnu.org/software/bash/manual/html_node/Brace-Expansion.html",
)

_TOKEN = re.compile(
    r"""(?:[^\s"'$\\`;&|]|\\.|"(?:[^"\\]|\\.)*"|'[^']*'|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|`[^`]*`|\$)+""", re.DOTALL
)
_COMPARED = re.compile(r"""((?:"[^"]*"|'[^']*'|\$\{[^}]*\}|[\w.$@-])*?)(!=|==?)((?:"[^"]*"|'[^']*'|\$\{[^}]*\}|[\w.$@/:-])*)""")
_VARIABLE = re.compile(r"\$(?:\w+|\{[^}]*\})")
_LONE_VARIABLE = re.compile(r"""\[\[?\s+"?\$\{?(\w+)\}?"?\s+\]\]?""")
_UNQUOTED = re.compile(r"\$(?:\w+|\{[^}]*\}|\((?:[^()]|\([^()]*\))*\))|`[^`]*`")
_BRACES = re.compile(r"(?<!\$)\{[^{}\s\"'$]*(?:,|[\w]\.\.[\w])[^{}\s\"']*\}")
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|\$\{[^}]*\}", re.DOTALL)
_DASH_OR_ASH = frozenset({"debian", "ubuntu", "alpine"})
_BASHES = ("bash", "zsh", "ksh")
_LONGEST = 2000
"""Characters of a condition; longer ones are no condition that a person wrote."""


@COND_ALWAYS_TRUE.check(Dockerfile)
def conditions_of_instructions(dockerfile: Dockerfile) -> Iterator[Hit]:
    """Of RUN, CMD, ENTRYPOINT and HEALTHCHECK."""
    for step in dockerfile.steps("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
        dash = not _uses_bash(step) and step.stage.facts.distribution in ("debian", "ubuntu")
        for command in step.commands:
            if "sh -c" in command.inside:
                continue
            if hit := _condition(command, dockerfile.source, dash=dash) or _only_not_empty(command, step, dockerfile.source):
                yield hit


def _only_not_empty(command: Command, step: Step, source: Source) -> Hit | None:
    """`[ $FLAG ]` where FLAG is "false" unless a build says otherwise."""
    raw = source.text[slice(*command.span)] if command.program in ("[", "[[") else ""
    found = _LONE_VARIABLE.fullmatch(raw)
    default = step.variables.get(found[1]) if found else None
    if not found or default not in ("false", "False", "0", "no", "off"):
        return None
    return Hit(
        span=command.span,
        message=f"{raw} is true for {default} too, as it is for every text that is not empty",
        remedy=f'Write [ "${found[1]}" = "true" ], or what else is meant',
    )


@COND_ALWAYS_TRUE.check(Script)
def conditions_of_scripts(script: Script) -> Iterator[Hit]:
    """Of shell scripts and of steps of workflows."""
    for command in script.commands:
        if "sh -c" not in command.inside and (hit := _condition(command, script.source, dash=False)):
            yield hit


def _condition(command: Command, source: Source, *, dash: bool) -> Hit | None:
    if command.program not in ("[", "[[", "test") or command.span[1] - command.span[0] > _LONGEST:
        return None
    text = source.text[command.span[0] : command.span[1]]
    tokens = [(match[0], (command.span[0] + match.start(), command.span[0] + match.end())) for match in _TOKEN.finditer(text)]
    operands = [token for token in tokens[1:] if token[0] not in ("]", "]]", "!", "\\\n", "\\\r\n")]
    if len(operands) == 1:
        return _uncompared(*operands[0], bracket=command.program)
    if len(operands) == 2 and operands[0][0] == "-n" and command.program != "[[":
        return _unquoted(*operands[1])
    if dash and len(operands) == 3 and operands[1][0] == "==" and command.program != "[[":
        edit = Edit(*operands[1][1], "=")
        return Hit(
            span=operands[1][1],
            message="== is bash's: to sh of Debian and Ubuntu it is an error, so the condition is never true",
            remedy="Write = for ==",
            fix=Fix(what="write = for ==", edits=(edit,)),
        )
    return None


def _uncompared(raw: str, span: Span, *, bracket: str) -> Hit | None:
    """`$X=="y"` as one word."""
    found = _COMPARED.fullmatch(raw)
    if not found or not found[1] or not ("$" in raw or '"' in raw or "'" in raw):
        return None
    operator = "=" if found[2] == "==" and bracket != "[[" else found[2]
    left, right = (f'"{side}"' if _VARIABLE.fullmatch(side) else side or '""' for side in (found[1], found[3]))
    fixed = f"{left} {operator} {right}"
    return Hit(
        span=span,
        message=f"{raw} has no blanks around {found[2]}, so it is one text, and always true",
        remedy=f"Write {fixed}",
        fix=Fix(what="put blanks around the operator", edits=(Edit(*span, fixed),)),
    )


def _unquoted(raw: str, span: Span) -> Hit | None:
    """`-n $X`: without quotes nothing is left of an empty one, and -n alone is a text that is not empty."""
    if not _UNQUOTED.fullmatch(raw):
        return None
    return Hit(
        span=span,
        message=f"-n {raw} is true for an empty value too, as it stands without quotes",
        remedy=f'Write -n "{raw}"',
        fix=Fix(what="put it in quotes", edits=(Edit(*span, f'"{raw}"'),)),
    )


@BRACE_EXPANSION.check(Dockerfile)
def braces(dockerfile: Dockerfile) -> Iterator[Hit]:
    """{a,b} and {1..3} in words without quotes, where sh is known to be no bash."""
    for step in dockerfile.steps("RUN"):
        if step.instruction.json or _uses_bash(step) or step.stage.facts.distribution not in _DASH_OR_ASH:
            continue
        found = next((hit for command in step.commands if (hit := _braces(command, dockerfile.source))), None)
        if found:
            yield found


def _braces(command: Command, source: Source) -> Hit | None:
    if "sh -c" in command.inside or command.program in ("curl", "["):
        return None
    for word in command.words:
        raw = source.text[word.span[0] : word.span[1]]
        if "{" in raw and len(raw) < _LONGEST and (found := _BRACES.search(_QUOTED.sub("", raw))):
            return Hit(span=word.span, message=f"sh does not expand {found[0]} in {raw if len(raw) < 60 else found[0]}")
    return None


def _uses_bash(step: Step) -> bool:
    """Whether bash runs it: by SHELL, by the heredoc's first line, or as the command that gets the heredoc."""
    if (shell_in(step.shell) or "sh") in _BASHES:
        return True
    if not step.instruction.heredocs:
        return False
    first = step.instruction.heredocs[0].body.text.lstrip().partition("\n")[0]
    return first.startswith("#!") or any(name in step.instruction.body.text for name in _BASHES)
