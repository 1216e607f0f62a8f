"""The rules of CUDA compatibility: which code a GPU runs, and which driver a CUDA needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shipwheel.gpu.code import Code
from shipwheel.lock.values import Accelerator

Way = Literal["native", "jit", "no"]
"""How a device runs a library: by a cubin, by PTX that the driver compiles, not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an image or a library needs: `cuda` (or ROCm, by `kind`) is a version such as 12.6, `codes` what it holds for GPUs.

    Empty `cuda`: none is known to be needed. No `codes`: none are known, and architectures are not checked.
    """

    cuda: str = ""
    codes: tuple[Code, ...] = ()
    kind: str = "cuda"

    @classmethod
    def of(cls, accelerator: Accelerator) -> Needs:
        """What a lock or an image's labels say."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A device and the driver below it: `architecture` is 89 of sm_89, `driver` such as 535.104.05, empty where it is not known."""

    architecture: int
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it runs, and `way` how. `reason` is one sentence; `remedy` what to do, empty where nothing is to be done."""

    ok: bool
    way: Way
    reason: str
    remedy: str = ""


def way(codes: Iterable[Code], architecture: int) -> Way:
    """How a device of this architecture (89 of sm_89) runs a library that holds these."""
    raise NotImplementedError


def check(needs: Needs, host: Host) -> Verdict:
    """Whether this host runs what needs these, and if not, why."""
    raise NotImplementedError


def minimum_driver(cuda: str) -> str:
    """The oldest driver (Linux) that runs programs of this CUDA: that of its major version (12.6 -> 525.60.13)."""
    raise NotImplementedError


def newest_cuda(driver: str) -> str:
    """The newest CUDA that this driver knows in full, as nvidia-smi prints it (535.104.05 -> 12.2); empty for an unknown one."""
    raise NotImplementedError


def parse_codes(text: str) -> tuple[Code, ...]:
    """`sm_80 sm_90a compute_90`, as locks and labels write it."""
    raise NotImplementedError
