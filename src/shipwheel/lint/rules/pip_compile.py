"""Commands that lock Python packages, in scripts, documents and images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.image_scripts import shell_parts
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.dependencies import REQUIREMENTS_NO_HASHES
from shipwheel.lint.shell.command import Command

PIP_COMPILE_FLAG = Rule(
    key="pip-compile-flag",
    severity="error",
    title="pip-compile has no --platform",
    why="The command ends with `no such option`, and nothing is locked.",
    remedy="Use `uv pip compile --python-platform x86_64-unknown-linux-gnu`, or run pip-compile on the platform itself",
    source="https://docs.astral.sh/uv/reference/cli/#uv-pip-compile",
)

FIND_LINKS_INDEX = Rule(
    key="find-links-index",
    severity="warning",
    title="An index is given as find-links",
    why="--find-links (-f) reads links to files, an index links projects: pip finds nothing there and takes PyPI's wheels.",
    remedy="Write `--index-url` (or `--extra-index-url`) before the address",
    source="https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-f",
)

_PLATFORM = re.compile(r"--platform(?:=|$)")
_INDEX = re.compile(
    r"https?://(?:download\.pytorch\.org/whl(?:/nightly|/test)?/(?:cu\d+|cpu|rocm[\d.]+|xpu)/?|(?:test\.)?pypi\.org/simple/?)"
)


@PIP_COMPILE_FLAG.check(Script, Dockerfile)
def pip_compile_flag(subject: Script | Dockerfile) -> Iterator[Hit]:
    """A script or a RUN locks with an option that is not there."""
    for tool, command in _compiling(chain.from_iterable(shell_parts(subject))):
        option = next((word for word in command.arguments if _PLATFORM.match(word.text)), None)
        if option:
            yield Hit(span=option.span, message=f"{tool} has no option --platform")


def _compiling(commands: Iterable[Command]) -> Iterator[tuple[str, Command]]:
    """Commands that compile requirements, each with the name of its tool."""
    for command in commands:
        words = [word.text for word in command.words]
        if command.program == "uv" and words[1:3] == ["pip", "compile"]:
            yield "uv pip compile", command
        elif command.program == "pip-compile" or words[1:4] == ["-m", "piptools", "compile"]:
            yield "pip-compile", command


@REQUIREMENTS_NO_HASHES.check(Script)
def compiled_without_hashes(script: Script) -> Iterator[Hit]:
    """A script or a document locks versions alone."""
    for tool, command in _compiling(script.commands):
        if not command.has("--generate-hashes", "--help", "--version"):
            message = f"{tool} without --generate-hashes pins versions, not the files that are installed"
            yield Hit(span=command.words[0].span, message=message)


_WITHOUT_HASHES = {"poetry": "--without-hashes", "pdm": "--without-hashes", "uv": "--no-hashes"}
"""What keeps the hashes of a lock out of an export."""


@REQUIREMENTS_NO_HASHES.check(Dockerfile)
def exported_without_hashes(dockerfile: Dockerfile) -> Iterator[Hit]:
    """A RUN takes versions from a lock and leaves its hashes there; hashes of constraints would ask for them everywhere."""
    for step in dockerfile.steps("RUN"):
        for command in step.commands:
            option = next((word for word in command.words if word.text == _WITHOUT_HASHES.get(command.program)), None)
            words = [word.text for word in command.words]
            if option and "export" in words[1:2] and not any("constraint" in text for text in words):
                yield Hit(
                    span=option.span,
                    message=f"{command.program} export {option.text} leaves the hashes of the lock behind",
                    remedy=f"Take {option.text} out: pip then compares each file with the lock",
                )


@FIND_LINKS_INDEX.check(Script, Dockerfile)
def find_links_index(subject: Script | Dockerfile) -> Iterator[Hit]:
    """A script or a RUN gives an index behind -f."""
    for command in chain.from_iterable(shell_parts(subject)):
        if command.program not in ("pip-compile", "uv") and install_of(command) is None:
            continue
        for option, word in zip(command.words, (*command.words[1:], None), strict=True):
            name, _, value = option.text.partition("=")
            if name in ("-f", "--find-links") and (value or word):
                text = value or (word.text if word else "")
                if _INDEX.fullmatch(text):
                    yield Hit(span=option.span, message=f"{name} is given {text}, which is an index")
