"""Small ELF files with code for GPUs, as nvcc lays it out; `from support.fatbins import container, elf_file, entry`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

PTX, CUBIN, LTO = 1, 2, 8
ZSTD, LZ4 = 0x8000, 0x2000
ACCELERATED, FAMILY = 1 << 20, 1 << 21

_EXECUTABLE = 4
_BASE = 0x400000


def elf_file(
    sections: Mapping[str, bytes], *, machine: int = 62, flags: int = 0, abi: int = 0, executable: Iterable[str] = ()
) -> bytes:
    """An ELF file with these sections, each at an offset and address that 8 divides, and section headers at its end."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    body, rows, at = b"", [struct.pack("<IIQQQQIIQQ", *[0] * 10)], 1
    for name, data in (*sections.items(), (".shstrtab", names)):
        body += b"\0" * (-len(body) % 8)
        offset = 64 + len(body)
        access = _EXECUTABLE if name in executable else 2
        rows.append(struct.pack("<IIQQQQIIQQ", at, 1, access, _BASE + offset, offset, len(data), 0, 0, 8, 0))
        body += data
        at += len(name) + 1
    body += b"\0" * (-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01" + bytes([0, abi]) + bytes(7)
    head = struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 64 + len(body), flags, 64, 56, 0, 64, len(rows), len(rows) - 1)
    return ident + head + body + b"".join(rows)


def container(*entries: bytes) -> bytes:
    """A container of these entries; without any one that was emptied."""
    payload = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(payload)) + payload


def entry(kind: int, architecture: int, payload: bytes = b"code" * 16, *, flags: int = 0, header: int = 64) -> bytes:
    """An entry; `flags` are compression and variant. The payload is padded."""
    size = len(payload)
    payload += b"\0" * (-size % 8)
    compressed = size if flags & (ZSTD | LZ4) else 0
    head = struct.pack(
        "<HHIQIIHHIIIQQQ",
        kind,
        0x0101,
        header,
        len(payload),
        compressed,
        0,
        8,
        1,
        architecture,
        0,
        0,
        flags | 0x11,
        0,
        4 * size,
    )
    return head + b"\0" * (header - len(head)) + payload


def cubin(architecture: int, *, accelerated: bool = False, abi: int = 8, kernels: bool = True) -> bytes:
    """A cubin as CUDA 13 (ABI 8) or an older one (ABI 7) writes it; without kernels it has no instructions."""
    sections = {".nv.info": bytes(12)}
    if abi == 8:
        flags = 0x06000000 | architecture << 8 | 4
        sections[".nv.compat"] = bytes([4, 5, 4, 0, 9, 9, 9, 9, 2, 9, accelerated, 0, 3, 7, 1, 1])
    else:
        flags = architecture << 16 | 0x500 | accelerated << 11 | architecture
    if kernels:
        sections[".text.kernel"] = bytes(128)
    return elf_file(sections, machine=190, flags=flags, abi=abi, executable=[".text.kernel"])
