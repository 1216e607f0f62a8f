"""`Code` and `Library`: code for GPUs in a library, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["cubin", "ptx", "lto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """All code of one kind for one architecture: `architecture` is 90 of sm_90, `variant` is "a", "f" or empty.

    `count` is the number of entries in containers, `size` their bytes as they lie in the file (compressed).
    """

    kind: Kind
    architecture: int
    variant: str = ""
    count: int = 1
    size: int = 0

    @property
    def name(self) -> str:
        """sm_90a, compute_90, lto_90: as NVIDIA's tools call it."""
        prefix = {"cubin": "sm", "ptx": "compute", "lto": "lto"}[self.kind]
        return f"{prefix}_{self.architecture}{self.variant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A file with code for GPUs; `path` as in `native.elf.Elf`, `owner` the package that it comes with.

    `problem`: it was not understood.
    """

    path: str
    owner: str
    codes: tuple[Code, ...] = ()
    problem: str = ""
