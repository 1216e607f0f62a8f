"""Which files there are, and which belong together: a Dockerfile, its context, its ignore file, its requirements."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from shipwheel.lint.source import Source
from shipwheel.project.ignore import DockerRules

if TYPE_CHECKING:
    from shipwheel.lint.files.subjects import IgnoreFile, RequirementsFile

Kind = TypeVar("Kind")
Made = TypeVar("Made")


class Subject(Protocol):
    """What rules look at: something that was read from a file."""

    @property
    def source(self) -> Source:
        """The file."""


MAX_BYTES = 4 << 20
"""A larger file is no Dockerfile, manifest or script that a person wrote."""

MAX_FILES = 20_000
"""Files of a context that are looked at; what is wrong shows in fewer."""

CLOSED = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", ".ruff_cache"}
)
"""Folders that nobody wrote by hand: no file below them is looked at."""


@dataclass(kw_only=True)
class Workspace:
    """The files that are linted, and those beside them that help to judge them. `root` is what shown names are relative to."""

    root: Path = field(default=Path())
    subjects: list[Subject] = field(default_factory=list)
    sources: dict[Path, Source | None] = field(default_factory=dict, repr=False)
    """Files that were read, or that stand for those on disk."""
    unread: list[Path] = field(default_factory=list)
    """Files and folders to look at that cannot be read."""
    _made: dict[Callable[[Workspace], Any], Any] = field(default_factory=dict, repr=False)

    def once(self, make: Callable[[Workspace], Made]) -> Made:
        """What a function makes of all files, made at the first call: an index for rules that compare files with each other."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    def all(self, kind: type[Kind]) -> Iterator[Kind]:
        """Every subject of that kind among the linted files."""
        return (subject for subject in self.subjects if isinstance(subject, kind))

    def read(self, path: Path) -> Source | None:
        """A file's text, read once; None where it is not there, is no regular file, cannot be read, or is larger than 4 MB."""
        if path not in self.sources:
            self.sources[path] = self._read(path)
        return self.sources[path]

    def _read(self, path: Path) -> Source | None:
        try:
            if not path.is_file() or path.stat().st_size > MAX_BYTES:
                return None
            return Source.of_bytes(path.read_bytes(), name=self.name(path), path=path)
        except (OSError, ValueError):
            return None

    def name(self, path: Path) -> str:
        """A path as findings show it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


_BUILD_FILES = re.compile(
    r"(?:.*/)?(?:(?:Dockerfile|Containerfile|requirements|README|LICENSE)[^/]*|[^/]*\.[Dd]ockerfile|[^/]*\.(?:docker|container)ignore"
    r"|pyproject\.toml|(?:uv|poetry|pdm)\.lock|setup\.(?:py|cfg)|Pipfile(?:\.lock)?|environment\.ya?ml)"
)
"""What says how a project is built, and is none of it."""


@dataclass(kw_only=True)
class BuildContext:
    """The folder that `docker build` sends. Only its files on disk are known, not what a build or CI would add before.

    `alone`: nothing but container files lies in the folder, so that what is missing says nothing (no rule may then say that a
    file is not there; `ignore` being None means that there is no ignore file in either case). `targets` are the stages that
    compose files build, in lower case.
    """

    root: Path
    workspace: Workspace
    alone: bool = False
    ignore: IgnoreFile | None = None
    targets: frozenset[str] = frozenset()
    _below: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def _path(self, path: str) -> Path | None:
        """Where a path of the context lies; None for one that leads out of it or is no path."""
        inside = normpath(path.lstrip("/") or ".")
        return None if inside.startswith("..") or "\0" in inside else self.root / inside

    def exists(self, path: str) -> bool:
        """Whether a path of the context is there (a leading / or ./ means nothing)."""
        found = self._path(path)
        return found is not None and os.path.lexists(found)

    @cached_property
    def below_git(self) -> bool:
        """Whether it is a folder within a git checkout, so that .git lies above it."""
        return not self.exists(".git") and any((folder / ".git").exists() for folder in self.root.parents)

    def is_folder(self, path: str) -> bool:
        """Whether it is a folder."""
        found = self._path(path)
        return found is not None and found.is_dir()

    def files(self, path: str = ".") -> tuple[str, ...]:
        """Files below a path that the build would get, relative to the context, sorted, at most 20,000.

        What the ignore file leaves out is not among them, nor what lies in folders such as .git and .venv.
        """
        if path not in self._below:
            top = self._path(path)
            found = () if top is None else self._walk(top)
            self._below[path] = tuple(sorted(name for _, name in zip(range(MAX_FILES), found, strict=False)))
        return self._below[path]

    def _walk(self, top: Path) -> Iterator[str]:
        for folder, folders, names in os.walk(top):
            within = os.path.relpath(folder, self.root).removeprefix(".").lstrip("/")
            below = {name: f"{within}/{name}" if within else name for name in (*folders, *names)}
            folders[:] = sorted(name for name in folders if name not in CLOSED and self._enters(below[name]))
            yield from (below[name] for name in sorted(names) if not self.left_out(below[name]))

    def _enters(self, folder: str) -> bool:
        return not self.left_out(folder) or self._rules.keeps_below(folder)

    @cached_property
    def bare(self) -> bool:
        """Whether nothing of the project is here to be seen, but for what says how it is built."""
        return self.alone or all(map(_BUILD_FILES.fullmatch, self.files()))

    def size(self, path: str) -> int:
        """Bytes of a file; 0 for one that is not there."""
        found = self._path(path)
        try:
            return found.stat().st_size if found else 0
        except OSError:
            return 0

    @cached_property
    def _rules(self) -> DockerRules:
        from shipwheel.lint.files.ignore import matcher

        return matcher(self.ignore) if self.ignore else DockerRules()

    def left_out(self, path: str) -> bool:
        """Whether the ignore file leaves a path out."""
        return self._rules.leaves_out(normpath(path.lstrip("/") or "."))

    def read(self, path: str) -> Source | None:
        """A file of the context."""
        found = self._path(path)
        return self.workspace.read(found) if found else None

    def requirements(self, path: str) -> RequirementsFile | None:
        """A requirements file of the context; None where it is not there."""
        from shipwheel.lint.files.requirements import load_requirements

        source = self.read(path)
        return load_requirements(source, self.workspace) if source else None
