"""`Record`: one measured build, as it is kept in results.json. `Pushed`: one measured push, as in push.json."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One push of what was built before it. Times in seconds, sizes in bytes; `building` is the build, no part of `seconds`.

    `stored` is what the registry's folder gained; `sent` and `received`, all that travelled, is None where nobody counted.
    """

    example: str
    side: str
    way: str
    change: str
    run: int
    seconds: float
    building: float
    stored: int
    sent: int | None = None
    received: int | None = None

    @property
    def counted(self) -> bool:
        """Whether it went through the counting proxy."""
        return self.sent is not None
