"""The rules of CUDA compatibility: which code a GPU runs, and which driver a CUDA needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from shipwheel.gpu.code import Code

Way = Literal["native", "jit", "no"]
"""How a device runs a library: by a cubin, by PTX that the driver compiles, not at all."""


def way(codes: Iterable[Code], architecture: int) -> Way:
    """How a device of this architecture (89 of sm_89) runs a library that holds these."""
    raise NotImplementedError
