"""Shell commands of Dockerfiles and scripts alike, and the scripts that a Dockerfile runs while it builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.packages.python import context_path
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.fetching import ANY_SHELL

_MEMO: WeakKeyDictionary[Dockerfile, frozenset[Path]] = WeakKeyDictionary()


def shell_parts(subject: Dockerfile | Script) -> Iterator[Sequence[Command]]:
    """The commands of each RUN, and those of a script as a whole."""
    if isinstance(subject, Script):
        yield subject.commands
    else:
        yield from (step.commands for step in subject.steps("RUN"))


def runs_in_a_build(script: Script) -> bool:
    """Whether one of the linted Dockerfiles runs this script in a RUN."""
    return script.kind == "shell" and any(script.source.path in _run(one) for one in script.workspace.all(Dockerfile))


def _run(dockerfile: Dockerfile) -> frozenset[Path]:
    if dockerfile not in _MEMO:
        _MEMO[dockerfile] = frozenset(_scripts(dockerfile))
    return _MEMO[dockerfile]


def _scripts(dockerfile: Dockerfile) -> Iterator[Path]:
    for step in dockerfile.steps("RUN"):
        for command in step.commands:
            place = _script(step, command)
            if place:
                yield dockerfile.context.root / place


def _script(step: Step, command: Command) -> str:
    """The path in the context of the script that a command runs: `./x.sh`, `bash x.sh`, `. x.sh`."""
    words = command.words
    if command.program in ANY_SHELL or command.program in (".", "source"):
        words = tuple(word for word in command.arguments if not word.text.startswith("-"))
    if not words or not words[0].known or not ("/" in words[0].text or words[0].text.endswith((".sh", ".bash"))):
        return ""
    return context_path(step, words[0].text, command)
