"""Reads instructions as BuildKit's frontend/dockerfile/parser does, and keeps the place of each character."""

from __future__ import annotations

from shipwheel.lint.dockerfile.instructions import Parsed
from shipwheel.lint.source import Source


def parse(source: Source) -> Parsed:
    """The instructions of a Dockerfile; never raises, whatever the text: what BuildKit would refuse is a `Fault`."""
    raise NotImplementedError
