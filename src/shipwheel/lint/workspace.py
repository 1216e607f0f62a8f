"""The files that are linted, and those beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shipwheel.lint.source import Source

Kind = TypeVar("Kind")
Made = TypeVar("Made")


class Subject(Protocol):
    """What rules look at: something that was read from a file."""

    @property
    def source(self) -> Source:
        """The file."""


MAX_BYTES = 4 << 20
"""A larger file is no Dockerfile, manifest or script that a person wrote."""

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
