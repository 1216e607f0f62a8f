"""NVIDIA's tables of CUDA releases, drivers and architectures, as `data/cuda.toml` holds them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

Version = tuple[int, ...]
"""Compared number by number: (535, 104, 5) of 535.104.05."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """`first` is the CUDA that first knew it, `last` the last CUDA (major) for it, `driver` the last branch that runs it.

    0: there is no last one yet. `tegra`: a GPU in a Jetson.
    """

    first: str
    last: int = 0
    driver: int = 0
    tegra: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables; what each holds stands in the file, with its source."""

    majors: Mapping[int, str]
    releases: Mapping[str, str]
    forward: tuple[int, ...]
    architectures: Mapping[int, Architecture]


@cache
def tables() -> Tables:
    """Read once."""
    data = tomllib.loads(files("shipwheel").joinpath("data/cuda.toml").read_text(encoding="utf-8"))
    return Tables(
        majors={int(major): driver for major, driver in data["majors"].items()},
        releases=data["releases"],
        forward=tuple(data["forward"]["branches"]),
        architectures={int(name): Architecture(**row) for name, row in data["architectures"].items()},
    )


def parse_version(text: str) -> Version:
    """12.6 or 535.104.05 as numbers; what is no number ends it (570.26-beta is 570.26), so nothing is ()."""
    numbers: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
