"""The rules of CUDA compatibility: which code a GPU runs, and which driver a CUDA needs.

The values are NVIDIA's, in `data/cuda.toml`; every rule names its page. Linux only, and the driver that the machine has:
packages for forward compatibility (cuda-compat) replace that driver's libraries, so they stand among the remedies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shipwheel.gpu.code import Code, Kind
from shipwheel.gpu.tables import parse_version, tables
from shipwheel.lock.values import Accelerator

Way = Literal["native", "jit", "no"]
"""How a device runs a library: by a cubin, by PTX that the driver compiles, not at all."""

_CODE = re.compile(r"(sm|compute|lto)_(\d{2,3})([af]?)")
_KINDS: dict[str, Kind] = {"sm": "cubin", "compute": "ptx", "lto": "lto"}

RENAMED = {101: 110}
"""sm_101 is called sm_110 since CUDA 13.0 (PTX ISA, "Changes in PTX ISA Version 9.0", notes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNeeds:
    """What an image or a library needs: `cuda` (or ROCm, by `kind`) is a version such as 12.6, `codes` what it holds for GPUs.

    Empty `cuda`: none is known to be needed. No `codes`: none are known, and architectures are not checked.
    """

    cuda: str = ""
    codes: tuple[Code, ...] = ()
    kind: str = "cuda"

    @classmethod
    def of(cls, accelerator: Accelerator) -> GpuNeeds:
        """What a lock or an image's labels say."""
        return cls(cuda=accelerator.version, codes=parse_codes(accelerator.architectures), kind=accelerator.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A device and the driver below it: `architecture` is 89 of sm_89, `driver` such as 535.104.05, empty where not known."""

    architecture: int
    driver: str = ""

    @property
    def name(self) -> str:
        """sm_89."""
        return f"sm_{self.architecture}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it runs, and `way` how. `reason` has no full stop, and may be empty as `remedy`, which says what to do."""

    ok: bool
    way: Way
    reason: str
    remedy: str = ""


def parse_codes(text: str) -> tuple[Code, ...]:
    """`sm_80 sm_90a compute_90`, as locks and labels write it; what is nothing of the kind is left out."""
    found = (_CODE.fullmatch(word) for word in text.split())
    return tuple(Code(kind=_KINDS[m[1]], architecture=int(m[2]), variant=m[3]) for m in found if m)


def way(codes: Iterable[Code], architecture: int) -> Way:
    """How a device of this architecture (89 of sm_89) runs a library that holds these.

    LTO-IR does not count: no driver runs it, a library links it at run time (nvJitLink) into what it holds besides.
    """
    held = tuple(codes)
    if any(code.kind == "cubin" and _runs(code, architecture) for code in held):
        return "native"
    return "jit" if any(code.kind == "ptx" and _compiles(code, architecture) for code in held) else "no"


def _runs(code: Code, device: int) -> bool:
    """Whether the device runs this cubin.

    One of X.y runs on X.z with z >= y, on the desktop; Jetsons are excluded, in both directions (CUDA C++ Programming Guide,
    "Binary Compatibility"). "a" runs only on exactly its architecture; "f" on its family, which is the same rule: 100f on 10.0,
    10.3 and 10.7, 103f on 10.3 and 10.7, 120f on 12.0 and 12.1 (CUDA Programming Guide 13, 5.1 "Compute Capabilities").
    """
    target = RENAMED.get(code.architecture, code.architecture)
    if code.variant == "a" or _tegra(target) or _tegra(device):
        return target == device
    return _same_family(target, device)


def _compiles(code: Code, device: int) -> bool:
    """Whether the driver can compile this PTX for the device.

    PTX runs on its capability and any later one (Blackwell Compatibility Guide, 1.2), "a" only on exactly its own, "f" on its
    family (PTX ISA, ".target": "f" is compatible with later targets of the same family).
    """
    target = RENAMED.get(code.architecture, code.architecture)
    if code.variant == "a":
        return target == device
    return _same_family(target, device) if code.variant == "f" else target <= device


def _same_family(target: int, device: int) -> bool:
    return target // 10 == device // 10 and target <= device


def _tegra(architecture: int) -> bool:
    known = tables().architectures.get(architecture)
    return known is not None and known.tegra


def minimum_driver(cuda: str) -> str:
    """The oldest driver (Linux) that runs programs of this CUDA: that of its major version (12.6 -> 525.60.13).

    From 11 on any minor version runs on it (CUDA Compatibility, "Minor Version Compatibility"); before, each needs its own.
    Empty for a CUDA that NVIDIA's tables do not have.
    """
    version = parse_version(cuda)
    return tables().majors.get(version[0] if version else 0) or own_driver(cuda)


def own_driver(cuda: str) -> str:
    """The first driver that knows this CUDA in full (12.6 -> 560.28.03), as PTX made by it needs; empty for an unknown CUDA."""
    return tables().releases.get(".".join(cuda.split(".")[:2]), "")


def newest_cuda(driver: str) -> str:
    """The newest CUDA that this driver knows in full, as nvidia-smi prints it (535.104.05 -> 12.2); empty if unknown.

    A branch that is newer than NVIDIA's tables here is unknown.
    """
    branch = parse_version(driver)[:1]
    first = {cuda: parse_version(each)[:1] for cuda, each in tables().releases.items()}
    known = [cuda for cuda, each in first.items() if each <= branch <= max(first.values())]
    return max(known, key=parse_version, default="")


def first_driver(architecture: int) -> str:
    """The driver branch that first ran an architecture (120 -> 570): that of the first CUDA that knew it; empty if unknown."""
    known = tables().architectures.get(architecture)
    return own_driver(known.first).split(".")[0] if known else ""


def check(needs: GpuNeeds, host: Host) -> Verdict:
    """Whether this host runs what needs these, and if not, why.

    Without a driver in `host` it is taken for new enough.
    """
    if needs.kind != "cuda":
        reason = f"it needs {needs.kind.upper().replace('ROCM', 'ROCm')} {needs.cuda}".rstrip()
        return _no(f"{reason}, which runs on AMD's GPUs", 'lock it again with accelerator = "cuda"')
    return _driver_refuses(needs, host) or _code_decides(needs, host)


def _no(reason: str, remedy: str) -> Verdict:
    return Verdict(ok=False, way="no", reason=reason, remedy=remedy)


def _driver_refuses(needs: GpuNeeds, host: Host) -> Verdict | None:
    """Too old or too new for the device, or too old for the CUDA. A Jetson's comes with its JetPack, by other numbers."""
    driver = parse_version(host.driver)
    if not driver or _tegra(host.architecture):
        return None
    first, known = first_driver(host.architecture), tables().architectures.get(host.architecture)
    if first and driver[0] < int(first):
        return _no(f"driver {host.driver} does not know {host.name}, which needs R{first}", f"install driver R{first} or newer")
    if known and known.driver and driver[0] > known.driver:
        reason = f"driver {host.driver} no longer runs {host.name}, R{known.driver} was the last"
        return _no(reason, f"install driver R{known.driver}")
    minimum = minimum_driver(needs.cuda)
    if minimum and driver < parse_version(minimum):
        reason = f"CUDA {needs.cuda} needs driver {minimum} or newer, this one is {host.driver}"
        return _no(reason, _newer_driver(needs.cuda, minimum, driver[0], f"lock it with CUDA {newest_cuda(host.driver)}"))
    return None


def _newer_driver(cuda: str, driver: str, branch: int, otherwise: str = "") -> str:
    """A forward compatibility package is for data-centre GPUs, and for the branches that NVIDIA lists."""
    ways = [
        f"install {f'driver {driver}' if driver else f'a driver of CUDA {cuda}'} or newer",
        *([otherwise] if otherwise else []),
    ]
    if branch in tables().forward and cuda in tables().releases:
        ways.append(f"on a data-centre GPU add NVIDIA's cuda-compat-{cuda.replace('.', '-')}")
    return ", or ".join(ways)


def _code_decides(needs: GpuNeeds, host: Host) -> Verdict:
    """The driver takes the CUDA: which of the code runs?

    PTX is outside minor-version compatibility: only a driver of the CUDA that made it, or newer, compiles it (CUDA
    Compatibility, "Application Considerations for Minor Version Compatibility"). That CUDA is taken to be `needs.cuda`.
    """
    codes = tuple(code for code in needs.codes if code.kind != "lto")
    newest = newest_cuda(host.driver)
    older = bool(needs.cuda and newest) and not _tegra(host.architecture) and parse_version(newest) < parse_version(needs.cuda)
    if not codes:
        return Verdict(ok=True, way="native", reason="it holds no code for GPUs by which to judge")
    found = way(codes, host.architecture)
    if found == "no":
        return _no(f"it holds {_names(codes)}, none of which {host.name} runs", _other_build(needs.cuda, host.architecture))
    if found == "jit" and older:
        own = own_driver(needs.cuda)
        reason = f"{host.name} has only PTX of CUDA {needs.cuda}, and driver {host.driver} compiles PTX up to CUDA {newest}"
        return _no(reason, _newer_driver(needs.cuda, own, parse_version(host.driver)[0]))
    if found == "jit":
        remedy = "keep CUDA_CACHE_PATH on a volume, or every new container compiles again"
        return Verdict(
            ok=True, way="jit", reason="the driver compiles its PTX at the first start, which takes minutes", remedy=remedy
        )
    return Verdict(
        ok=True, way="native", reason=f"by minor-version compatibility: the driver knows CUDA {newest}" if older else ""
    )


def _names(codes: Iterable[Code]) -> str:
    return " ".join(dict.fromkeys(code.name for code in codes))


def _other_build(cuda: str, architecture: int) -> str:
    known, have = tables().architectures.get(architecture), parse_version(cuda)
    if known and known.tegra:
        return f"take wheels for Jetson, with code for sm_{architecture}: NVIDIA promises a Jetson no other"
    if known and have and have < parse_version(known.first):
        return f"lock it with CUDA {known.first} or newer, the first that knows sm_{architecture}"
    if known and known.last and have and have[0] > known.last:
        return f"lock it with CUDA {known.last}, the last for sm_{architecture}"
    return f"look for a version or a build of it with code for sm_{architecture}"
