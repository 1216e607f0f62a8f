"""Stages that are made to run an application, and what their steps take away again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.serving.start import start_of
from shipwheel.lint.shell.command import Command
from shipwheel.lint.tables import table

FOR_DEVELOPERS = re.compile(
    r"(?:^|[-_./])(?:dev|devel|develop|development|devcontainer|debug|tests?|testing|ci|lint|docs?|build|builder|build[-_]?env|sdk"
    r"|toolchain|compiler?|manylinux|cibuildwheel)(?:$|[-_./\d])",
    re.IGNORECASE,
)
"""Names of stages and files for those who write the code, not for those who run it."""
_FOLDERS = frozenset((".devcontainer", ".github", ".gitlab", ".circleci", "ci", "dev", "test", "tests"))
"""Folders of the same."""

_NOTEBOOK = re.compile(r"jupyter|notebook", re.IGNORECASE)
_INTERPRETER = re.compile(r"(?:ba|da|z)?sh(?: -l| --login)?|i?python[\d.]*|node|irb|R|julia|psql")
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "conda", "mamba", "virtualenv", "uv", "poetry"))
_TAKES_AWAY = frozenset(("remove", "purge", "autoremove", "auto-remove", "del", "erase"))
SYSTEM = ("apt", "apk", "dnf")
"""Managers of the distribution's packages."""
_COMMANDS = frozenset(("apt-get", "apt", "aptitude", "apk", "dnf", "yum", "microdnf"))


@cache
def tools(part: str, key: str) -> frozenset[str]:
    """A list of names of data/lint/tools.toml."""
    return frozenset(table("tools.toml")[part][key])


def for_running(dockerfile: Dockerfile, *, notebooks: bool = False) -> Iterator[Stage]:
    """The shipped stages of an application: not those for developers, no base image that others extend, and notebooks, in which
    people also build, only if they are asked for.
    """
    *folders, name = dockerfile.source.name.split("/")
    if FOR_DEVELOPERS.search(name) or any(folder in _FOLDERS for folder in folders):
        return
    for stage in dockerfile.shipped:
        application = not FOR_DEVELOPERS.search(stage.name) and _is_application(stage)
        if application and (notebooks or not _notebook(dockerfile, stage)):
            yield stage


def beside(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether it is a target for developers beside the image that is shipped."""
    return stage is not dockerfile.final and FOR_DEVELOPERS.search(stage.name) is not None


def _notebook(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether people work in it: it starts Jupyter, or its base does and nothing else is said."""
    start = start_of(dockerfile, stage)
    if start is None:
        return stage.facts.serves and bool(_NOTEBOOK.search(str(stage.root_image)))
    return bool(_NOTEBOOK.search(" ".join(word.text for word in start.words)))


def _is_application(stage: Stage) -> bool:
    """Whether it holds files of the context or Python packages, or starts something."""
    return any(_brings(step) for step in stage.all_steps)


def _brings(step: Step) -> bool:
    if step.keyword in ("CMD", "ENTRYPOINT"):
        return bool(step.commands) and not all(_INTERPRETER.fullmatch(_line(command)) for command in step.commands)
    others = [install for install in step.installs if install.manager not in SYSTEM]
    packages = {one.name for install in others for one in install.packages}
    from_files = any(install.files or _of_project(install) for install in others)
    return bool(step.sources and not step.copies_from) or from_files or not packages <= _INSTALLERS


def _of_project(install: Install) -> bool:
    """`uv sync`, `poetry install`: what the project's own files name."""
    return (install.manager, install.action) in (
        ("uv", "sync"),
        ("poetry", "install"),
        ("poetry", "sync"),
        ("pipenv", "install"),
        ("pipenv", "sync"),
    )


def _line(command: Command) -> str:
    return " ".join(word.text for word in command.words).rpartition("/")[2]


def removed(step: Step) -> frozenset[str]:
    """Packages that a step takes away; "*" where it marks all as automatic, or names them by a variable."""
    gone: set[str] = set()
    for command in step.commands:
        words = [word.text for word in command.arguments]
        if "auto" in words and "apt-mark" in (command.program, *words):
            gone.add("*")
        if command.program in _COMMANDS and _TAKES_AWAY.intersection(words[:4]):
            gone |= {"*" if "$" in word or "*" in word else word for word in words if not word.startswith("-")}
        if command.program in ("dnf", "yum") and "groupremove" in words:
            gone.add("*")
    return frozenset(gone - _TAKES_AWAY)
