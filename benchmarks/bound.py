"""How close a wheel's way into a layer comes to its bound: inflating and hashing the same bytes in one process."""

from __future__ import annotations

import hashlib
import struct
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from isal import isal_zlib

from shipwheel.layers.wheels import wheel_tree
from shipwheel.oci.layer import pack

CHUNK = 1 << 20
"""Bytes read at a time."""

_LOCAL_HEADER = 30
"""Bytes of a zip's local header before name and extra field (APPNOTE 4.3.7)."""


def bound_seconds(wheels: Iterable[Path]) -> float:
    """Inflate all members, sha256 of what comes out (the diffID), and sha256 of the file (the digest)."""
    start = time.perf_counter()
    for wheel in wheels:
        _inflate_and_hash(wheel)
    return time.perf_counter() - start


def packing_seconds(wheels: Iterable[Path], python: str) -> float:
    """Read the wheels, check them, and pack each as a layer to /dev/null; no bytecode."""
    start = time.perf_counter()
    for wheel in wheels:
        _pack(wheel, python)
    return time.perf_counter() - start


def _inflate_and_hash(wheel: Path) -> None:
    packed, plain = hashlib.sha256(), hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset)
            name, extra = struct.unpack("<HH", file.read(_LOCAL_HEADER)[26:30])
            file.seek(info.header_offset + _LOCAL_HEADER + name + extra)
            inflater = isal_zlib.decompressobj(-15) if info.compress_type else None
            left = info.compress_size
            while left:
                piece = file.read(min(CHUNK, left))
                left -= len(piece)
                packed.update(piece)
                plain.update(inflater.decompress(piece) if inflater else piece)


def _pack(wheel: Path, python: str) -> None:
    with Path("/dev/null").open("wb") as sink:
        pack(wheel_tree(wheel, python), sink)
