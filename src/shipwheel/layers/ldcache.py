"""/etc/ld.so.cache without running ldconfig: which shared library lies where, for the loader and `ldconfig -p`.

Source: glibc, sysdeps/generic/dl-cache.h (struct cache_file_new, file_entry_new) and elf/dl-cache.c (_dl_cache_libcmp).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cmp_to_key
from posixpath import basename, dirname, normpath
from typing import BinaryIO, NamedTuple

from shipwheel.oci.tree import USRMERGED, Entry, Kind

PATH = "etc/ld.so.cache"

SYSTEM_FOLDERS = ("/lib", "/usr/lib")
"""What ldconfig searches after the folders of ld.so.conf."""

_MAGIC = b"glibc-ld.so.cache1.1"
_LITTLE_ENDIAN = 2
"""`cache_file_new_flags_endian_little`."""
_FLAGS = {62: 0x0303, 183: 0x0A03}
"""By ELF machine (x86-64, AArch64): FLAG_ELF_LIBC6 and the architecture's FLAG_..._LIB64."""

_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_ELF = struct.Struct("<4sBB10x2xH4x8xQ8x4x2xHH")
_PROGRAM = struct.Struct("<II5Q")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SONAME = 5, 14
_MAX_LINKS = 40
"""Links followed in a row, as Linux does (path_resolution(7))."""


class _Library(NamedTuple):
    name: str
    path: str
    flags: int


def ld_so_cache(entries: Iterable[Entry]) -> Entry:
    """The cache file for all `entries` of an image's system layers, the same bytes for the same entries."""
    files = {entry.path: entry for entry in entries}
    libraries = sorted(_libraries(files), key=cmp_to_key(_compare), reverse=True)
    strings = bytearray()
    places: dict[str, int] = {}
    base = _HEADER.size + _ENTRY.size * len(libraries)
    for text in (text for library in libraries for text in (library.name, library.path)):
        if text not in places:
            places[text] = base + len(strings)
            strings += text.encode() + b"\0"
    header = _HEADER.pack(_MAGIC, len(libraries), len(strings), _LITTLE_ENDIAN, 0)
    table = b"".join(_ENTRY.pack(found.flags, places[found.name], places[found.path], 0, 0) for found in libraries)
    return Entry.data(PATH, header + table + bytes(strings))


def _compare(one: _Library, other: _Library) -> int:
    """`_dl_cache_libcmp`: runs of digits compare as numbers and sort above anything else."""
    left, right = _parts(one.name), _parts(other.name)
    return (left > right) - (left < right)


def _parts(name: str) -> list[tuple[int, int]]:
    """A list that sorts as `_dl_cache_libcmp` does: the end first, characters by code, then numbers."""
    parts = []
    for number, character in re.findall(r"(\d+)|(\D)", name):
        parts.append((2, int(number)) if number else (1, ord(character)))
    return parts


def _libraries(files: Mapping[str, Entry]) -> Iterator[_Library]:
    """Every library of the searched folders by its soname, and by the `.so` link that linkers use where there is one."""
    seen = set()
    for folder in _folders(files):
        real = _merged(folder)
        if real in seen:
            continue
        seen.add(real)
        yield from sorted(set(_in_folder(files, folder, real)))


def _in_folder(files: Mapping[str, Entry], folder: str, real: str) -> Iterator[_Library]:
    for path, entry in files.items():
        name = basename(path)
        if dirname(path) != real or entry.kind is Kind.DIRECTORY or not re.match(r"(lib|ld-).*\.so", name):
            continue
        target = entry if entry.kind is Kind.FILE else resolve(files, path)
        soname, machine = read_soname(target) if target else ("", 0)
        if machine in _FLAGS:
            soname = soname or name
            lies = soname if f"{real}/{soname}" in files else name
            yield _Library(soname, f"{folder}/{lies}", _FLAGS[machine])
            if entry.kind is Kind.SYMLINK and name.endswith(".so"):
                yield _Library(name, f"{folder}/{name}", _FLAGS[machine])


def _folders(files: Mapping[str, Entry]) -> Iterator[str]:
    """ld.so.conf's folders in its order (ldconfig(8)), then the system's."""
    yield from _configured(files, "etc/ld.so.conf")
    yield from SYSTEM_FOLDERS


def _configured(files: Mapping[str, Entry], path: str) -> Iterator[str]:
    entry = files.get(path)
    for line in entry.read().decode().splitlines() if entry else ():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and len(words) == 2:
            for included in sorted(name for name in files if fnmatch(name, words[1].lstrip("/"))):
                yield from _configured(files, included)
        elif words and words[0].startswith("/"):
            yield normpath(words[0])


def resolve(files: Mapping[str, Entry], path: str) -> Entry | None:
    """The file that a path of the image means once links are followed, or None."""
    for _ in range(_MAX_LINKS):
        entry = files.get(_merged(path))
        if entry is None or entry.kind is not Kind.SYMLINK:
            return entry
        path = entry.target if entry.target.startswith("/") else f"{dirname(_merged(path))}/{entry.target}"
    return None


def _merged(path: str) -> str:
    """A path without its leading slash, below usr/ where the merged-usr links lead."""
    path = normpath(path).lstrip("/")
    return f"usr/{path}" if path.partition("/")[0] in USRMERGED else path


def read_soname(entry: Entry) -> tuple[str, int]:
    """(DT_SONAME or "", ELF machine) of a 64-bit little-endian ELF file; ("", 0) of any other file."""
    assert entry.open is not None
    with entry.open() as stream:
        head = stream.read(_ELF.size)
        if len(head) < _ELF.size:
            return "", 0
        magic, word, order, machine, offset, step, count = _ELF.unpack(head)
        if (magic, word, order) != (b"\x7fELF", 2, 1):
            return "", 0
        programs = [_PROGRAM.unpack(part) for part in _records(stream, offset, step * count, step, _PROGRAM.size)]
        return _soname(stream, programs), machine


def _soname(stream: BinaryIO, programs: list[tuple[int, ...]]) -> str:
    dynamic = next((program for program in programs if program[0] == _PT_DYNAMIC), None)
    if dynamic is None:
        return ""
    tags = dict(reversed([struct.unpack("<qQ", part) for part in _records(stream, dynamic[2], dynamic[5], 16, 16)]))
    if _DT_SONAME not in tags or _DT_STRTAB not in tags:
        return ""
    for kind, _, offset, address, _, size, _ in programs:
        if kind == _PT_LOAD and address <= tags[_DT_STRTAB] < address + size:
            stream.seek(offset + tags[_DT_STRTAB] - address + tags[_DT_SONAME])
            return stream.read(256).partition(b"\0")[0].decode("utf-8", "replace")
    return ""


def _records(stream: BinaryIO, offset: int, length: int, step: int, size: int) -> Iterator[bytes]:
    stream.seek(offset)
    data = stream.read(length)
    return (data[at : at + size] for at in range(0, len(data) - size + 1, step))
