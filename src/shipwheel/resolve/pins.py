"""Hashes in requirements: `NAME==VERSION --hash=sha256:HEX ...`, which uv reads but does not hold its output to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shipwheel.project.reqfile import logical_lines
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.simple import normalise

_HASH = re.compile(r"--hash[= ](\w+):([0-9a-fA-F]+)")
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")


def hash_pins(requirements: Requirements) -> Mapping[str, frozenset[str]]:
    """The allowed sha256 (hex) by normalised name; empty where no line has a hash.

    A name whose hashes are all of other kinds has an empty set: nothing can be shown to be allowed.
    """
    found: dict[str, set[str]] = {}
    for text in _lines(requirements):
        hashes, name = _HASH.findall(text), _NAME.match(text)
        if hashes and name:
            allowed = {value.lower() for kind, value in hashes if kind == "sha256"}
            found.setdefault(normalise(name[0]), set()).update(allowed)
    return {name: frozenset(hashes) for name, hashes in found.items()}


def _lines(requirements: Requirements) -> Iterator[str]:
    yield from requirements.pinned
    for path in requirements.files if requirements.kind == "requirements" else ():
        yield from (text for _, text in logical_lines(path.read_text("utf-8", errors="replace")))
