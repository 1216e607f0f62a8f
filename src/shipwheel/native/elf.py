"""`Elf`: what a program or shared library says to the dynamic loader."""

from __future__ import annotations

from dataclasses import dataclass


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
