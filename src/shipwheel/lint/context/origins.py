"""Where in the context a file of an image comes from."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step

_DEEPEST = 6
"""Stages that copy from each other are followed so far."""


def origin(dockerfile: Dockerfile, stage: Stage, path: str, depth: int = 0) -> str:
    """The path in the context of what the stage has at `path`, by its COPY and ADD; "" where none brings one that is there."""
    wanted = absolute(path)
    for step in reversed(list(stage.all_steps)):
        if step.keyword not in ("COPY", "ADD"):
            continue
        name = step.copies_from
        other = dockerfile.stage(name) if name else None
        for candidate in candidates(dockerfile, step, wanted):
            if not name and _there(dockerfile, candidate):
                return candidate
            if other and other is not stage and depth < _DEEPEST and (found := origin(dockerfile, other, candidate, depth + 1)):
                return found
    return ""


def _there(dockerfile: Dockerfile, path: str) -> bool:
    context = dockerfile.context
    return context.exists(path) and not context.is_folder(path) and not context.left_out(path)


def candidates(dockerfile: Dockerfile, step: Step, wanted: str) -> list[str]:
    """The paths, in what COPY or ADD copies from, that would stand at `wanted` afterwards."""
    found = []
    target = absolute(step.destination)
    below = wanted[len(target.rstrip("/")) + 1 :] if wanted.startswith(target.rstrip("/") + "/") else None
    for source in step.sources:
        start = posixpath.normpath(source.text.lstrip("/") or ".")
        start = "/" + start if step.copies_from else start
        name = posixpath.basename(start)
        if wanted == target:
            found.append(start)
        if below is None or "://" in source.text:
            continue
        if "*" in name or "?" in name:
            if fnmatchcase(below.partition("/")[0], name):
                found.append(posixpath.join(posixpath.dirname(start), below))
        else:
            found.append(posixpath.normpath(posixpath.join(start, below)))
            if below == name:
                found.append(start)
    return found


def absolute(path: str) -> str:
    """A path of an image; where the working directory is not known it counts as /, for all of them alike."""
    return posixpath.normpath(posixpath.join("/", path))
