"""Which requirements files an image installs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.installs import Install
from shipwheel.lint.python_packages import included, requirements_file
from shipwheel.lint.subjects import RequirementsFile
from shipwheel.lint.word import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A requirements file behind -r (`word`), or one that it includes, with the command that installs it."""

    file: RequirementsFile
    step: Step
    install: Install
    word: Word


_MEMO: WeakKeyDictionary[Dockerfile, tuple[Installed, ...]] = WeakKeyDictionary()


def installed_files(dockerfile: Dockerfile) -> tuple[Installed, ...]:
    """Every file of the context that pip installs from, each once, with what it includes."""
    found = _MEMO.get(dockerfile)
    if found is None:
        known: dict[Path, Installed] = {}
        for step in dockerfile.steps("RUN"):
            for install in step.installs:
                if install.manager == "pip" and install.action != "download":
                    _follow(step, install, known)
        found = _MEMO[dockerfile] = tuple(known.values())
    return found


def _follow(step: Step, install: Install, known: dict[Path, Installed]) -> None:
    waiting = [(word, requirements_file(step, word.text, install.command)) for word in install.files]
    while waiting:
        word, file = waiting.pop(0)
        if file and file.source.path not in known:
            known[file.source.path] = Installed(file=file, step=step, install=install, word=word)
            waiting += [(word, included(file, path)) for path, _ in file.includes]


def installing(file: RequirementsFile) -> list[Installed]:
    """Where the linted Dockerfiles install this file."""
    dockerfiles = file.workspace.all(Dockerfile)
    return [
        one for dockerfile in dockerfiles for one in installed_files(dockerfile) if one.file.source.path == file.source.path
    ]


def unlinted(dockerfile: Dockerfile) -> list[Installed]:
    """Files that a Dockerfile installs that are not linted themselves: what is wrong in them is said at the Dockerfile."""
    linted = {file.source.path for file in dockerfile.context.workspace.all(RequirementsFile)}
    return [one for one in installed_files(dockerfile) if one.file.source.path not in linted]
