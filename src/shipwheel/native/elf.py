"""`Elf`: what a program or shared library says to the dynamic loader.

Source of the layout: System V ABI, "Object Files" and "Dynamic Linking"; LSB Core, "Symbol Versioning". All is found through
the program headers, as the loader finds it, so that files without section names are understood too.
"""

from __future__ import annotations

import mmap
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Buffer = bytes | mmap.mmap

MAGIC = b"\x7fELF"

DEVICE_SECTIONS = frozenset(
    {".nv_fatbin", ".nvFatBinSegment", ".hip_fatbin", ".hipFatBinSegment", ".cask_resource", ".ldata", ".lrodata"}
)
"""Where compilers put code for GPUs; the last three are where NVIDIA's own libraries have some."""

_64_BIT_LITTLE_ENDIAN = b"\x02\x01"
_MACHINES = {62: "x86_64", 183: "aarch64"}
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH, _VERNEED = 1, 5, 10, 14, 15, 29, 0x6FFFFFFE

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_ENTRY = struct.Struct("<qQ")
_VERSIONED = struct.Struct("<HHIII")
_VERSION = struct.Struct("<IHHII")

_MOST = 1 << 16
"""Headers, entries and versions that are read: more stand in no real file."""

_LONGEST = 4096
"""Bytes of a name, a list of folders or a name of a section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """One ELF file; `path` is where it lies, relative to the environment (/opt/venv) or to the project's folder.

    `needed` are DT_NEEDED names, `rpath` and `runpath` the folders of DT_RPATH and DT_RUNPATH as they stand there ($ORIGIN
    unexpanded), `versions` pairs of a needed name and a symbol version that it must have (libc.so.6, GLIBC_2.34), `machine`
    as in wheel tags (x86_64, aarch64; another: what the ELF header says). `device_code`: a section for code of GPUs is there.
    """

    path: str
    machine: str
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    device_code: bool = False


class _BrokenError(Exception):
    """An offset that lies outside the file, or a table without an end."""


def read_elf(data: Buffer, path: str) -> Elf | None:
    """What the file `data` says; None where it is no ELF file.

    Only headers and what they point to are touched. Of files for other machines than 64-bit little-endian ones the machine
    alone is told; where a file is broken, what could be read of it before that.
    """
    if data[:4] != MAGIC or len(data) < _HEADER.size:
        return None
    fields = _HEADER.unpack_from(data)
    if data[4:6] != _64_BIT_LITTLE_ENDIAN:
        return Elf(path=path, machine=f"machine {int.from_bytes(data[18:20], 'big' if data[5] == 2 else 'little')}")
    machine = _MACHINES.get(fields[2], f"machine {fields[2]}")
    file = _File(data)
    try:
        return _linked(file, path, machine)
    except _BrokenError:
        return Elf(path=path, machine=machine)


def _linked(file: _File, path: str, machine: str) -> Elf:
    values = file.dynamic()
    names = [file.name(value) for value in values[_NEEDED]]
    return Elf(
        path=path,
        machine=machine,
        soname=file.name(values[_SONAME][-1]) if values[_SONAME] else "",
        needed=tuple(dict.fromkeys(names)),
        rpath=_folders(file, values[_RPATH]),
        runpath=_folders(file, values[_RUNPATH]),
        versions=tuple(sorted(set(file.versions(values[_VERNEED])))),
        device_code=not DEVICE_SECTIONS.isdisjoint(file.sections()),
    )


def _folders(file: _File, values: Sequence[int]) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in file.name(value).split(":") if folder)


class _File:
    """The tables of one file; every look into it is checked against its end."""

    def __init__(self, data: Buffer) -> None:
        self._data = data
        fields = _HEADER.unpack_from(data)
        self._segments_at, self._sections_at = fields[5], fields[6]
        self._segment_count, self._section_count, self._names_at = fields[10], fields[12], fields[13]
        self._loads: list[tuple[int, int, int]] = []
        self._strings = self._strings_end = 0

    def dynamic(self) -> Mapping[int, list[int]]:
        """The dynamic section: values by tag. Sets where strings lie, too."""
        values: dict[int, list[int]] = defaultdict(list)
        where = size = 0
        for number in range(self._segment_count):
            kind, _, offset, address, _, length, *_ = self._at(_SEGMENT, self._segments_at + number * _SEGMENT.size)
            if kind == _LOAD:
                self._loads.append((address, length, offset))
            elif kind == _DYNAMIC:
                where, size = offset, length
        for number in range(min(size // _ENTRY.size, _MOST)):
            tag, value = self._at(_ENTRY, where + number * _ENTRY.size)
            if not tag:
                break
            values[tag].append(value)
        if values[_STRTAB] and values[_STRSZ]:
            self._strings = self._offset(values[_STRTAB][0])
            self._strings_end = self._strings + values[_STRSZ][0]
        return values

    def name(self, value: int) -> str:
        """A string of the dynamic section's table."""
        at = self._strings + value
        if at >= self._strings_end:
            raise _BrokenError
        return self._text(at, self._strings_end)

    def versions(self, tables: Sequence[int]) -> Iterator[tuple[str, str]]:
        """Symbol versions that needed libraries must have: the name of each with each version."""
        at = self._offset(tables[0]) if tables else 0
        budget = _MOST
        while at and (budget := budget - 1):
            _, count, file, first, following = self._at(_VERSIONED, at)
            library, version_at = self.name(file), at + first
            for _ in range(min(count, _MOST)):
                _, _, _, name, step = self._at(_VERSION, version_at)
                yield library, self.name(name)
                version_at += step
                if not step:
                    break
            at = at + following if following else 0

    def sections(self) -> Iterator[str]:
        """Names of all sections; none where they were cut off."""
        if not self._section_count or self._names_at >= self._section_count:
            return
        *_, names, length, _, _, _, _ = self._at(_SECTION, self._sections_at + self._names_at * _SECTION.size)
        for number in range(self._section_count):
            name, *_ = self._at(_SECTION, self._sections_at + number * _SECTION.size)
            yield self._text(names + name, names + length)

    def _offset(self, address: int) -> int:
        for start, length, offset in self._loads:
            if start <= address < start + length:
                return address - start + offset
        raise _BrokenError

    def _at(self, kind: struct.Struct, offset: int) -> tuple[int, ...]:
        if offset + kind.size > len(self._data):
            raise _BrokenError
        return kind.unpack_from(self._data, offset)

    def _text(self, at: int, end: int) -> str:
        end = min(end, at + _LONGEST, len(self._data))
        if at >= end:
            raise _BrokenError
        stop = self._data.find(b"\0", at, end)
        return self._data[at : stop if stop >= 0 else end].decode("utf-8", "replace")
