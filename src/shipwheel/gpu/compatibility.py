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

Way = Literal["native", "jit", "no", "unknown"]
"""How a device runs a library: by a cubin, by PTX that the driver compiles, not at all; unknown where no code is known."""

Market = Literal["data centre", "professional RTX", "other", ""]
"""Whom NVIDIA sells a GPU to; empty where only its architecture is known."""

_FORWARD: dict[Market, str] = {
    "data centre": "add NVIDIA's {}",
    "professional RTX": "add NVIDIA's {}, which works on some professional RTX only",
    "": "add NVIDIA's {}, which works on GPUs for data centres and some professional RTX only",
}
"""Forward compatibility is for data-centre GPUs and "select NGC Server Ready SKUs of RTX cards" (CUDA Compatibility, "Forward
Compatibility Support Across Major Toolkit Versions")."""

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
    market: Market = ""

    @property
    def name(self) -> str:
        """sm_89."""
        return f"sm_{self.architecture}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it runs, and `way` how. `reason` has no full stop, and may be empty as `remedy`, which says what to do.

    `lacks_code`: it holds code, and none for this device, so that no driver helps.
    """

    ok: bool
    way: Way
    reason: str
    remedy: str = ""
    lacks_code: bool = False


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
    codes = tuple(code for code in needs.codes if code.kind != "lto")
    if codes and way(codes, host.architecture) == "no":
        reason = f"it holds {_names(codes)}, none of which {host.name} runs"
        return Verdict(ok=False, way="no", reason=reason, remedy=_other_build(needs.cuda, host), lacks_code=True)
    return _driver_refuses(needs, host) or _code_decides(needs.cuda, codes, host)


def _no(reason: str, remedy: str) -> Verdict:
    return Verdict(ok=False, way="no", reason=reason, remedy=remedy)


def _driver_refuses(needs: GpuNeeds, host: Host) -> Verdict | None:
    """Too old or too new for the device, or too old for the CUDA. A Jetson's comes with its JetPack, by other numbers."""
    driver = parse_version(host.driver)
    if not driver or _tegra(host.architecture):
        return None
    first, known = first_driver(host.architecture), tables().architectures.get(host.architecture)
    minimum = minimum_driver(needs.cuda)
    if first and driver[0] < int(first):
        both = minimum if parse_version(minimum) > (int(first),) else f"R{first}"
        return _no(f"driver {host.driver} does not know {host.name}, which needs R{first}", f"install driver {both} or newer")
    if known and known.driver and driver[0] > known.driver:
        reason = f"driver {host.driver} no longer runs {host.name}, R{known.driver} was the last"
        return _no(reason, f"install driver R{known.driver}")
    if minimum and driver < parse_version(minimum):
        reason = f"CUDA {needs.cuda} needs driver {minimum} or newer, this one is {host.driver}"
        return _no(reason, _newer_driver(needs.cuda, minimum, host, _older_cuda(host)))
    return None


def _older_cuda(host: Host) -> str:
    """Which CUDA this driver and device run: from 11 on any minor version of one, for Blackwell any since 12.8."""
    known, driver = tables().architectures.get(host.architecture), parse_version(host.driver)
    first, last = (parse_version(known.first), known.last) if known else ((), 0)
    fitting = [
        version
        for version in map(parse_version, tables().releases)
        if first <= version and (not last or version[0] <= last)
        if parse_version(minimum_driver(".".join(map(str, version)))) <= driver
    ]
    if not fitting:
        return ""
    major, minor = max(fitting)
    if major < min(tables().majors):
        return f"lock it with CUDA {major}.{minor}"
    oldest = min(version for version in fitting if version[0] == major)[1]
    return (
        f"lock it with CUDA {major}.{oldest} or a newer {major}.x" if oldest else f"lock it with CUDA {major} (any {major}.x)"
    )


def _newer_driver(cuda: str, driver: str, host: Host, otherwise: str = "") -> str:
    """A forward compatibility package is for the branches that NVIDIA lists, and not for every GPU."""
    ways = [
        f"install {f'driver {driver}' if driver else f'a driver of CUDA {cuda}'} or newer",
        *([otherwise] if otherwise else []),
    ]
    if parse_version(host.driver)[0] in tables().forward and cuda in tables().releases and host.market in _FORWARD:
        ways.append(_FORWARD[host.market].format(f"cuda-compat-{cuda.replace('.', '-')}"))
    return ", or ".join(ways)


def _code_decides(cuda: str, codes: tuple[Code, ...], host: Host) -> Verdict:
    """The driver takes the CUDA: does the device run the code as it is, or the driver compile it?

    PTX is outside minor-version compatibility: only a driver of the CUDA that made it, or newer, compiles it (CUDA
    Compatibility, "Application Considerations for Minor Version Compatibility"). That CUDA is taken to be `cuda`.
    """
    newest = newest_cuda(host.driver)
    older = bool(cuda and newest) and not _tegra(host.architecture) and parse_version(newest) < parse_version(cuda)
    if not codes:
        enough = f"; driver {host.driver} is new enough for its CUDA {cuda}" if cuda and newest else ""
        return Verdict(ok=True, way="unknown", reason=f"it holds no code for GPUs by which to judge{enough}")
    compiled = way(codes, host.architecture) == "jit"
    if compiled and older:
        reason = f"{host.name} has only PTX of CUDA {cuda}, and driver {host.driver} compiles PTX up to CUDA {newest}"
        return _no(reason, _newer_driver(cuda, own_driver(cuda), host))
    if compiled:
        remedy = "keep CUDA_CACHE_PATH on a volume, or every new container compiles again"
        return Verdict(
            ok=True, way="jit", reason="the driver compiles its PTX at the first start, which takes minutes", remedy=remedy
        )
    return Verdict(
        ok=True, way="native", reason=f"by minor-version compatibility: the driver knows CUDA {newest}" if older else ""
    )


def _names(codes: Iterable[Code]) -> str:
    return " ".join(dict.fromkeys(code.name for code in codes))


def _other_build(cuda: str, host: Host) -> str:
    """What to take instead, and the driver for that where it is not the one of this host."""
    architecture, have = host.architecture, parse_version(cuda)
    known = tables().architectures.get(architecture)
    if known and known.tegra:
        return f"take wheels for Jetson, with code for sm_{architecture}: NVIDIA promises a Jetson no other"
    build = f"look for a version or a build of it with code for sm_{architecture}"
    if known and have and have < parse_version(known.first):
        cuda, build = known.first, f"lock it with CUDA {known.first} or newer, the first that knows sm_{architecture}"
    elif known and known.last and have and have[0] > known.last:
        cuda, build = str(known.last), f"lock it with CUDA {known.last}, the last for sm_{architecture}"
    refused = _driver_refuses(GpuNeeds(cuda=cuda), host)
    return f"{build}; and {refused.remedy}" if refused else build
