"""Which files there are and which belong together: a Dockerfile and its context, its ignore file, the requirements it installs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shipwheel.lint.source import Source

if TYPE_CHECKING:
    from shipwheel.lint.subjects import IgnoreFile, RequirementsFile

Kind = TypeVar("Kind")


@dataclass(kw_only=True)
class Workspace:
    """The files that are linted, and those beside them that help to judge them."""

    subjects: list[object] = field(default_factory=list)

    def all(self, kind: type[Kind]) -> Iterator[Kind]:
        """Every subject of that kind among the linted files."""
        return (subject for subject in self.subjects if isinstance(subject, kind))

    def read(self, path: Path) -> Source | None:
        """A file's text, read once; None where it is not there, no file, or larger than 4 MB."""
        raise NotImplementedError


@dataclass(kw_only=True)
class BuildContext:
    """The folder that `docker build` sends. Only its files on disk are known, not what a build or CI would add before.

    `alone`: nothing but Dockerfiles lies in the folder, so that what is missing says nothing (no rule may then say that a file is
    not there; `ignore` being None means that there is no ignore file in either case).
    """

    root: Path
    workspace: Workspace
    alone: bool = False
    ignore: IgnoreFile | None = None

    def exists(self, path: str) -> bool:
        """Whether a path of the context is there (a leading / or ./ means nothing)."""
        raise NotImplementedError

    def is_folder(self, path: str) -> bool:
        """Whether it is a folder."""
        raise NotImplementedError

    def files(self, path: str = ".") -> tuple[str, ...]:
        """Files below a path that the build would get (what the ignore file leaves out is not among them), at most 20,000."""
        raise NotImplementedError

    def size(self, path: str) -> int:
        """Bytes of a file."""
        raise NotImplementedError

    def left_out(self, path: str) -> bool:
        """Whether the ignore file leaves a path out."""
        raise NotImplementedError

    def read(self, path: str) -> Source | None:
        """A file of the context."""
        raise NotImplementedError

    def requirements(self, path: str) -> RequirementsFile | None:
        """A requirements file of the context, with what it includes merged in; None where it is not there."""
        raise NotImplementedError
