"""`Section`: the parts of an ELF file by their names (System V ABI, "Sections")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.errors import IntegrityError
from shipwheel.native.elf import MAGIC, Buffer

CUDA = 190
"""EM_CUDA: the machine of a cubin."""

EXECUTABLE = 4
"""SHF_EXECINSTR: the section holds instructions."""

_NOBITS = 8
_64_BIT_LITTLE_ENDIAN = b"\x02\x01"
_HEADER = struct.Struct("<4s2s2xB7x2xH12xQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`start` and `end` are offsets in the file, `address` is where the loader puts the first byte."""

    name: str
    flags: int
    address: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first bytes of an ELF file say. `size` is where its tables of sections and segments end: all of a cubin."""

    machine: int
    flags: int
    abi_version: int
    sections: int
    count: int
    names: int
    size: int


def read_header(data: Buffer, start: int, end: int) -> Header:
    """The header of the ELF file in these bytes.

    Raises:
        IntegrityError: it is none of 64 bits in little endian, or its tables lie outside.
    """
    if end - start < _HEADER.size:
        raise IntegrityError("its ELF header is cut off")
    fields = _HEADER.unpack_from(data, start)
    magic, order, abi_version, machine, segments, sections, flags, head, segment, segment_count, section, count, names = fields
    if magic != MAGIC or order != _64_BIT_LITTLE_ENDIAN:
        raise IntegrityError("it is no ELF file of 64 bits in little endian")
    size = max(head, segments + segment * segment_count, sections + section * count)
    if size > end - start or (count and (section != _SECTION.size or names >= count)):
        raise IntegrityError("its ELF headers are cut off or not understood")
    return Header(machine=machine, flags=flags, abi_version=abi_version, sections=sections, count=count, names=names, size=size)


def read_sections(data: Buffer, start: int, end: int) -> Iterator[Section]:
    """The sections of an ELF file that have bytes in it.

    Raises:
        IntegrityError: one of them lies outside of the file.
    """
    header = read_header(data, start, end)
    rows = [_SECTION.unpack_from(data, start + header.sections + at * _SECTION.size) for at in range(header.count)]
    for name, kind, flags, address, offset, size, *_ in rows:
        if kind == _NOBITS or not size or not kind:
            continue
        if offset + size > end - start:
            raise IntegrityError("a section ends behind the file")
        text = _name(data, start + rows[header.names][4] + name, end)
        yield Section(name=text, flags=flags, address=address, start=start + offset, end=start + offset + size)


def _name(data: Buffer, at: int, end: int) -> str:
    text = data[at : min(at + _LONGEST_NAME, end)]
    return text.partition(b"\0")[0].decode("utf-8", "replace")
