"""The command of a Dockerfile as Shipwheel runs it: without a shell where that is possible, with paths of the project."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from shipwheel.lint.context.origins import origin
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.serving.start import Start, start_of
from shipwheel.lint.shell.command import SHELLS
from shipwheel.lint.word import Word

_VENV = re.compile(r"/(?:opt|app|venv|root|home|usr)/(?:.*/)?bin/([\w.+-]+)")


_SYSTEM = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedCommand:
    """`words` are empty where nothing carries over; `shell`: they need one. `left` are pairs of what stays behind and why."""

    words: tuple[str, ...]
    line: int
    keyword: str
    shell: bool = False
    left: tuple[tuple[str, str], ...] = ()


def carried_command(dockerfile: Dockerfile, stage: Stage) -> CarriedCommand | None:
    """What ENTRYPOINT and CMD start; None where the Dockerfile says nothing."""
    start = start_of(dockerfile, stage)
    if start is None or start.step is None or not start.words:
        return None
    line = dockerfile.source.position(start.step.span[0]).line
    keyword = " and ".join(dict.fromkeys(step.keyword for step in (start.entrypoint, start.step) if step))
    if text := _shell_text(start.step, start):
        return CarriedCommand(words=("sh", "-c", text), line=line, keyword=keyword, shell=True)
    words = _words(dockerfile, stage, start)
    handler = start.entrypoint is None and stage.root_image and "lambda/python" in stage.root_image.repository
    if reason := "it is for the entrypoint of the base" if handler else _missing(dockerfile, start, words):
        return CarriedCommand(words=(), line=line, keyword=keyword, left=((f"{keyword} {' '.join(words)}", reason),))
    left = ((start.script, "of the script only the command that stays carries over, not what runs before it"),)
    shell = words[0].endswith((".sh", ".bash")) or start.program in SHELLS
    return CarriedCommand(words=words, line=line, keyword=keyword, shell=shell, left=left if start.script else ())


def _shell_text(step: Step, start: Start) -> str:
    """The text for a shell, where it does more than start one program with words that are known; else ""."""
    instruction = step.instruction
    if start.script or instruction.heredocs:
        return ""
    if instruction.json:
        inner = [command for command in step.commands if "sh -c" in command.inside and command.words]
        text = instruction.words[-1].text if inner else ""
    else:
        inner, text = [command for command in step.commands if command.words], instruction.body.text.strip()
    real = [command for command in inner if command.program not in ("exec", "set")]
    several = len(real) > 1 or any(command.redirects for command in real)
    return text if real and (several or any(not word.known for word in start.words)) else ""


def _missing(dockerfile: Dockerfile, start: Start, words: tuple[str, ...]) -> str:
    """Why a command is none of a service of this project; "" where it may be."""
    if any(not word.known for word in start.words):
        return "its words are decided when the container starts"
    if words[1:] == () and start.program in SHELLS:
        return "a shell is no service"
    program = words[0]
    if (program.startswith("/") and not program.startswith(_SYSTEM)) or program.endswith((".sh", ".bash")):
        return (
            ""
            if dockerfile.context.exists(program.lstrip("/")) and not program.startswith("/")
            else "the program is not in this folder"
        )
    return ""


def _words(dockerfile: Dockerfile, stage: Stage, start: Start) -> tuple[str, ...]:
    """The program by its name and files by their place in the project."""
    program = posixpath.basename(start.words[0].text) if _VENV.fullmatch(start.words[0].text) else start.words[0].text
    program = _in_project(dockerfile, stage, start.words[0]) or program
    first = ("python", "-m", program) if start.module else ("python",) if re.fullmatch(r"python[\d.]*", program) else (program,)
    rest = tuple(_in_project(dockerfile, stage, word) or word.text for word in start.arguments)
    return (*first, *rest)


def _in_project(dockerfile: Dockerfile, stage: Stage, word: Word) -> str:
    """The path in the project of a file that COPY takes to this place of the image; "" for other words."""
    if not re.search(r"[./]", word.text) or word.text.startswith("-") or "://" in word.text:
        return ""
    return origin(dockerfile, stage, in_folder(stage.workdir, word.text))
