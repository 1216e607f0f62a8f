"""`Layer` and how one is packed: a `Tree` becomes a deterministic, multi-member gzip tar.

The tar is ustar with PAX records only where a name or size needs one (POSIX.1-2024, pax, "ustar Interchange Format").
Its gzip (RFC 1952, 2.2: members follow each other) holds one member for every large file whose deflate stream exists
already, copied verbatim, and members of packed headers and small files between them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import deflate
from isal import isal_zlib

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import CHUNK, Blob, Digest
from shipwheel.oci.tree import Entry, Kind

FORMAT = "1"
"""Part of every layer key: raise it when the bytes of any layer change."""

COMPRESSOR = "deflate-0.9.0-5"
"""PyPI's deflate (libdeflate inside, linked statically), version, level: neither processor nor host zlib change its output."""

LEVEL = 5
"""Measured on the text of site-packages: 2% larger than level 6 in three quarters of its time."""

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

MTIME = 315532800
"""1980-01-01T00:00:00Z in seconds: the oldest time that a zip file can hold, so that zip tools work in the container."""

VERBATIM_FROM = 16 * 1024
"""Bytes of deflated data from which a member is copied: below it, the member's own header costs more than it saves."""

PACK_AT = 1 << 20
"""Bytes of tar gathered before they are packed as one member: compression gains nothing from more, memory would."""

_INFLATE_AT = 1 << 16
"""Bytes of deflated data inflated at a time: some files shrink a thousandfold, and what comes out is held in memory."""

BLOCK = 512
_INFLATE_ERROR: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # isal's stub calls it a value
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A packed layer: its blob, the digest of its tar, what it holds in a few words, and the tar's size in bytes."""

    blob: Blob
    diff_id: Digest
    created_by: str
    unpacked: int


class Sink(Protocol):
    """Where packed bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What `pack` learnt while writing: digests and sizes (bytes) of the gzip and of the tar in it.

    `annotations` belong on the descriptor of the layer's blob.
    """

    digest: Digest
    size: int
    diff_id: Digest
    unpacked: int
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a tar's bytes become gzip members: `key`, part of every layer key, changes with what `packer` writes."""

    key: str
    packer: Callable[[Sink], Packer]


class Packer:
    """Packs what is added, in members of about a megabyte, and copies what is deflated already."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._tar, self._gzip = hashlib.sha256(), hashlib.sha256()
        self._unpacked = self._size = 0
        self._pending = bytearray()

    def pack(self, entries: Iterable[Entry]) -> Packed:
        """Write all entries, and the tar's end."""
        for entry in entries:
            self._add_entry(entry)
        return self._finish()

    def _add_entry(self, entry: Entry) -> None:
        """Take an entry."""
        self._add(header(entry))
        if entry.kind is Kind.FILE and entry.size:
            self._add_file(entry)
            self._add(b"\0" * (-entry.size % BLOCK))

    def _add(self, data: bytes) -> None:
        """Take the next bytes of the tar."""
        self._pending += data
        while len(self._pending) >= PACK_AT:
            self._pack(bytes(self._pending[:PACK_AT]))
            del self._pending[:PACK_AT]

    def _add_file(self, entry: Entry) -> None:
        """Take a file's bytes."""
        if is_deflated(entry):
            self._add_deflated(entry)
        else:
            for chunk in contents(entry):
                self._add(chunk)

    def _add_deflated(self, entry: Entry) -> None:
        """Take a file whose deflate stream exists: copied, and inflated once to hash and to check it."""
        self._flush()
        stored = entry.deflated
        assert stored is not None
        self._emit(_GZIP_HEADER)
        for chunk in _checked(entry, _inflated(entry, self._emit)):
            self._tar.update(chunk)
        self._emit(struct.pack("<II", stored.crc32, entry.size & 0xFFFFFFFF))
        self._unpacked += entry.size

    def _flush(self) -> None:
        """Begin a new member."""
        if self._pending:
            self._pack(bytes(self._pending))
            self._pending.clear()

    def _finish(self) -> Packed:
        """The end of the tar and the last member; no more can be added."""
        self._add(b"\0" * (2 * BLOCK))
        self._flush()
        return self._packed({})

    def _packed(self, annotations: Mapping[str, str]) -> Packed:
        return Packed(
            digest=Digest(self._gzip.hexdigest()),
            size=self._size,
            diff_id=Digest(self._tar.hexdigest()),
            unpacked=self._unpacked,
            annotations=annotations,
        )

    def _pack(self, data: bytes) -> None:
        self._tar.update(data)
        self._unpacked += len(data)
        self._emit(_GZIP_HEADER + bytes(deflate.deflate_compress(data, LEVEL)))
        self._emit(struct.pack("<II", isal_zlib.crc32(data), len(data) & 0xFFFFFFFF))

    def _emit(self, data: bytes) -> None:
        self._gzip.update(data)
        self._size += len(data)
        self._sink.write(data)


class _SingleMember(Packer):
    """One member, for the few readers that stop after the first; holds the whole tar in memory while it works."""

    def _add(self, data: bytes) -> None:
        self._pending += data

    def _add_file(self, entry: Entry) -> None:
        for chunk in contents(entry):
            self._pending += chunk


MULTI_MEMBER = Form(key=f"{COMPRESSOR}/{VERBATIM_FROM}", packer=Packer)
SINGLE_MEMBER = Form(key=f"single/{COMPRESSOR}", packer=_SingleMember)


def pack(entries: Iterable[Entry], sink: Sink, *, form: Form = MULTI_MEMBER) -> Packed:
    """Write the entries of a `Tree` to `sink` as a layer; the same entries give the same bytes on every machine.

    Raises:
        IntegrityError: a file is not of the size, CRC or sha256 that its entry promises.
    """
    return form.packer(sink).pack(entries)


def is_deflated(entry: Entry) -> bool:
    """Whether the entry's deflate stream is large enough to be copied."""
    return entry.deflated is not None and entry.deflated.size >= VERBATIM_FROM


def contents(entry: Entry) -> Iterator[bytes]:
    """A file's bytes, a piece at a time.

    Raises:
        IntegrityError: it is not what its entry promises; at the latest after the last piece.
    """
    return _checked(entry, _inflated(entry) if is_deflated(entry) else _read(entry))


def _read(entry: Entry) -> Iterator[bytes]:
    assert entry.open is not None, entry.path
    with entry.open() as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _inflated(entry: Entry, copy: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
    """The inflated bytes of an entry's deflate stream; each piece of the stream goes to `copy` as it is read."""
    stored = entry.deflated
    assert stored is not None, entry.path
    inflater = isal_zlib.decompressobj(-15)
    left, crc = stored.size, 0
    with stored.open() as stream:
        while left:
            piece = stream.read(min(_INFLATE_AT, left))
            if not piece:
                raise _damaged(entry, "its deflate stream ends early")
            left -= len(piece)
            if copy:
                copy(piece)
            try:
                data = inflater.decompress(piece)
            except _INFLATE_ERROR as error:
                raise _damaged(entry, f"its deflate stream is broken: {error}") from None
            crc = isal_zlib.crc32(data, crc)
            yield data
    if not inflater.eof or inflater.unused_data or crc != stored.crc32:
        raise _damaged(entry, "its deflate stream or CRC is wrong")


def _checked(entry: Entry, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass `chunks` on; the size is checked as they go, so that a bomb stops early, and sha256 at the end."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.size:
            raise _damaged(entry, f"it holds more than the {entry.size} bytes that it promises")
        if entry.sha256:
            hasher.update(chunk)
        yield chunk
    if size != entry.size:
        raise _damaged(entry, f"it holds {size} bytes, not the {entry.size} that it promises")
    if entry.sha256 and hasher.hexdigest() != entry.sha256:
        raise _damaged(entry, f"its sha256 is {hasher.hexdigest()}, promised was {entry.sha256}")


def _damaged(entry: Entry, reason: str) -> IntegrityError:
    return IntegrityError(f"{entry.origin or repr(entry.path)} is damaged: {reason}")


def header(entry: Entry) -> bytes:
    """The entry's tar header blocks, with a PAX record before them where ustar cannot hold a name, link or size."""
    name = entry.path + ("/" if entry.kind is Kind.DIRECTORY else "")
    records = {
        key: text
        for key, text, fits in (
            ("path", name, _split(name.encode()) is not None and name.isascii()),
            ("linkpath", entry.target, len(entry.target) <= 100 and entry.target.isascii()),
            ("size", str(entry.size), entry.size < 8**11),
        )
        if not fits
    }
    ustar = _ustar(name.encode(), entry.mode, 0 if "size" in records else entry.size, _TYPES[entry.kind], entry.target.encode())
    if not records:
        return ustar
    body = b"".join(_pax_record(key, text) for key, text in sorted(records.items()))
    return _ustar(b"PaxHeader", 0o644, len(body), b"x", b"") + body + b"\0" * (-len(body) % BLOCK) + ustar


def _pax_record(key: str, text: str) -> bytes:
    """`LENGTH key=value\\n`, where LENGTH counts itself (POSIX pax, "pax Extended Header")."""
    body = f" {key}={text}\n".encode()
    length = len(body) + len(str(len(body)))
    length = len(body) + len(str(length))
    return str(length).encode() + body


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """(prefix, name) that fit ustar's fields of 155 and 100 bytes, or None."""
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", max(0, len(name) - 101), 156)
    if cut <= 0 or len(name) - cut - 1 > 100 or cut + 1 == len(name):
        return None
    return name[:cut], name[cut + 1 :]


def _ustar(name: bytes, mode: int, size: int, kind: bytes, target: bytes) -> bytes:
    """One ustar header block (POSIX pax, "ustar Interchange Format"): uid and gid 0, no names, the one mtime."""
    prefix, base = _split(name) or (b"", name[:100])
    block = _USTAR.pack(
        base, b"%07o\0" % mode, b"%07o\0" % 0, b"%07o\0" % 0, b"%011o\0" % size, b"%011o\0" % MTIME,
        b" " * 8, kind, target[:100], b"ustar\x0000", b"", b"", b"", b"", prefix,
    )  # fmt: skip
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


_USTAR = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_TYPES = {Kind.FILE: b"0", Kind.DIRECTORY: b"5", Kind.SYMLINK: b"2"}
