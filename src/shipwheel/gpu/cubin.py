"""What a cubin, an ELF file of code for one GPU architecture, says of itself.

Sources: LLVM, BinaryFormat/ELF.h (EF_CUDA_*), and cubins that nvcc 13.0 made, as cuobjdump 13.5 describes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.errors import IntegrityError
from shipwheel.gpu.sections import CUDA, EXECUTABLE, read_header, read_sections
from shipwheel.native.elf import Buffer

_OLD_ABI, _NEW_ABI = 7, 8
"""EI_ABIVERSION: CUDA up to 12 writes 7 for all below sm_100; 8 came with sm_100, and with CUDA 13 for all."""

_OLD_ACCELERATED = 0x800
"""EF_CUDA_ACCELERATORS_V1. On architectures that have no variants, below sm_90, the bit means something else."""

_FIRST_WITH_VARIANTS = 90

_COMPATIBILITY = ".nv.compat"
_ACCELERATED = 9
"""The attribute of `.nv.compat` that is 1 for sm_90a and sm_100a: e_flags of the new ABI do not tell. Nothing tells sm_100f."""

_NONE, _BYTE, _HALF, _SIZED = 1, 2, 3, 4
"""How an attribute's value is stored: not at all, in its own four bytes, in as many as those say."""


def target(data: Buffer, start: int, end: int) -> tuple[int, str]:
    """The architecture (90 of sm_90) and variant ("a" or empty) that a cubin is for.

    Raises:
        IntegrityError: it is no cubin, or one of an ABI that is not known.
    """
    header = read_header(data, start, end)
    if header.machine != CUDA:
        raise IntegrityError(f"an ELF file for machine {header.machine} stands in the place of a cubin")
    if header.abi_version == _NEW_ABI:
        return header.flags >> 8 & 0xFF, "a" if _is_accelerated(data, start, end) else ""
    if header.abi_version != _OLD_ABI:
        raise IntegrityError(f"a cubin has ABI version {header.abi_version}, which is not known")
    architecture = header.flags & 0xFF
    accelerated = header.flags & _OLD_ACCELERATED and architecture >= _FIRST_WITH_VARIANTS
    return architecture, "a" if accelerated else ""


def is_empty(data: Buffer, start: int, end: int) -> bool:
    """Whether a cubin holds no instructions; of a source without kernels there is one, too. What cannot be read has some."""
    try:
        return not any(section.flags & EXECUTABLE for section in read_sections(data, start, end))
    except IntegrityError:
        return False


def _is_accelerated(data: Buffer, start: int, end: int) -> bool:
    for section in read_sections(data, start, end):
        if section.name == _COMPATIBILITY:
            return (_ACCELERATED, 1) in _attributes(data[section.start : section.end])
    return False


def _attributes(data: bytes) -> Iterator[tuple[int, int]]:
    """Attributes with small values; their records have the form of those in `.nv.info`."""
    at = 0
    while at + 4 <= len(data):
        form, attribute, value = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
        if form not in (_NONE, _BYTE, _HALF, _SIZED):
            return
        if form != _SIZED:
            yield attribute, value
        at += 4 + (value if form == _SIZED else 0)
