"""Which requirements files an image installs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import RequirementsFile
from shipwheel.lint.packages.installs import Install
from shipwheel.lint.packages.python import included, requirements_file
from shipwheel.lint.word import Word
from shipwheel.lint.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A requirements file behind -r (`word`), or one that it includes, with the command that installs it."""

    file: RequirementsFile
    step: Step
    install: Install
    word: Word


def installed_files(dockerfile: Dockerfile) -> tuple[Installed, ...]:
    """Every file of the context that pip installs from, each once, with what it includes."""
    return dockerfile.context.workspace.once(_by_dockerfile).get(dockerfile, ())


def _by_dockerfile(workspace: Workspace) -> dict[Dockerfile, tuple[Installed, ...]]:
    return {dockerfile: tuple(_of(dockerfile)) for dockerfile in workspace.all(Dockerfile)}


def _of(dockerfile: Dockerfile) -> Iterable[Installed]:
    known: dict[Path, Installed] = {}
    for step in dockerfile.steps("RUN"):
        for install in step.installs:
            if install.manager == "pip" and install.action != "download":
                _follow(step, install, known)
    return known.values()


def _follow(step: Step, install: Install, known: dict[Path, Installed]) -> None:
    waiting = [(word, requirements_file(step, word.text, install.command)) for word in install.files]
    while waiting:
        word, file = waiting.pop(0)
        if file and file.source.path not in known:
            known[file.source.path] = Installed(file=file, step=step, install=install, word=word)
            waiting += [(word, included(file, path)) for path, _ in file.includes]


def installing(file: RequirementsFile) -> list[Installed]:
    """Where the linted Dockerfiles install this file."""
    return file.workspace.once(_by_file).get(file.source.path, [])


def _by_file(workspace: Workspace) -> dict[Path, list[Installed]]:
    found: dict[Path, list[Installed]] = {}
    for one in (one for files in workspace.once(_by_dockerfile).values() for one in files):
        found.setdefault(one.file.source.path, []).append(one)
    return found


def _linted(workspace: Workspace) -> frozenset[Path]:
    return frozenset(file.source.path for file in workspace.all(RequirementsFile))


def unlinted(dockerfile: Dockerfile) -> list[Installed]:
    """Files that a Dockerfile installs that are not linted themselves: what is wrong in them is said at the Dockerfile."""
    linted = dockerfile.context.workspace.once(_linted)
    return [one for one in installed_files(dockerfile) if one.file.source.path not in linted]
