"""The steps of a Dockerfile that have no counterpart in Shipwheel's settings, each with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.secrets import redacted
from shipwheel.lint.shell.command import Command

SHOWN = 60
"""Characters of a step that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What stays behind: its line, what it is, and why, or what to do instead."""

    line: int
    what: str
    why: str


_KEYWORDS = {
    "HEALTHCHECK": "Shipwheel's runtime answers /v2/health/ready; for another command, let the platform ask it",
    "VOLUME": "name it in run.volumes",
    "STOPSIGNAL": "a container is stopped with SIGTERM",
    "ONBUILD": "an image of Shipwheel is not built upon by Dockerfiles",
}
_SILENT = re.compile(
    r"apt(?:-get|-mark|-cache|itude)?|dpkg|apk|yum|dnf|microdnf|rm|mkdir|chmod|chown|useradd|groupadd|adduser|addgroup|usermod|echo|printf|set"
    r"|export|cd|pip3?|uv|poetry|pipenv|conda|mamba|micromamba|true|:|test|\[|ls|cat|update-ca-certificates|ldconfig|find|touch|which|id"
    r"|update-alternatives|update-locale|locale-gen|add-apt-repository|source|\.|virtualenv|sync|whoami|pwd|export|hash"
)
"""Commands that only prepare an image as docker makes it, or that other settings carry."""
_BUILDERS = re.compile(r"(?:.*/)?(?:uv|poetry|micromamba|miniconda3?|python|node)(?::.*|@.*)?$")


def left_of(dockerfile: Dockerfile, stage: Stage, *, copied: tuple[Stage, ...], has_command: bool) -> Iterator[Left]:
    """Steps of the image that nothing carries over."""
    for step in stage.all_steps:
        line = dockerfile.source.position(step.span[0]).line
        if step.keyword in _KEYWORDS and "NONE" not in [word.text for word in step.words[:1]]:
            yield Left(line=line, what=_shown(step.keyword, step.instruction.body.text), why=_KEYWORDS[step.keyword])
        elif step.keyword == "RUN":
            yield from _run(step, line)
        elif step.keyword in ("COPY", "ADD"):
            yield from _copy(dockerfile, step, line)
    if not has_command:
        line = dockerfile.source.position(stage.span[0]).line
        yield Left(
            line=line, what="no command that carries over", why="Shipwheel looks for the app or script itself, or set command"
        )


def _run(step: Step, line: int) -> Iterator[Left]:
    unknown = [command for command in step.commands if command.program and not _is_carried(command)]
    if unknown:
        names = ", ".join(dict.fromkeys(command.program for command in unknown))
        texts = _shown("RUN", step.instruction.body.text)
        yield Left(
            line=line, what=texts, why=f"nothing runs in the image while Shipwheel builds it ({names}): do it before the build"
        )


def _is_carried(command: Command) -> bool:
    if re.fullmatch(r"python[\d.]*", command.program):
        return any(word.text in ("pip", "venv", "ensurepip", "virtualenv") for word in command.arguments[1:2])
    return _SILENT.fullmatch(command.program) is not None or command.program.startswith("$")


def _copy(dockerfile: Dockerfile, step: Step, line: int) -> Iterator[Left]:
    name = step.copies_from
    if not name:
        remote = [word.text for word in step.sources if "://" in word.text]
        if remote:
            yield Left(line=line, what=_shown("ADD", " ".join(remote)), why="download it into the project's folder")
        return
    stage = dockerfile.stage(name)
    if stage is None:
        if not _BUILDERS.match(parse_image(name).repository):
            yield Left(
                line=line,
                what=_shown("COPY", step.instruction.body.text),
                why=f"files of the image {name}: put them into the project",
            )
        return
    kept = [word.text for word in step.sources if not _PYTHON.search(word.text)]
    if kept:
        yield Left(line=line, what=f"COPY of {', '.join(kept)} from {name}", why="made by a stage: make it before the build")


_PYTHON = re.compile(
    r"env\b|site-packages|dist-packages|/\.local|^/install|/wheels?\b|conda|/python|^/usr/local(?:/bin|/lib\S*)?/?$|^/opt/?$"
    r"|\.lock$|requirements|^/app/?$"
)
"""Where stages hand over Python packages, which Shipwheel installs itself."""


def printable(text: str) -> str:
    """One line that every terminal and every comment takes."""
    return "".join(char if char.isprintable() else " " for char in text)


def _shown(keyword: str, text: str) -> str:
    line = re.sub(r"\s+", " ", printable(redacted(text))).strip()
    return f"{keyword} {line if len(line) <= SHOWN else line[: SHOWN - 3] + '...'}"
