"""A wheel as an archive: its members and its RECORD, looked at before anything of it is used.

Source of every rule: PyPA specifications, "Binary distribution format" and "Recording installed projects"; the zip format is
PKWARE's APPNOTE.TXT.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from isal import isal_zlib

from shipwheel.errors import Problem, WheelError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_RATIO = 200
"""Unpacked to packed bytes of a whole wheel; the worst real ones (generated tables) reach 20."""

RATIO_MATTERS_FROM = 1 << 30
"""Unpacked bytes from which MAX_RATIO is looked at: a smaller bomb harms nobody."""

_NEEDED = ("METADATA", "RECORD", "WHEEL")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STRONG = ("sha256", "sha384", "sha512")
"""What RECORD may be signed with: "sha256 or better"; other hashes are not looked at, as by pip."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END_RECORD = 22
"""Bytes of the zip's last record, without its comment (APPNOTE.TXT, 4.3.16)."""

_PIECE = 1 << 16
"""Packed bytes read at a time: some shrink a thousandfold, and what comes out is held in memory."""

_SLURP = 1 << 20
"""Bytes up to which a member is read whole."""

_INFLATE_ERROR: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # isal's stub calls it a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What RECORD says of a file: hash (hex) with its algorithm, both empty where it has none, and bytes or -1."""

    algorithm: str = ""
    digest: str = ""
    size: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A wheel that was looked at; `name` is what errors call it."""

    path: Path
    name: str
    members: tuple[zipfile.ZipInfo, ...]
    dist_info: str
    record: Mapping[str, Recorded] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        """The project's name, normalized; headers are installed below it."""
        from packaging.utils import canonicalize_name

        return canonicalize_name(self.dist_info.removesuffix(".dist-info").rpartition("-")[0])

    def read(self, name: str) -> bytes | None:
        """A file of the .dist-info folder, if it is there."""
        wanted = f"{self.dist_info}/{name}"
        member = next((info for info in self.members if info.filename == wanted), None)
        return self.open(member).read() if member else None

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """A member's bytes, inflated; its size and CRC are checked when the last of them is read."""
        if info.file_size <= _SLURP:
            return io.BytesIO(b"".join(self._pieces(info)))
        return cast(BinaryIO, io.BufferedReader(_Pieces(self._pieces(info)), _PIECE))

    def open_packed(self, info: zipfile.ZipInfo) -> BinaryIO:
        """The wheel's file, placed at a member's packed bytes (APPNOTE.TXT, 4.3.7: the local header has lengths of its own)."""
        stream = self.path.open("rb")
        stream.seek(info.header_offset)
        header = stream.read(_LOCAL_HEADER.size)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(header.ljust(_LOCAL_HEADER.size, b"\0"))
        if magic != b"PK\x03\x04" or stream.read(name_length) != _name_bytes(info):
            stream.close()
            raise self.damaged(info, "its local header is missing or names another file")
        stream.seek(extra_length, io.SEEK_CUR)
        return stream

    def damaged(self, info: zipfile.ZipInfo, reason: str) -> WheelError:
        """The error for a member whose bytes are not what they should be."""
        return WheelError(f"'{info.filename}' in {self.name} is damaged: {reason}", hint="remove the wheel and fetch it again")

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        size = crc = 0
        for piece in self._inflated(info):
            size, crc = size + len(piece), isal_zlib.crc32(piece, crc)
            if size > info.file_size:
                break
            yield piece
        if size != info.file_size or crc != info.CRC:
            raise self.damaged(info, "its size or CRC is wrong")

    def _inflated(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        inflater = isal_zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
        left = info.compress_size
        with self.open_packed(info) as stream:
            while left:
                packed = stream.read(min(_PIECE, left))
                if not packed:
                    raise self.damaged(info, "it ends early")
                left -= len(packed)
                try:
                    yield inflater.decompress(packed) if inflater else packed
                except _INFLATE_ERROR as error:
                    raise self.damaged(info, str(error)) from None


class _Pieces(io.RawIOBase):
    """A stream of what an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def open_archive(path: Path, name: str = "") -> Archive:
    """Look at the wheel at `path`; `name` is what errors call it, when the file's own name says little.

    Raises:
        WheelError: everything that is wrong with it.
    """
    name = name or path.name
    try:
        with zipfile.ZipFile(path) as zipped:
            members, directory_at, comment = tuple(zipped.infolist()), zipped.start_dir, len(zipped.comment)
        faults = [*_layout_faults(path, members, directory_at, comment)]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise WheelError(f"{name} is not a readable wheel: {error}", hint="remove it and fetch it again") from None
    for info in members:
        faults += _member_faults(info)
    faults += _clashes(members)
    folders = {top for info in members if (top := info.filename.partition("/")[0]).endswith(".dist-info")}
    if len(folders) != 1:
        held = ", ".join(sorted(folders)) or "none"
        faults.append(Problem(message=f"must hold one .dist-info folder, holds {held}"))
    archive = Archive(path=path, name=name, members=members, dist_info=min(folders, default=""))
    record: dict[str, Recorded] = {}
    if not faults:
        record, faults = _parse_record(archive)
        faults += [*_info_faults(archive), *_size_faults(archive, record)]
    if faults:
        raise broken(name, faults)
    return Archive(path=path, name=name, members=members, dist_info=archive.dist_info, record=record)


def broken(name: str, faults: list[Problem]) -> WheelError:
    """The error that lists all faults of one wheel."""
    return WheelError(f"{name} breaks the wheel format:", faults, hint="tell its authors, or require another version")


def _name_bytes(info: zipfile.ZipInfo) -> bytes:
    """As it stands in the zip (APPNOTE.TXT, appendix D: bit 11 says UTF-8)."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _layout_faults(path: Path, members: tuple[zipfile.ZipInfo, ...], directory_at: int, comment: int) -> Iterator[Problem]:
    """Bytes that belong to no member, or to two: programs differ in what they read from such a zip."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(-min(_END_RECORD + comment, size), io.SEEK_END)
        if stream.read(4) != b"PK\x05\x06":
            yield Problem(message="has bytes after its end")
    ordered = sorted(members, key=lambda info: info.header_offset)
    if ordered and ordered[0].header_offset:
        yield Problem(message="has bytes before its first member")
    ends = [info.header_offset for info in ordered[1:]] + [directory_at]
    for info, end in zip(ordered, ends, strict=False):
        if info.header_offset + _LOCAL_HEADER.size + len(_name_bytes(info)) + info.compress_size > end:
            yield Problem(path=info.filename, message="overlaps what follows it: a zip bomb")
    unpacked = sum(info.file_size for info in members)
    if unpacked > RATIO_MATTERS_FROM and unpacked > MAX_RATIO * size:
        yield Problem(message=f"would unpack from {size:,} to {unpacked:,} bytes: a zip bomb")


def _member_faults(info: zipfile.ZipInfo) -> Iterator[Problem]:
    name, mode = info.orig_filename, info.external_attr >> 16
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or not {"", ".", ".."}.isdisjoint(name.removesuffix("/").split("/"))
    ):
        yield Problem(path=name, message="is an absolute path, or has '..', '.', a backslash, a null byte or an empty part")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield Problem(path=name, message="is a link or a device, which no wheel may hold")
    if info.flag_bits & 1:
        yield Problem(path=name, message="is encrypted")
    if info.compress_type not in _METHODS:
        yield Problem(path=name, message="is compressed by another method than deflate")


def _clashes(members: tuple[zipfile.ZipInfo, ...]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for info in members:
        other = seen.setdefault(info.filename.casefold(), info.filename)
        if other != info.filename:
            yield Problem(path=info.filename, message=f"differs from '{other}' in case only")
    names = [info.filename for info in members]
    for name in sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ():
        yield Problem(path=name, message="stands there twice")


def _info_faults(archive: Archive) -> Iterator[Problem]:
    present = {info.filename for info in archive.members}
    for name in _NEEDED:
        if f"{archive.dist_info}/{name}" not in present:
            yield Problem(path=f"{archive.dist_info}/{name}", message="is missing")
    text = archive.read("WHEEL")
    match = re.search(rb"^Wheel-Version:\s*(\d+)\.\d+\s*$", text or b"", re.MULTILINE | re.IGNORECASE)
    if text is not None and (not match or match[1] != b"1"):
        yield Problem(path=f"{archive.dist_info}/WHEEL", message="has no Wheel-Version 1.x")


def _parse_record(archive: Archive) -> tuple[dict[str, Recorded], list[Problem]]:
    where = f"{archive.dist_info}/RECORD"
    rows = csv.reader(io.StringIO((archive.read("RECORD") or b"").decode("utf-8", "replace"), newline=""))
    record: dict[str, Recorded] = {}
    faults = []
    try:
        for row in rows:
            name, digest, size = (*row, "", "", "")[:3]
            try:
                record[name] = _recorded(digest, size)
            except ValueError:
                faults.append(
                    Problem(file=where, line=rows.line_num, path=name, message="has a hash or size that cannot be read")
                )
    except csv.Error as error:
        faults.append(Problem(file=where, line=rows.line_num, message=f"cannot be read: {error}"))
    return record, faults


def _recorded(digest: str, size: str) -> Recorded:
    algorithm, _, encoded = digest.partition("=")
    length = int(size) if size else -1
    if algorithm not in _STRONG:
        return Recorded(size=length)
    decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    if len(decoded) != hashlib.new(algorithm).digest_size:
        raise ValueError(digest)
    return Recorded(algorithm=algorithm, digest=decoded.hex(), size=length)


def _size_faults(archive: Archive, record: Mapping[str, Recorded]) -> Iterator[Problem]:
    for info in archive.members:
        size = record.get(info.filename, Recorded()).size
        if size not in (-1, info.file_size):
            yield Problem(path=info.filename, message=f"has {info.file_size} bytes where RECORD says {size}")
