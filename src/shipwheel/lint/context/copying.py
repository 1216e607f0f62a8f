"""What COPY, ADD and mounts take out of the context."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.word import Word

_URL = re.compile(r"[a-z][a-z0-9+]*://|git@", re.IGNORECASE)


def from_context(step: Step) -> tuple[Word, ...]:
    """The sources of a COPY or ADD that lie in the context: no stage's, no image's, no URL, nothing that is not known."""
    if step.keyword not in ("COPY", "ADD") or step.instruction.flag("from"):
        return ()
    return tuple(word for word in step.sources if word.known and "$" not in word.text and not _URL.match(word.text))


def tidy(source: str) -> str:
    """A source relative to the context, "." for all of it."""
    return posixpath.normpath(posixpath.join("/", source)).lstrip("/") or "."


def is_whole(source: str) -> bool:
    """Whether it is the context as a whole."""
    return tidy(source) in (".", "*", "**", ".*")


def whole_copy(step: Step) -> bool:
    """Whether a step copies the whole context, and not with patterns that leave out what is not needed."""
    return step.instruction.flag("exclude") is None and any(is_whole(word.text) for word in from_context(step))


def mounted(step: Step) -> Iterator[str]:
    """The sources of bind mounts of the context."""
    for mount in step.mounts:
        source = mount.options.get("source", ".")
        if mount.type == "bind" and not mount.options.get("from") and "$" not in source:
            yield tidy(source)


def taken(dockerfile: Dockerfile) -> Iterator[tuple[Step, str]]:
    """Every source in the context that a Dockerfile names, with the step; ONBUILD takes from that of another Dockerfile."""
    for step in dockerfile.steps("COPY", "ADD", "RUN"):
        if step.onbuild:
            continue
        if step.keyword != "RUN":
            yield from ((step, tidy(word.text)) for word in from_context(step))
            continue
        yield from ((step, source) for source in mounted(step))


def in_context(step: Step, path: str) -> str:
    """Where a path of the image comes from, if this COPY or ADD of one folder, or of the context, brought it; "" otherwise."""
    found = from_context(step)
    if len(found) != 1 or "*" in found[0].text:
        return ""
    source, target = tidy(found[0].text), step.destination.rstrip("/") or "/"
    below = posixpath.relpath(path, target) if target.startswith("/") == path.startswith("/") else ".."
    return "" if below.startswith("..") else posixpath.normpath(posixpath.join(source, below))
