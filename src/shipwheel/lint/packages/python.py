"""Which Python packages a stage has, as far as its files say."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from packaging.specifiers import SpecifierSet

from shipwheel.lint.context.origins import absolute, origin
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step, in_folder
from shipwheel.lint.files.subjects import RequirementsFile
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.listed import declared, locked, of_environment, pipfile_locked
from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Source
from shipwheel.project.conda import RENAMED

_ENVIRONMENT = re.compile(
    r"env|site-packages|dist-packages|\.local|^/usr/local/?$|^/usr/local/(?:bin|lib)|^/opt/?$|/install|wheel|conda|/deps|python|packages|^/$"
)
"""Paths under which stages hand Python packages to each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A package with the step that installs it (inside `step.installs`) and the index options of that command or file.

    `file` is the requirements file's name, "" for the command line; `requested.span` is then a place in that file."""

    requested: Requested
    step: Step
    options: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """`by_name` by normalised name. `complete` is False where something installs what cannot be read here (a requirements file
    that is not there, `pip install .` without a list, a base that is not known): then a package that is not listed may still be
    there."""

    by_name: dict[str, Added]
    complete: bool


_MEMO: WeakKeyDictionary[Stage, Packages] = WeakKeyDictionary()


def packages_of(stage: Stage) -> Packages:
    """Of its lineage, of pip, uv, conda, poetry and pyproject.toml or uv.lock of the context; those of venvs copied from other
    stages too. conda's names are those of the Python package index (pytorch is torch)."""
    found = _MEMO.get(stage)
    if found is None:
        collector = _Collector(stage)
        for step in stage.all_steps:
            collector.take(step)
        found = _MEMO[stage] = Packages(by_name=collector.found, complete=collector.complete)
    return found


def requirements_file(step: Step, path: str, command: Command | None = None) -> RequirementsFile | None:
    """The requirements file of the context that stands at this path of the image when the step runs; None where unknown."""
    dockerfile = step.stage.dockerfile
    place = "" if path.endswith((".toml", ".py", ".cfg")) else context_path(step, path, command)
    return dockerfile.context.requirements(place) if dockerfile and place else None


def context_path(step: Step, path: str, command: Command | None = None) -> str:
    """Where in the context a file of the image comes from that a command of a step reads; "" where that is not known."""
    dockerfile = step.stage.dockerfile
    if dockerfile is None or "://" in path or "$" in path:
        return ""
    wanted = absolute(in_folder(_folder(step, command), path))
    return _mounted(dockerfile, step, wanted) or origin(dockerfile, step.stage, wanted)


def _folder(step: Step, command: Command | None) -> str:
    """Where a command runs: the working directory, or where the `cd` before it goes."""
    folder = step.workdir
    for other in step.commands if command else ():
        if other is command:
            break
        target = other.arguments[0] if other.program == "cd" and len(other.words) == 2 else None
        if target and target.known and command and command.inside[: len(other.inside)] == other.inside:
            folder = in_folder(folder, target.text)
    return folder


def _mounted(dockerfile: Dockerfile, step: Step, wanted: str) -> str:
    """The file that a bind mount of the context shows there."""
    for mount in step.mounts:
        if mount.type != "bind" or mount.options.get("from"):
            continue
        target = absolute(in_folder(step.workdir, mount.options.get("target", "")))
        if wanted == target or wanted.startswith(target.rstrip("/") + "/"):
            below = wanted[len(target) :].lstrip("/")
            place = posixpath.normpath(posixpath.join(mount.options.get("source", ".").lstrip("/") or ".", below))
            if dockerfile.context.exists(place) and not dockerfile.context.is_folder(place):
                return place
    return ""


class _Collector:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.found: dict[str, Added] = {}
        bare = stage.root_image is None and stage.lineage[0].base.text.lower() == "scratch"
        self.complete = bare or bool(stage.facts.distribution and not stage.facts.framework)

    def take(self, step: Step) -> None:
        if step.keyword == "RUN":
            for install in step.installs:
                self._install(step, install)
            if any(word.text == "setup.py" for command in step.commands for word in command.words[:2]):
                self.complete = False
        elif step.keyword in ("COPY", "ADD") and step.copies_from:
            self._copied(step)

    def _install(self, step: Step, install: Install) -> None:
        if install.manager == "pip" and install.action != "download":
            self._pip(step, install)
        elif install.manager == "conda":
            self._conda(step, install)
        elif install.manager == "uv" and install.action == "sync":
            self._lock(step, install, "uv.lock")
        elif install.manager == "poetry":
            self._lock(step, install, "poetry.lock")
        elif install.manager == "pipenv":
            self._pipenv(step, install)
        elif install.manager == "apt":
            self._add(step, (_of_debian(one) for one in install.packages), install.options)
        if install.manager in ("uv", "poetry"):
            self._add(step, install.packages, install.options)

    def _add(self, step: Step, packages: Iterable[Requested], options: tuple[str, ...], file: str = "") -> None:
        for one in packages:
            there = self.found.get(one.name)
            if one.name and not (there and _satisfies(there.requested, one) and _UPGRADES.isdisjoint(options)):
                self.found[one.name] = Added(requested=one, step=step, options=options, file=file)

    def _pip(self, step: Step, install: Install) -> None:
        self._add(step, install.packages, install.options)
        for one in install.packages:
            if not one.name:
                self._path(step, install, one)
        for word in install.files:
            if word.text.endswith(".toml"):
                source = self._read(step, word.text, install)
                self._declared(step, install, source, declared(source) if source else None)
            else:
                self._file(step, install.options, requirements_file(step, word.text, install.command))

    def _path(self, step: Step, install: Install, one: Requested) -> None:
        """`pip install .`: what pyproject.toml says."""
        folder = one.url.split("[")[0].removeprefix("file://")
        source = (
            self._read(step, posixpath.join(folder, "pyproject.toml"), install) if "://" not in folder and one.known else None
        )
        packages = declared(source, one.extras) if source else None
        self._declared(step, install, source, packages)

    def _declared(self, step: Step, install: Install, source: Source | None, packages: list[Requested] | None) -> None:
        if source is None or packages is None:
            self.complete = False
        else:
            self._add(step, packages, install.options, source.name)

    def _file(self, step: Step, options: tuple[str, ...], file: RequirementsFile | None) -> None:
        """A file with all that it includes."""
        waiting, seen = [file], set()
        while waiting:
            current = waiting.pop()
            if current is None or current.source.path in seen:
                self.complete = self.complete and current is not None
                continue
            seen.add(current.source.path)
            own = tuple(f"{name}={value}" if value else name for name, value, _ in current.options)
            self._add(step, current.packages, (*options, *own), current.source.name)
            self.complete = self.complete and all(one.name for one in current.packages)
            waiting += [included(current, path) for path, _ in current.includes]

    def _conda(self, step: Step, install: Install) -> None:
        self._add(step, (_of_conda(one) for one in install.packages), install.options)
        for word in install.files:
            if word.text.endswith(".txt"):
                self._file(step, install.options, requirements_file(step, word.text, install.command))
                continue
            source = self._read(step, word.text, install)
            if source is None:
                self.complete = False
                continue
            for one, pip in of_environment(source):
                self._add(step, [one if pip else _of_conda(one)], install.options, source.name)
                self.complete = self.complete and bool(one.name)

    def _lock(self, step: Step, install: Install, name: str) -> None:
        folder = install.option("--project", "--directory", "-C") or ""
        source = self._read(step, posixpath.join(folder, name), install)
        if source:
            self._add(step, locked(source), install.options, source.name)
            return
        self.complete = False
        source = self._read(step, posixpath.join(folder, "pyproject.toml"), install)
        if source:
            self._add(step, declared(source) or [], install.options, source.name)

    def _pipenv(self, step: Step, install: Install) -> None:
        self._add(step, install.packages, install.options)
        if not install.packages:
            source = self._read(step, "Pipfile.lock", install)
            self._declared(step, install, source, pipfile_locked(source) if source else None)

    def _read(self, step: Step, path: str, install: Install) -> Source | None:
        place = context_path(step, path, install.command)
        return self.stage.dockerfile.context.read(place) if self.stage.dockerfile and place else None

    def _copied(self, step: Step) -> None:
        """What another stage installed, where COPY takes the folder that it lies in."""
        dockerfile = self.stage.dockerfile
        other = dockerfile.stage(step.copies_from) if dockerfile else None
        paths = [word.text for word in step.sources]
        if other is None or other.index >= step.stage.index:
            self.complete = self.complete and not any(re.search(r"site-packages|venv|conda", path) for path in paths)
        elif any(_ENVIRONMENT.search(path) for path in paths) or _homes(other).intersection(absolute(path) for path in paths):
            theirs = packages_of(other)
            self.found |= theirs.by_name
            self.complete = self.complete and theirs.complete


_UPGRADES = frozenset(("-U", "--upgrade", "--force-reinstall", "-I", "--ignore-installed", "--reinstall"))


def _satisfies(there: Requested, asked: Requested) -> bool:
    """Whether what is there already is all that is asked for, so that nothing is installed."""
    if asked.url or there.url or not set(asked.extras) <= set(there.extras):
        return False
    if not asked.specifier or asked.specifier == there.specifier:
        return True
    try:
        return bool(there.version) and SpecifierSet(asked.specifier).contains(there.version, prereleases=True)
    except ValueError:  # a version or a specifier that is none
        return False


def included(file: RequirementsFile, path: str) -> RequirementsFile | None:
    """A file that a requirements file includes."""
    from shipwheel.lint.files.requirements import load_requirements

    source = file.workspace.read(file.source.path.parent / path) if "://" not in path and "\0" not in path else None
    return load_requirements(source, file.workspace) if source else None


def _homes(stage: Stage) -> set[str]:
    """The folders that hold what a stage installs into them: --target, --prefix, the .venv of a project."""
    return {absolute(folder) for step in stage.all_steps if step.keyword == "RUN" for folder in _folders(step)}


def _folders(step: Step) -> Iterator[str]:
    for install in step.installs:
        given = install.option("--target", "-t", "--prefix", "-p", "--root", "-w", "--wheel-dir")
        if install.manager in ("uv", "poetry", "pipenv"):
            yield step.workdir
        if given:
            yield in_folder(step.workdir, given)
    yield from (word.text for command in step.commands if "venv" in str(command.words) for word in command.words[-1:])


def _of_conda(one: Requested) -> Requested:
    return replace(one, name=RENAMED[one.name]) if one.name in RENAMED else one


def _of_debian(one: Requested) -> Requested:
    """python3-numpy is numpy; any other package of Debian is none of Python's."""
    return replace(one, name=one.name.removeprefix("python3-") if one.name.startswith("python3-") else "")
