"""`read_codes`: the code for NVIDIA's GPUs in an ELF file.

nvcc puts containers into `.nv_fatbin`, one after the other; each holds entries, one for every architecture and kind of code.
NVIDIA publishes no layout; what stands here was found in its libraries and agrees with cuobjdump (`make architectures`).
Only headers are looked at, so that a library of a gigabyte takes a fraction of a second.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.errors import IntegrityError
from shipwheel.gpu.code import Code, Kind, Library
from shipwheel.gpu.cubin import is_empty, target
from shipwheel.gpu.sections import CUDA, Section, read_header, read_sections
from shipwheel.native.elf import MAGIC, Buffer

FILLED = frozenset({".nv_fatbin", "__nv_relfatbin"})
"""Sections of containers and zeros. `__nv_relfatbin` is what the device linker took: its PTX is linked for later GPUs."""

MIXED = frozenset({".cask_resource", ".ldata", ".lrodata"})
"""Large data of any kind, where cuFFT and torch have containers and cuBLASLt has cubins."""

_HIP = ".hip_fatbin"

_MAGIC = b"\x50\xed\x55\xba"
_VERSION = 1
_CONTAINER = struct.Struct("<4sHHQ")
"""Magic, version, bytes of this header, bytes of the entries."""

_ENTRY = struct.Struct("<HHIQIIHHIIIQ")
"""Kind, version, bytes of the header, bytes of the payload, bytes without padding, options, minor, major, architecture, name,
bytes of the name, flags; more follows that is not needed here."""

_ENTRY_VERSION = 0x0101
_SMALLEST, _LARGEST = 64, 1 << 16
"""Bytes of an entry's header; a larger one means that it is none."""

_KINDS: dict[int, Kind] = {1: "ptx", 2: "cubin", 8: "lto", 64: "ptx"}
"""64 is what cuobjdump calls relocatable PTX. It knows more: 128 is tile IR, 256 entries joined to one."""

_ACCELERATED, _FAMILY = 1 << 20, 1 << 21
_COMPRESSED = 0xF000

_ALIGNMENT = 8
_MAY_BE_EMPTY = 1 << 13
"""Bytes of cubins that are looked into for instructions: one without any has less than 2,000."""

_CUBIN = MAGIC + b"\x02\x01"
_MOST_ZEROS = 1 << 16
"""Bytes looked at together: in a library from which code was taken out there are millions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One piece of code: `size` bytes in this section of the file. An empty one is a cubin without instructions."""

    section: str
    kind: Kind
    architecture: int
    variant: str
    size: int
    empty: bool = False


def read_library(data: Buffer, path: str, owner: str) -> Library:
    """What an ELF file holds for GPUs; of one that is not understood the problem, and no code."""
    try:
        return Library(path=path, owner=owner, codes=read_codes(data))
    except IntegrityError as error:
        return Library(path=path, owner=owner, problem=error.message)


def read_codes(data: Buffer) -> tuple[Code, ...]:
    """All code in an ELF file by kind, architecture and variant; cubins without instructions are left out.

    Raises:
        IntegrityError: it is no ELF file of 64 bits, or something in it is not as it is known to be.
    """
    sizes = defaultdict[tuple[Kind, int, str], list[int]](list)
    for entry in read_entries(data):
        if not entry.empty:
            sizes[entry.kind, entry.architecture, entry.variant].append(entry.size)
    return tuple(
        Code(kind=kind, architecture=architecture, variant=variant, count=len(found), size=sum(found))
        for (kind, architecture, variant), found in sorted(sizes.items())
    )


def read_entries(data: Buffer) -> Iterator[Entry]:
    """Every piece of code, in the order of the file; a cubin is its own only one.

    Raises:
        IntegrityError: as `read_codes`.
    """
    if read_header(data, 0, len(data)).machine == CUDA:
        yield _bare(data, Section(name="", flags=0, address=0, start=0, end=len(data)))
        return
    for section in read_sections(data, 0, len(data)):
        if section.name == _HIP:
            raise IntegrityError("it holds code for AMD's GPUs, of which nothing more is known here")
        if section.name in FILLED:
            yield from _filled(data, section)
        elif section.name in MIXED:
            yield from _mixed(data, section)


def _filled(data: Buffer, section: Section) -> Iterator[Entry]:
    """Containers one after the other, with zeros between them, or behind one that was made smaller."""
    at = section.start + -section.address % _ALIGNMENT
    while at < section.end:
        if data[at : at + 4] == _MAGIC:
            end = _container_end(data, at, section)
            yield from _entries(data, at, end, section.name)
        else:
            end = _behind_zeros(data, at, section.end)
            if end == at:
                raise IntegrityError(f"{section.name} holds something other than containers at {at:#x}")
        at = end


def _behind_zeros(data: Buffer, at: int, end: int) -> int:
    """Where, in steps of the alignment, something else begins."""
    size = _ALIGNMENT
    while at < end:
        piece = data[at : min(at + size, end)]
        if piece.count(0) == len(piece):
            at += len(piece)
            size = min(2 * size, _MOST_ZEROS)
        elif size == _ALIGNMENT:
            break
        else:
            size = _ALIGNMENT
    return at


def _mixed(data: Buffer, section: Section) -> Iterator[Entry]:
    """Containers and cubins among other data, which has no form to go by."""
    at = section.start
    container, cubin = _next_container(data, at, section), _next_cubin(data, at, section)
    while container < section.end or cubin < section.end:
        if container < cubin:
            at = _container_end(data, container, section)
            yield from _entries(data, container, at, section.name)
        else:
            entry = _bare(data, section, cubin)
            at = cubin + entry.size
            yield entry
        if container < at:
            container = _next_container(data, at, section)
        if cubin < at:
            cubin = _next_cubin(data, at, section)


def _next_container(data: Buffer, at: int, section: Section) -> int:
    """Where the next one begins; the section's end if there is none. Four bytes alone are met by chance."""
    begins = struct.pack("<4sHH", _MAGIC, _VERSION, _CONTAINER.size)
    while (at := data.find(begins, at, section.end)) >= 0:
        if (at - section.start + section.address) % _ALIGNMENT == 0:
            return at
        at += 1
    return section.end


def _next_cubin(data: Buffer, at: int, section: Section) -> int:
    while (at := data.find(_CUBIN, at, section.end)) >= 0:
        if data[at + 18 : at + 20] == CUDA.to_bytes(2, "little"):
            return at
        at += 1
    return section.end


def _container_end(data: Buffer, at: int, section: Section) -> int:
    if at + _CONTAINER.size > section.end:
        raise _broken(section.name, at, "it is cut off")
    _, version, header, size = _CONTAINER.unpack_from(data, at)
    if (version, header) != (_VERSION, _CONTAINER.size):
        raise _broken(section.name, at, f"it has version {version} and a header of {header} bytes, which is not known")
    if at + header + size > section.end:
        raise _broken(section.name, at, f"its {size} bytes reach behind the section")
    if size % _ALIGNMENT:
        raise _broken(section.name, at, f"its size of {size} bytes is odd")
    return int(at + header + size)


def _entries(data: Buffer, container: int, end: int, name: str) -> Iterator[Entry]:
    at = container + _CONTAINER.size
    while at < end:
        if at + _SMALLEST > end:
            raise _broken(name, container, "its last entry is cut off")
        number, version, header, size, *_, architecture, _, _, flags = _ENTRY.unpack_from(data, at)
        if version != _ENTRY_VERSION or not _SMALLEST <= header <= _LARGEST or header % _ALIGNMENT or size % _ALIGNMENT:
            raise _broken(name, container, f"what should be an entry, at {at:#x}, is none")
        payload, at = at + header, at + header + size
        if at > end:
            raise _broken(name, container, "an entry reaches behind it")
        if number not in _KINDS:
            raise _broken(name, container, f"it holds code of kind {number}, which is not known")
        yield Entry(
            section=name,
            kind=_KINDS[number],
            architecture=_checked(architecture),
            variant="a" if flags & _ACCELERATED else "f" if flags & _FAMILY else "",
            size=size,
            empty=number == 2 and not flags & _COMPRESSED and size < _MAY_BE_EMPTY and is_empty(data, payload, at),
        )


def _bare(data: Buffer, section: Section, at: int = 0) -> Entry:
    """A cubin that lies in no container; its section headers are its end."""
    architecture, variant = target(data, at, section.end)
    size = read_header(data, at, section.end).size
    return Entry(
        section=section.name,
        kind="cubin",
        architecture=_checked(architecture),
        variant=variant,
        size=size,
        empty=size < _MAY_BE_EMPTY and is_empty(data, at, section.end),
    )


def _checked(architecture: int) -> int:
    if not 10 <= architecture < 1000:
        raise IntegrityError(f"there is code for architecture {architecture}, which no GPU has")
    return architecture


def _broken(section: str, at: int, why: str) -> IntegrityError:
    return IntegrityError(f"the container at {at:#x} in {section} is not understood: {why}")
