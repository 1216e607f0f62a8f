"""A strict reader of eStargz, by the words of stargz-snapshotter's docs/estargz.md: from the footer to every file's bytes."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import zlib
from dataclasses import dataclass
from typing import Any

FOOTER_SIZE = 51


@dataclass(frozen=True, slots=True, kw_only=True)
class Stargz:
    """What a blob holds: the digest of its table of contents, the table's rows, the bytes of each regular file."""

    toc_digest: str
    rows: list[dict[str, Any]]
    files: dict[str, bytes]


def read_stargz(blob: bytes) -> Stargz:
    """Read a blob as a lazy node does, every digest checked."""
    toc, rows = read_toc(blob)
    return Stargz(toc_digest=_digest(toc), rows=rows, files=_files(blob, rows))


def read_toc(blob: bytes) -> tuple[bytes, list[dict[str, Any]]]:
    """The table of contents, raw, and its rows."""
    offset = toc_offset(blob[-FOOTER_SIZE:])
    inflater = zlib.decompressobj(31)
    tar = inflater.decompress(blob[offset:])
    assert inflater.eof
    assert inflater.unused_data == blob[-FOOTER_SIZE:], "the table shares its member, or something stands behind it"
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        (member,) = archive.getmembers()
        stream = archive.extractfile(member)
        assert member.name == "stargz.index.json"
        assert stream is not None
        toc = stream.read()
    value = json.loads(toc)
    assert value["version"] == 1
    return toc, value["entries"]


def toc_offset(footer: bytes) -> int:
    """ "Footer": header, XLEN 26, SG, LEN 22, 16 hex digits and STARGZ, an empty stored block, CRC and size."""
    assert footer[:3] == b"\x1f\x8b\x08"
    assert footer[3] == 4, "an extra field, and nothing else"
    assert struct.unpack_from("<H2sH", footer, 10) == (26, b"SG", 22)
    assert footer[32:38] == b"STARGZ"
    assert footer[38:] == b"\x01\0\0\xff\xff" + b"\0" * 8
    return int(footer[16:32], 16)


def _files(blob: bytes, rows: list[dict[str, Any]]) -> dict[str, bytes]:
    offsets = [row["offset"] for row in rows if "offset" in row]
    assert offsets == sorted(set(offsets)), "each chunk has an offset of its own, and they go up"
    files: dict[str, bytes] = {}
    by_name = {row["name"]: row for row in rows if row["type"] == "reg"}
    for row in rows:
        if row["type"] == "reg" and row["size"] == 0:
            assert not {"offset", "chunkDigest", "chunkSize", "chunkOffset"} & row.keys()
            files[row["name"]] = b""
        elif row["type"] in ("reg", "chunk"):
            start = row.get("chunkOffset", 0)
            assert start == len(files.get(row["name"], b"")), "chunks follow each other"
            size = row.get("chunkSize") or by_name[row["name"]]["size"] - start
            data = _inflate(blob, row["offset"], size)
            assert _digest(data) == row["chunkDigest"]
            files[row["name"]] = files.get(row["name"], b"") + data
    for name, row in by_name.items():
        assert len(files[name]) == row["size"]
        assert _digest(files[name]) == row["digest"]
    return files


def _inflate(blob: bytes, offset: int, size: int) -> bytes:
    """`size` bytes of the one gzip member at `offset`."""
    assert blob[offset : offset + 2] == b"\x1f\x8b"
    data = zlib.decompressobj(31).decompress(blob[offset:], size)
    assert len(data) == size, "the chunk is longer than its member"
    return data


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
