"""`Facts`: what one wheel's native files say, read once and remembered by the wheel's sha256."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shipwheel.gpu.code import Code, Library
from shipwheel.gpu.fatbin import read_library
from shipwheel.layers.wheels import wheel_tree
from shipwheel.native.elf import Buffer, Elf, read_elf
from shipwheel.native.members import elves_of_wheel

FORMAT = 1
"""Raised when reading the same wheel would give other facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The native files of a wheel, and those of them that hold code for GPUs."""

    elves: tuple[Elf, ...] = ()
    libraries: tuple[Library, ...] = ()


def read_facts(wheel: Path, owner: str, python: str, scratch: Path | None = None) -> Facts:
    """Read every native file of a wheel; `owner` is its package's name, `python` the minor version that it is installed for.

    Paths are those in the environment: lib/python3.11/site-packages/cv2/cv2.abi3.so. Large files are inflated to `scratch`.

    Raises:
        WheelError: it is no proper wheel.
    """
    return facts_in(elves_of_wheel(wheel_tree(wheel, python, owner).entries, scratch=scratch), owner)


def facts_in(files: Iterable[tuple[str, Buffer]], owner: str) -> Facts:
    """What native files say, each given with its path."""
    elves, libraries = list[Elf](), list[Library]()
    for path, data in files:
        elf = read_elf(data, path)
        if elf is None:
            continue
        elves.append(elf)
        if elf.device_code:
            libraries.append(read_library(data, path, owner))
    return Facts(elves=tuple(elves), libraries=tuple(each for each in libraries if each.codes or each.problem))


@dataclass(frozen=True, slots=True)
class FactsFolder:
    """Facts that were read before, in one folder; one that cannot be written just forgets."""

    folder: Path

    def of(self, sha256: str, wheel: Path, owner: str, python: str) -> Facts:
        """What is known of the wheel with this sha256 (hex), read now where nothing is.

        Raises:
            WheelError: it is no proper archive.
        """
        note = self.folder / f"{sha256}-{python}.{FORMAT}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            return _decoded(json.loads(note.read_text("utf-8")))
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        facts = read_facts(wheel, owner, python, self.folder if self.folder.is_dir() else None)
        with suppress(OSError):
            fresh = note.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(asdict(facts)), "utf-8")
            fresh.replace(note)
        return facts


def _decoded(value: Mapping[str, Any]) -> Facts:
    return Facts(
        elves=tuple(
            Elf(
                **{
                    **row,
                    **{key: tuple(row[key]) for key in ("needed", "rpath", "runpath")},
                    "versions": tuple((name, version) for name, version in row["versions"]),
                }
            )
            for row in value["elves"]
        ),
        libraries=tuple(
            Library(**{**row, "codes": tuple(Code(**code) for code in row["codes"])}) for row in value["libraries"]
        ),
    )
