"""Libraries that only programs with a special purpose call, so that the others run where these do not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipwheel.gpu.code import Library

_PURPOSES = {
    re.compile(r"libcufile.*"): "GPUDirect Storage",
    re.compile(r"libcusparseLt.*"): "2:4 sparsity",
    re.compile(r"lib(?:torch_)?nvshmem.*|nvshmem.*"): "NVSHMEM",
    re.compile(r"libcusolverMg.*"): "cuSOLVER on several GPUs",
}
"""By the file's name: what torch requires of NVIDIA's wheels though few programs reach it. As of 2026-11 libcufile.so has no
cubin for Blackwell; kernels of libcusparseLt.so are for 8.0 and later (pypi.org/project/nvidia-cusparselt-cu13)."""


def purpose(library: Library) -> str:
    """What this library is for, where it is special: GPUDirect Storage; else empty."""
    name = library.path.rpartition("/")[2]
    return next((text for pattern, text in _PURPOSES.items() if pattern.fullmatch(name)), "")


def essential(libraries: Iterable[Library]) -> list[Library]:
    """Those that any program may call; all, where all are special.

    A library for exact architectures alone (sm_90a) is one of several ways of a package that holds code for others too: vLLM's
    FlashAttention 3 is called on Hopper only.
    """
    found = list(libraries)
    usual = [each for each in found if not purpose(each)] or found
    broad = {each.owner for each in usual if not _for_exact_ones(each)}
    return [each for each in usual if not _for_exact_ones(each) or each.owner not in broad]


def _for_exact_ones(library: Library) -> bool:
    codes = [code for code in library.codes if code.kind != "lto"]
    return bool(codes) and all(code.variant for code in codes)
