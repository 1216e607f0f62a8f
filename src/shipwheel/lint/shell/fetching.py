"""What curl, wget and their kin fetch, and what happens to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipwheel.lint.shell.command import SHELLS, Command
from shipwheel.lint.word import Word

_URL = re.compile(r"(?:https?|ftp)://", re.IGNORECASE)
_HERE = re.compile(r"(?:https?://)(?:localhost|127\.|0\.0\.0\.0|host\.docker\.internal|\[::1\]|\$\{?(?:HOST|PORT)\b)")
_OUTPUT = {
    "curl": ("-o", "--output"),
    "wget": ("-O", "--output-document", "-P", "--directory-prefix"),
    "aria2c": ("-o", "--out"),
    "axel": ("-o", "--output"),
}
_SHORT_OUTPUT = re.compile(r"-[a-zA-Z]*[oO]")
ANY_SHELL = SHELLS | {"fish"}
INTERPRETERS = ANY_SHELL | {"perl", "ruby", "node", "php"}
_PYTHON = re.compile(r"python(?:\d+(?:\.\d+)?)?")
_WHOLE = re.compile(r"""["']?\s*(?:\$\(|`|<\()\s*(?:curl|wget)\b""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One command that downloads: the address that stands first, and the file it writes ("" for standard output or unknown)."""

    command: Command
    url: Word
    output: str
    piped: tuple[Command, ...]
    """The commands behind it in a pipe."""


def fetches(commands: Sequence[Command]) -> Iterator[Fetch]:
    """Downloads from other machines."""
    for number, command in enumerate(commands):
        if command.program not in _OUTPUT:
            continue
        url = next((word for word in command.arguments if _URL.match(word.text) and not _HERE.match(word.text)), None)
        if url is not None and not command.has("-I", "--head", "--spider"):
            yield Fetch(command=command, url=url, output=_output(command), piped=tuple(_pipe(commands, number)))


def _pipe(commands: Sequence[Command], number: int) -> Iterator[Command]:
    while commands[number].after in ("|", "|&") and number + 1 < len(commands):
        number += 1
        if commands[number].before in ("|", "|&"):
            yield commands[number]


def _output(command: Command) -> str:
    words = command.arguments
    for number, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if name in _OUTPUT[command.program] and equals:
            return value
        short = not word.text.startswith("--") and bool(_SHORT_OUTPUT.fullmatch(word.text))
        takes = word.text[-1:] == _OUTPUT[command.program][0][1]
        if (word.text in _OUTPUT[command.program] or (short and takes)) and number + 1 < len(words):
            return words[number + 1].text
    return next((one.target.text for one in command.redirects if one.target and one.operator in (">", ">>")), "")


def runs_code(command: Command) -> bool:
    """Whether a command of a pipe runs what it is given: a shell or interpreter without a program of its own."""
    if not (command.program in INTERPRETERS or _PYTHON.fullmatch(command.program)):
        return False
    if command.has("-c", "-m", "-e"):
        return False
    first = next((word.text for word in command.arguments if not word.text.startswith("-") or word.text == "-"), "-")
    return first in ("-", "/dev/stdin") or command.has("-s") or "--" in [word.text for word in command.arguments]


def runs_fetched(command: Command) -> Word | None:
    """The word of `bash <(curl ...)`, `sh -c "$(curl ...)"`, `eval "$(curl ...)"` that holds the download."""
    evaluates = (
        command.program in ("eval", "source", ".") or command.program in INTERPRETERS or _PYTHON.fullmatch(command.program)
    )
    if not evaluates:
        return None
    return next((word for word in command.arguments if _WHOLE.match(word.text)), None)
