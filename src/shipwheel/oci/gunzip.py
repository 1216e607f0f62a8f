"""A layer's tar out of its blob, a piece at a time, in flat memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from isal import isal_zlib

from shipwheel.errors import ImageError, IntegrityError
from shipwheel.oci.blob import Blob

_AT_ONCE = 1 << 16
"""Bytes inflated at a time: some shrink a thousandfold, and what comes out is held in memory."""

_GZIP = 31
"""zlib's window bits for a gzip header and trailer, CRC and size checked."""

_GZIP_TYPES = ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip")
_TAR_TYPES = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
LAYER_TYPES = (*_GZIP_TYPES, *_TAR_TYPES, "application/vnd.oci.image.layer.v1.tar+zstd")
"""The media types of layers (layer.md, "Media Types"), Docker's own included."""


def tar_of(blob: Blob) -> Iterator[bytes]:
    """The bytes of a layer's tar; the blob's digest is checked at the end.

    Raises:
        IntegrityError: damaged, or bytes after the last gzip member.
        ImageError: a compression that Shipwheel does not read.
    """
    media_type = blob.descriptor.media_type
    if media_type in _TAR_TYPES:
        return blob.chunks()
    if media_type in _GZIP_TYPES:
        return gunzip(blob.chunks(), str(blob.digest))
    raise ImageError(f"layer {blob.digest} is {media_type}, which cannot be unpacked here", hint="convert it to gzip")


def gunzip(chunks: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Inflate all members of a gzip file (RFC 1952, 2.2); `what` names it in errors.

    Raises:
        IntegrityError: a broken or cut member, or anything after the last.
    """
    inflater, begun = isal_zlib.decompressobj(_GZIP), False
    try:
        for piece in _pieces(chunks):
            rest = piece
            while rest:
                data, begun = inflater.decompress(rest), True
                if data:
                    yield data
                rest = inflater.unused_data
                if inflater.eof:
                    inflater, begun = isal_zlib.decompressobj(_GZIP), False
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub says `IsalError: Exception`
        raise IntegrityError(f"{what} is damaged: {error}") from None
    if begun:
        raise IntegrityError(f"{what} is damaged: its gzip stream ends early")


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _AT_ONCE):
            yield chunk[start : start + _AT_ONCE]


class Pieces(io.RawIOBase):
    """An iterator of bytes as a file to read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """The next bytes, at most as many as fit."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def as_file(chunks: Iterator[bytes]) -> BinaryIO:
    """An iterator of bytes as a buffered file to read."""
    return cast(BinaryIO, io.BufferedReader(Pieces(chunks), 1 << 18))
