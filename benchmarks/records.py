"""`Record`: one measured build, as it is kept in results.json."""

from __future__ import annotations

from dataclasses import dataclass

OCI_FOLDER = "OCI folder"
"""The way of a build that ends with a complete image, ready to be pushed."""

TO_ENGINE = "docker engine"
"""The way of a build that ends with an image that Docker can run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`side` is shipwheel or a Dockerfile, `way` how the image got where it should be. Times in seconds, sizes in bytes.

    `making` is the part of `seconds` before any push, where the two can be told apart.
    """

    example: str
    side: str
    way: str
    change: str
    run: int
    seconds: float
    making: float = 0.0
    written: int = 0
    memory: int = 0
    disk: int = 0
