"""Models that a rule leaves out and the code loads by name: they go into the image."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, normpath

from shipwheel.project.command import NEVER
from shipwheel.project.exclusions import MODEL_SUFFIXES
from shipwheel.project.files import LeftOut, ProjectFile, ProjectFiles
from shipwheel.project.sources import MAX_SOURCE_BYTES

_LITERAL = re.compile(
    rb"""["']([^"'\n\r<>|*?]{1,200}(?:%s))["']""" % b"|".join(re.escape(suffix.encode()) for suffix in sorted(MODEL_SUFFIXES))
)


def loaded_models(root: Path, found: ProjectFiles) -> ProjectFiles:
    """The files, with the models that a string of the code names and that git, or a rule on data, would leave out.

    A name that the user excludes, or .dockerignore, stays out.
    """
    soft = {item.path for item in found.left_out if item.reason in (".gitignore", "data", "training output")}
    if not soft:
        return found
    tops = {path.partition("/")[0] for path in soft}
    held = {file.path for file in found.files}
    wanted = sorted({path for path in _named(root, found.files) if path.partition("/")[0] in tops and path not in held})
    models = [_file(root, path) for path in wanted]
    left = tuple(item for item in found.left_out if item.path not in wanted)
    return ProjectFiles(
        files=tuple(sorted((*found.files, *models), key=lambda file: file.path)), left_out=_without(left, wanted)
    )


def _named(root: Path, files: tuple[ProjectFile, ...]) -> Iterator[str]:
    """Regular files below the project that the code names: from the top, from beside the code, or by their bare name."""
    for file in files:
        if not file.path.endswith(".py") or file.target or file.size > MAX_SOURCE_BYTES or NEVER.search(file.path):
            continue
        for literal in set(_LITERAL.findall(file.source.read_bytes())):
            name = os.fsdecode(literal)
            for base in ("", dirname(file.path), "model", "models", "artifacts", "checkpoints"):
                path = normpath(f"{base}/{name}" if base else name)
                if not path.startswith(("/", "..")) and _is_file(root / path):
                    yield path


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _file(root: Path, path: str) -> ProjectFile:
    status = (root / path).lstat()
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return ProjectFile(path=path, source=root / path, size=status.st_size, mode=mode, mtime_ns=status.st_mtime_ns)


def _without(left: tuple[LeftOut, ...], wanted: list[str]) -> tuple[LeftOut, ...]:
    """What is still left out; a folder of which a model was taken stays listed, for the rest of it."""
    return tuple(item for item in left if item.path not in wanted)
