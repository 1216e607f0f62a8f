"""Whether a tar is of Shipwheel's layer format 1: ustar and PAX, sorted, parents first, nothing twice, nothing outside.

Only eStargz's table of contents stands out of order, as the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shipwheel.oci.estargz import TOC_NAME
from shipwheel.oci.gunzip import as_file
from shipwheel.oci.layer import MTIME

MAX_PROBLEMS = 20
"""A tar of another format has one with every member."""

_BLOCK = 512
_MAX_PAX = 1 << 20
_PAX_KEYS = {"path", "linkpath", "size"}
_OCTAL = re.compile(rb"[0-7]+\0")
_FILE, _SYMLINK, _DIRECTORY, _PAX = b"0", b"2", b"5", b"x"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One header, with what the PAX records before it say."""

    path: str
    kind: bytes
    size: int
    target: str
    faults: tuple[str, ...]


class _Malformed(Exception):  # noqa: N818 - never leaves this file
    """The tar cannot be read any further."""


def tar_problems(chunks: Iterator[bytes]) -> Iterator[str]:
    """What is wrong, in words, at most `MAX_PROBLEMS` of it; all of `chunks` is read unless it is malformed."""
    return islice(_problems(chunks), MAX_PROBLEMS)


def _problems(chunks: Iterator[bytes]) -> Iterator[str]:
    order, folders, seen = _order(""), {""}, set()
    try:
        for member in _members(chunks):
            path = member.path.removesuffix("/")
            yield from (f"'{path}': {fault}" for fault in (*member.faults, *_path_faults(member)))
            parent = path.rpartition("/")[0]
            if path in seen:
                yield f"'{path}': stands there twice"
            elif _order(path) < order:
                yield f"'{path}': out of order"
            if parent not in folders:
                yield f"'{path}': its folder does not come before it"
            order = _order(path)
            seen.add(path)
            if member.kind == _DIRECTORY:
                folders.add(path)
    except _Malformed as error:
        yield f"the tar is malformed: {error}"


def _order(path: str) -> tuple[bool, list[str]]:
    return path == TOC_NAME, path.split("/")


def _path_faults(member: _Member) -> Iterator[str]:
    path = member.path.removesuffix("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        yield "leaves the root, or is not written plainly"
    if member.kind not in (_FILE, _SYMLINK, _DIRECTORY):
        yield f"is of type {member.kind!r}"
    if (member.kind == _DIRECTORY) != member.path.endswith("/"):
        yield "a folder's name, and no other, ends with a slash"
    if member.kind != _FILE and member.size:
        yield "has bytes, but is no file"
    if (member.kind == _SYMLINK) != bool(member.target):
        yield "a link, and nothing else, has a target"


def _members(chunks: Iterator[bytes]) -> Iterator[_Member]:
    """Every member; ends only after the two zero blocks that must be the last (POSIX pax, "ustar Interchange Format")."""
    records: dict[str, str] = {}
    with as_file(chunks) as tar:

        def take(size: int) -> bytes:
            data = tar.read(size)
            if len(data) != size:
                raise _Malformed("it ends early")
            return data

        while (block := take(_BLOCK)) != b"\0" * _BLOCK:
            member = _member(block, records)
            if member.kind == _PAX:
                if member.size > _MAX_PAX:
                    raise _Malformed("a PAX header of more than a megabyte")
                records = _records(take(member.size))
                take(-member.size % _BLOCK)
                continue
            records = {}
            yield member
            for start in range(0, member.size, 1 << 20):
                take(min(1 << 20, member.size - start))
            if take(-member.size % _BLOCK).strip(b"\0"):
                raise _Malformed(f"padding of '{member.path}' is not zero")
        if take(_BLOCK).strip(b"\0") or tar.read(1):
            raise _Malformed("it does not end with two zero blocks")


def _member(block: bytes, records: dict[str, str]) -> _Member:
    faults = []
    if block[257:265] != b"ustar\x0000":
        faults.append("not a ustar header")
    if _octal(block[148:155]) != sum(block[:148]) + 8 * 32 + sum(block[156:]):
        raise _Malformed("a header's checksum is wrong")
    for name, field, wanted in (("uid", block[108:116], 0), ("gid", block[116:124], 0), ("mtime", block[136:148], MTIME)):
        if _octal(field) != wanted:
            faults.append(f"{name} is {_octal(field)}, not {wanted}")
    if block[265:345].strip(b"\0"):
        faults.append("names a user, a group or a device")
    if _octal(block[100:108]) > 0o7777:
        faults.append("its mode has bits that are no permissions")
    if set(records) - _PAX_KEYS:
        faults.append(f"PAX records {sorted(set(records) - _PAX_KEYS)}")
    prefix, name, target = (_text(field) for field in (block[345:500], block[:100], block[157:257]))
    return _Member(
        path=records.get("path", f"{prefix}/{name}" if prefix else name),
        kind=block[156:157],
        size=int(records.get("size", _octal(block[124:136]))),
        target=records.get("linkpath", target),
        faults=tuple(faults),
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _octal(field: bytes) -> int:
    if not _OCTAL.fullmatch(field):
        raise _Malformed(f"{field!r} is no octal number")
    return int(field[:-1], 8)


def _records(data: bytes) -> dict[str, str]:
    """`LENGTH key=value\\n`, each (POSIX pax, "pax Extended Header")."""
    records = {}
    while data:
        head, _, _ = data.partition(b" ")
        if not head.isdigit() or not data[int(head) - 1 : int(head)] == b"\n":
            raise _Malformed("a PAX record of another length than it says")
        key, _, value = data[len(head) + 1 : int(head) - 1].decode().partition("=")
        records[key], data = value, data[int(head) :]
    return records
