"""`ESTARGZ`: layers that a node with a lazy snapshotter mounts before it has them, and that are plain layers to all others.

The format is stargz-snapshotter's docs/estargz.md: a gzip member begins at the bytes of every file, a table of contents in
a member of its own tells where, and a footer tells where the table is. Its newer `innerOffset`, several files in one
member, is not used: stargz-snapshotter reads it from 0.13 on only.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from typing import Any

from shipwheel.errors import TreeError
from shipwheel.oci.gunzip import as_file
from shipwheel.oci.image import canonical_json
from shipwheel.oci.layer import (
    BLOCK,
    COMPRESSOR,
    MTIME,
    VERBATIM_FROM,
    Form,
    Packed,
    Packer,
    Sink,
    contents,
    header,
    is_deflated,
)
from shipwheel.oci.tree import Entry, Kind

CHUNK_SIZE = 4 << 20
"""Bytes of a file in one gzip member, as the reference writer has it: a node fetches, checks and holds whole chunks."""

TOC_NAME = "stargz.index.json"
TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
UNCOMPRESSED_SIZE = "io.containers.estargz.uncompressed-size"
"""Read by Podman's lazy store, which must know the tar's size before it has the tar."""

NO_PREFETCH = ".no.prefetch.landmark"
"""Tells nodes to fetch nothing ahead: what a start will read is not known before one was watched, and prefetched files must
lie first in the tar, which then would be another one for every way to start."""

_TYPES = {Kind.FILE: "reg", Kind.DIRECTORY: "dir", Kind.SYMLINK: "symlink"}
_MODTIME = datetime.fromtimestamp(MTIME, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _EStargz(Packer):
    """Begins a member at the bytes of each file, of each chunk of larger ones, and writes down where."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._rows: list[dict[str, Any]] = []

    def pack(self, entries: Iterable[Entry]) -> Packed:
        landmark = Entry.data(NO_PREFETCH, b"\x0f")
        return super().pack(merge(_unreserved(entries), [landmark], key=lambda entry: entry.path.split("/")))

    def _add(self, data: bytes) -> None:
        self._pending += data

    def _add_entry(self, entry: Entry) -> None:
        self._rows.append(_row(entry))
        super()._add_entry(entry)

    def _add_file(self, entry: Entry) -> None:
        row = self._rows[-1]
        if is_deflated(entry) and entry.size <= CHUNK_SIZE:
            self._flush()
            row["offset"] = self._size
            self._add_deflated(entry)
            row["digest"] = row["chunkDigest"] = f"sha256:{entry.sha256 or _sha256(contents(entry))}"
        else:
            self._add_chunks(entry, row)

    def _add_chunks(self, entry: Entry, row: dict[str, Any]) -> None:
        """Take a file that is packed here; the member of its last chunk goes on with what follows, as the reference's does."""
        hasher = hashlib.sha256()
        with as_file(contents(entry)) as stream:
            for start in range(0, entry.size, CHUNK_SIZE):
                data = stream.read(CHUNK_SIZE)
                self._flush()
                if start:
                    self._rows.append({"name": entry.path, "type": "chunk", "chunkOffset": start})
                self._rows[-1] |= {"offset": self._size, "chunkDigest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
                if start + len(data) < entry.size:  # the last chunk has none (docs/estargz.md, "chunkSize")
                    self._rows[-1]["chunkSize"] = len(data)
                hasher.update(data)
                self._add(data)
            stream.read(1)  # a file that goes on after its last byte is found here
        row["digest"] = f"sha256:{hasher.hexdigest()}"

    def _finish(self) -> Packed:
        """Table of contents, the tar's end, footer."""
        self._flush()
        toc, offset = canonical_json({"version": 1, "entries": self._rows}), self._size
        self._add(header(Entry.data(TOC_NAME, toc)) + toc + b"\0" * (-len(toc) % BLOCK + 2 * BLOCK))
        self._flush()
        self._emit(_footer(offset))
        return self._packed({TOC_DIGEST: f"sha256:{hashlib.sha256(toc).hexdigest()}", UNCOMPRESSED_SIZE: str(self._unpacked)})


ESTARGZ = Form(key=f"estargz1/{COMPRESSOR}/{VERBATIM_FROM}/{CHUNK_SIZE}", packer=_EStargz)


def _unreserved(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if entry.path in (TOC_NAME, NO_PREFETCH, ".prefetch.landmark"):
            raise TreeError(f"'{entry.path}' is a name that eStargz needs for itself", hint="build without --estargz")
        yield entry


def _row(entry: Entry) -> dict[str, Any]:
    """The properties of a TOCEntry that do not depend on where it lies."""
    name = entry.path + ("/" if entry.kind is Kind.DIRECTORY else "")
    row = {"name": name, "type": _TYPES[entry.kind], "mode": entry.mode, "modtime": _MODTIME, "uid": 0, "gid": 0}
    if entry.kind is Kind.FILE:
        row |= {"size": entry.size, "digest": f"sha256:{hashlib.sha256().hexdigest()}"}
    return row | ({"linkName": entry.target} if entry.target else {})


def _sha256(pieces: Iterator[bytes]) -> str:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()


def _footer(offset: int) -> bytes:
    """An empty gzip member of 51 bytes, whose extra field (RFC 1952, 2.3.1.1) says where the table's member begins."""
    text = b"%016xSTARGZ" % offset
    extra = b"SG" + struct.pack("<H", len(text)) + text
    empty = b"\x01\x00\x00\xff\xff" + b"\0" * 8  # a stored block of no bytes, CRC, size
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(extra)) + extra + empty
