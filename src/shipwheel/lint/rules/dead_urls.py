"""Addresses that are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.edits.written import exchanged
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Fix, Hit
from shipwheel.lint.packages.system_python import system_python
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Source
from shipwheel.lint.tables import table
from shipwheel.lint.word import Word

DEAD_URL = Rule(
    key="dead-url",
    severity="error",
    title="An address that answers no more, or gives what this Python cannot run",
    why="The build fails as soon as the layer is not in the cache any more.",
    remedy="Take the address that the project names today",
    source="https://bootstrap.pypa.io/pip/",
    fix="automatic",
    dated="dead_urls.toml",
)

_GET_PIP = "bootstrap.pypa.io/get-pip.py"
_PYTHON = re.compile(r"python(\d+\.\d+)")


@DEAD_URL.check(Dockerfile)
def dead_url(dockerfile: Dockerfile) -> Iterator[Hit]:
    """In RUN and ADD."""
    for step in dockerfile.steps("RUN", "ADD"):
        words = step.sources if step.keyword == "ADD" else _words(step.commands)
        for word in words:
            yield from _dead(dockerfile.source, word)
            if _GET_PIP in word.text:
                yield from _get_pip(dockerfile.source, step, word)


@DEAD_URL.check(Script)
def dead_url_in_scripts(script: Script) -> Iterator[Hit]:
    """In scripts, CI and documents."""
    for word in _words(script.commands):
        yield from _dead(script.source, word)


@DEAD_URL.check(RequirementsFile)
def dead_url_in_files(file: RequirementsFile) -> Iterator[Hit]:
    """In requirements."""
    for one in file.packages:
        if one.url:
            yield from _dead(file.source, Word(text=one.url, span=one.span))


def _words(commands: tuple[Command, ...]) -> Iterator[Word]:
    """Arguments, but not those of `git config`, which are the way to live with old addresses, nor the TEXT of `sh -c`."""
    for command in commands:
        verb = command.arguments[0].text if command.arguments else ""
        if (command.program, verb) != ("git", "config") and command.program not in ("echo", "sed", "printf"):
            yield from (word for word in command.arguments if " " not in word.text)


def _dead(source: Source, word: Word) -> Iterator[Hit]:
    for address, entry in table("dead_urls.toml").items():
        if address in word.text:
            instead = entry.get("instead", "")
            edits = exchanged(source, word.span, address, instead) if instead else ()
            fix = Fix(what=f"write {instead}", edits=edits) if edits else None
            remedy = f"Write {instead}" if instead else entry["remedy"]
            yield Hit(span=word.span, message=f"{address.rstrip('/')} {entry['is']}", remedy=remedy, fix=fix)


def _get_pip(source: Source, step: Step, word: Word) -> Iterator[Hit]:
    version = _runner(step)
    if version not in table("pythons.toml")["get-pip"]["own"]:
        return
    own = f"bootstrap.pypa.io/pip/{version}/get-pip.py"
    edits = exchanged(source, word.span, _GET_PIP, own)
    fix = Fix(what=f"write {own}", edits=edits) if edits else None
    yield Hit(
        span=word.span, message=f"this get-pip.py does not run on Python {version}", remedy=f"Write https://{own}", fix=fix
    )


def _runner(step: Step) -> str:
    """The Python that runs get-pip.py, as far as it is known: the one that is named, else the stage's."""
    later = [other for other in step.stage.all_steps if other.keyword == "RUN" and other.span >= step.span]
    for other in later:
        for command in other.commands:
            fed = command.before == "|" and not command.arguments[:1]
            given = any("get-pip.py" in argument.text or argument.text == "-" for argument in command.arguments)
            if command.program.startswith("python") and (fed or given):
                match = _PYTHON.fullmatch(command.program)
                return match[1] if match else system_python(step.stage)
    return ""
