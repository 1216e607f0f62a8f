"""Models that a rule leaves out, and the code loads by name or the runtime serves: they go into the image."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Set
from dataclasses import replace
from pathlib import Path
from posixpath import dirname, normpath

from shipwheel.errors import ProjectError
from shipwheel.project.command import NEVER
from shipwheel.project.exclusions import MODEL_SUFFIXES
from shipwheel.project.files import LeftOut, ProjectFile, ProjectFiles
from shipwheel.project.served import OWN_FILE, Served
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
    return _with(
        root, found, {path for path in _named(root, found.files) if path.partition("/")[0] in tops and path not in held}
    )


def served_files(root: Path, found: ProjectFiles, served: Served, delivery: str) -> ProjectFiles:
    """The files, with those of the model that the runtime serves, or, where it comes to the service later, without them.

    Raises:
        ProjectError: the project has the file that the build writes for the runtime.
    """
    held = {file.path for file in found.files}
    if OWN_FILE in held:
        raise ProjectError(
            f"the project has a {OWN_FILE}, which the build writes itself",
            hint="put its settings under [tool.shipwheel.serve], and name the file in 'exclude'",
        )
    if delivery == "bake":
        whole = _with(root, found, served.paths - held)
        return replace(whole, left_out=tuple(item for item in whole.left_out if item.path.rstrip("/") != served.folder))
    away = [file for file in found.files if served.holds(file.path)]
    reason = {"download": "downloaded at start", "mount": "mounted at start"}[delivery]
    left = LeftOut(path=served.model, reason=reason, count=len(away), size=sum(file.size for file in away))
    files = tuple(file for file in found.files if file not in away)
    return ProjectFiles(files=files, left_out=(*found.left_out, left) if away else found.left_out)


def _with(root: Path, found: ProjectFiles, paths: Set[str]) -> ProjectFiles:
    """With these files; what is still left out stays listed: a folder of which some was taken, too, for the rest of it."""
    files = (*found.files, *(_file(root, path) for path in paths))
    left = tuple(item for item in found.left_out if item.path not in paths)
    return ProjectFiles(files=tuple(sorted(files, key=lambda file: file.path)), left_out=left)


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
