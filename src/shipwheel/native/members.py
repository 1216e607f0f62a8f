"""The ELF files of a wheel or a project, one after the other, as bytes to look into."""

from __future__ import annotations

import mmap
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from shipwheel.errors import StoreError
from shipwheel.native.elf import MAGIC, Buffer

if TYPE_CHECKING:
    from shipwheel.oci.tree import Entry
    from shipwheel.project import ProjectFile

_HEADER = 64
"""Bytes of the header of a 64-bit ELF file: what is smaller is none."""

_IN_MEMORY = 16 << 20
"""Bytes up to which a file is held in memory; a larger one (torch has one of a GB) goes through a temporary file."""

_CHUNK = 1 << 20

_ENOUGH = 512
"""Packed bytes that hold the first four of a file: codes at the start of a block take 300 at most (RFC 1951, 3.2.7)."""


def elves_of_wheel(files: Iterable[Entry], root: str = "opt/venv", scratch: Path | None = None) -> Iterator[tuple[str, Buffer]]:
    """Every ELF file among `files` (what `layers.wheels.wheel_tree` gives), with its path below `root`, in the order of paths.

    Each is inflated once, the large ones to a file in `scratch` (the system's folder for such by default) that has no name
    and is gone with the last use of the buffer: look at one before asking for the next.

    Raises:
        WheelError: a member is damaged.
        StoreError: no room to inflate to.
    """
    for entry in files:
        if entry.size >= _HEADER and _first(entry) == MAGIC:
            yield entry.path.removeprefix(f"{root}/"), _held(entry, scratch)


def elves_of_folder(files: Iterable[ProjectFile]) -> Iterator[tuple[str, Buffer]]:
    """Every ELF file among a project's files, with its path in the project."""
    for file in files:
        if file.target or file.size < _HEADER:
            continue
        with file.source.open("rb") as stream:
            if stream.read(4) == MAGIC:
                yield file.path, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _first(entry: Entry) -> bytes:
    """The first four bytes, with as little inflated as can be."""
    from isal import isal_zlib

    if entry.deflated:
        with entry.deflated.open() as packed:
            start = packed.read(min(_ENOUGH, entry.deflated.size))
        try:
            return isal_zlib.decompressobj(-15).decompress(start, 4)
        except isal_zlib.IsalError:  # type: ignore[misc]  # isal's stub calls it a value; what is wrong, opening it tells
            pass
    if entry.open is None:
        return b""
    with entry.open() as stream:
        return stream.read(4)


def _held(entry: Entry, scratch: Path | None) -> Buffer:
    if entry.open is None:
        return entry.read()
    try:
        with entry.open() as stream:
            return hold(stream, entry.size, scratch=scratch)
    except OSError as error:
        raise StoreError(
            f"no room to unpack {entry.origin or entry.path}: {error}", hint="set TMPDIR to a folder with more room"
        ) from None


def hold(stream: IO[bytes], size: int, *, start: bytes = b"", scratch: Path | None = None) -> Buffer:
    """`start`, which was read already, and the rest of a file of `size` bytes; a large one goes through a nameless file."""
    if size <= _IN_MEMORY:
        return start + stream.read()
    with tempfile.TemporaryFile(prefix="shipwheel-elf-", dir=scratch) as file:
        file.write(start)
        shutil.copyfileobj(stream, file, _CHUNK)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
