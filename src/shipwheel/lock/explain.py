"""`explain`: why something stands in a lock, from the lock alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from shipwheel.errors import UsageError
from shipwheel.lock.values import Deb, Lock, PlatformLock

_DEPENDENCY = re.compile(r"(\S+) depends on it")
_SHOWN = 5
"""Packages that a hint names."""


def is_dependency(deb: Deb) -> bool:
    """Whether it is there for another Debian package alone."""
    return _DEPENDENCY.fullmatch(deb.reason) is not None


def explain(lock: Lock, name: str) -> list[str]:
    """The reasons for a Debian package, a line each, what asked for it below it; platforms that agree are told together.

    Raises:
        UsageError: the lock names no such Debian package.
    """
    told: dict[tuple[str, ...], list[str]] = {}
    for each in lock.platforms:
        if lines := tuple(_chain(each, name)):
            told.setdefault(lines, []).append(str(each.platform))
    if not told:
        raise UsageError(f"the lock names no Debian package '{name}'", hint=_hint(lock, name))
    together = len(told) == 1 and len(lock.platforms) == len(next(iter(told.values())))
    return [line for lines, names in told.items() for line in _headed(lines, "" if together else ", ".join(names))]


def _headed(lines: tuple[str, ...], platforms: str) -> tuple[str, ...]:
    return (f"{platforms}:", *(f"  {line}" for line in lines)) if platforms else lines


def _chain(locked: PlatformLock, name: str) -> Iterator[str]:
    """From the package to what needs it in the end."""
    debs, depth = {deb.name: deb for deb in locked.debs}, 0
    while name in debs:
        deb = debs.pop(name)  # a circle of dependencies ends where it began
        yield f"{'  ' * depth}{deb.name} {deb.version}: {deb.reason or 'part of the base'}"
        match, depth = _DEPENDENCY.fullmatch(deb.reason), depth + 1
        name = match[1] if match else ""


def _hint(lock: Lock, name: str) -> str:
    wheels = {wheel.name for each in lock.platforms for wheel in each.packages}
    if name.lower().replace("_", "-") in wheels:
        return f"'{name}' is a Python package: the requirements name it, or a package that needs it"
    added = {deb.name: deb for each in lock.platforms for deb in each.debs if deb.reason}
    if near := _near(name.lower(), added):
        return f"perhaps {', '.join(near)}"
    asked = sorted(each for each, deb in added.items() if not is_dependency(deb))
    return f"added were, with what they depend on: {', '.join(asked)}" if asked else "nothing was added to the base"


def _near(word: str, added: Mapping[str, Deb]) -> list[str]:
    """What has the word in its name, else what is there for a library or program of that name, else what is spelled like it."""
    parts = [each for each in sorted(added) if word in each]
    files = [each for each in sorted(added) if not is_dependency(added[each]) and word in added[each].reason.lower()]
    return (parts or files or get_close_matches(word, added, cutoff=0.75))[:_SHOWN]
