"""The folder that a build sends: what lies in it, and what its ignore file leaves out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from posixpath import normpath

from shipwheel.lint.files.ignore import matcher
from shipwheel.lint.files.requirements import load_requirements
from shipwheel.lint.files.subjects import IgnoreFile, RequirementsFile
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import CLOSED, Workspace
from shipwheel.project.ignore import DockerRules

MAX_FILES = 20_000
"""Files of a context that are looked at; what is wrong shows in fewer."""

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
        source = self.read(path)
        return load_requirements(source, self.workspace) if source else None
