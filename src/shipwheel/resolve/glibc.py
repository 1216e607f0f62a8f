"""Wheels that want a newer C library than the base has: told where a package's files show it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from shipwheel.resolve.base import SUITES
from shipwheel.resolve.inside import GLIBC
from shipwheel.resolve.target import UV_NEWEST, Target

NAME_IT = "name the wheel by its URL or path"
"""What is named is not chosen by uv, which knows of no platform beyond UV_NEWEST."""


def newer(files: Sequence[str], target: Target) -> int:
    """The N of the oldest glibc 2.N on which one of these wheels fits the interpreter; 0 where it is not that alone."""
    if _fits(files, target):
        return 0
    tagged = {int(found) for each in files for found in re.findall(rf"manylinux_2_(\d+)_{target.machine}", each)}
    return next((each for each in sorted(tagged) if each > target.glibc and _fits(files, replace(target, glibc=each))), 0)


def wants(package: str, needed: int, target: Target) -> str:
    """In a sentence."""
    return f"wheels of {package} want glibc 2.{needed}, and the base has 2.{target.glibc}"


def remedy(files: Sequence[str], needed: int, target: Target, chosen: bool = False) -> str:
    """Another Python whose composed base runs one of them, where this is such a base; `chosen`: if uv has to choose it."""
    own = f"choose a version that has a wheel for glibc 2.{target.glibc} or older"
    if GLIBC.get(SUITES.get(target.python, "")) != target.glibc:
        return f"{own}, or a base with glibc 2.{needed}"
    for python, suite in SUITES.items():
        there = replace(target, python=python, glibc=GLIBC[suite])
        if _fits(files, there):
            beyond = chosen and not _fits(files, replace(there, glibc=min(there.glibc, UV_NEWEST)))
            also = f", and {NAME_IT}, because uv chooses none for more than 2.{UV_NEWEST}" if beyond else ""
            return f'set python = "{python}", whose base has glibc 2.{there.glibc}{also}'
    return own


def _fits(files: Sequence[str], target: Target) -> bool:
    return target.best((each, each) for each in files) is not None
