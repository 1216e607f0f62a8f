"""CPU or GPU, by what packages are called: what each is built for, who asks for a GPU, and what contradicts itself.

Names and versions say it before any wheel is fetched: local versions (`2.7.1+cu126`), names with a CUDA in them
(`cupy-cuda12x`), NVIDIA's libraries (`nvidia-cublas-cu12`; since CUDA 13 without the suffix), packages for GPUs only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["cpu", "cuda", "rocm"]
Role = Literal["build", "library", "purpose"]
"""build: one of several builds of a package. library: comes along with others. purpose: the package exists for GPUs only."""

TORCH = frozenset({"torch", "torchvision", "torchaudio"})
"""Built for one CUDA, ROCm or the CPU each, and found together on an index of such builds."""

_BOUND = frozenset({*TORCH, "flash-attn", "torchcodec", "torchtext", "xformers"})
"""Libraries that load torch's own: built for another CUDA, they do not load."""

_UNASKED = frozenset({*TORCH, "xgboost"})
"""They need CUDA's libraries on Linux, whether or not anybody wants a GPU."""

_GPU_ONLY = frozenset(
    {
        *("auto-gptq", "autoawq", "causal-conv1d", "cupy", "exllamav2", "faiss-gpu", "flash-attn", "flashinfer-python"),
        *("lmdeploy", "mamba-ssm", "numba-cuda", "onnxruntime-gpu", "paddlepaddle-gpu", "pycuda", "sglang", "tensorflow-gpu"),
        *("tensorrt", "torch-tensorrt", "transformer-engine", "vllm", "xformers"),
    }
)
_CPU_ONLY = frozenset({"faiss-cpu", "jaxlib", "onnxruntime", "paddlepaddle", "tensorflow-cpu", "xgboost-cpu"})
"""Without a GPU package beside them they compute on the CPU."""

_LIBRARY = re.compile(
    r"nvidia-(?:cublas|cuda-(?:cccl|crt|cupti|nvcc|nvrtc|runtime)|cudnn|cufft|cufile|curand|cusolver|cusparse|cusparselt|nccl|npp"
    r"|nvjitlink|nvjpeg|nvshmem|nvtx|nvvm)(?:-cu(\d+))?|cuda-(?:bindings|core|python|toolkit)"
)
_DATED = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?|cuda-toolkit")
"""Libraries whose version is CUDA's."""
_SHARED = re.compile(r"nvidia-(?:cublas|cuda-.*|nvjitlink|nvtx|nvvm)")
"""Libraries without a suffix whose major version is CUDA's; that of cuRAND is 10, of cuFFT 12, and so on."""
_UNSUFFIXED = "13"
"""The first CUDA whose libraries have names without -cuNN."""
_STUB = "0."
"""Versions of names that PyPI only keeps: nvidia-cuda-runtime-cu13 is 0.0.1 and empty."""
_NAMED = re.compile(r".*-cu(?:da)?(\d{2,3})x?(?:-[a-z]+)*")
_ROCM = re.compile(r"(?:^|.*-)rocm(\d*).*")
_ROCM_LIBRARY = re.compile(r"(?:pytorch-)?triton-rocm|rocm-sdk.*")
_LOCAL = re.compile(r"(?:^|\.)(?:(cpu)\b|(?:pt\d+)?cu(?:da)?(\d{2,3})|rocm(\d+(?:\.\d+)*))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What was chosen; `via` are the names of packages that need it, and the files that name it. `size` is in bytes."""

    name: str
    version: str
    via: tuple[str, ...] = ()
    size: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def sign(self) -> Sign | None:
        """What its name and version say; None: nothing."""
        return sign_of(self.name, self.version)

    @property
    def gpu(self) -> bool:
        """Whether it is for a GPU."""
        return self.sign is not None and self.sign.kind != "cpu"

    @property
    def purpose(self) -> bool:
        """Whether it is for a GPU, and for nothing else."""
        return self.sign is not None and self.sign.role == "purpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a package is for; `version` is that of CUDA or ROCm, 12.6 or only 12, empty where the name does not say."""

    kind: Kind
    role: Role
    version: str = ""

    @property
    def text(self) -> str:
        """For people."""
        return "the CPU" if self.kind == "cpu" else f"{TITLES[self.kind]} {self.version}".rstrip()


TITLES = {"cpu": "CPU", "cuda": "CUDA", "rocm": "ROCm"}


def sign_of(name: str, version: str) -> Sign | None:
    """What a package is for, by its normalised name and its version."""
    if match := _LOCAL.search(version.partition("+")[2]):
        cpu, cuda, rocm = match.groups()
        return Sign(
            kind="cpu" if cpu else "cuda" if cuda else "rocm", role="build", version=_dotted(cuda) if cuda else rocm or ""
        )
    if match := _LIBRARY.fullmatch(name):
        return Sign(kind="cuda", role="library", version=_of_library(name, version, match[1] or ""))
    if match := _ROCM.fullmatch(name):
        return Sign(kind="rocm", role="library" if _ROCM_LIBRARY.fullmatch(name) else "purpose", version=match[1])
    if match := _NAMED.fullmatch(name):
        return Sign(kind="cuda", role="purpose", version=_dotted(match[1]))
    return Sign(kind="cuda", role="purpose") if name in _GPU_ONLY else None


def _of_library(name: str, version: str, suffix: str) -> str:
    """The CUDA of one of its libraries; a stub without a suffix and the bindings, which serve several, say none."""
    if version.startswith(_STUB):
        return suffix
    if _DATED.fullmatch(name):
        return ".".join(version.split(".")[:2])
    if suffix or not name.startswith("nvidia-"):
        return suffix
    return version.partition(".")[0] if _SHARED.fullmatch(name) else _UNSUFFIXED


def _dotted(digits: str) -> str:
    """cu126 is 12.6, cu12 any 12."""
    return f"{digits[:2]}.{digits[2:]}" if len(digits) > 2 else digits


def on_gpu(packages: Sequence[Package]) -> bool:
    """Whether torch, or what goes with it, is there as a build for GPUs."""
    found = {each.name: each for each in packages}
    builds = [found[name] for name in TORCH if name in found]
    brought = any(each.sign and each.sign.role == "library" and not is_companion(each) for each in packages)
    return any(each.gpu or (brought and each.sign is None and each.name == "torch") for each in builds)


def is_companion(package: Package) -> bool:
    """Whether it comes along with what runs without a GPU, too: XGBoost requires NCCL."""
    return "nccl" in package.name


def kind_of(packages: Iterable[Package]) -> Kind:
    """What an image of these is for."""
    kinds = {each.sign.kind for each in packages if each.sign}
    return "rocm" if "rocm" in kinds else "cuda" if "cuda" in kinds else "cpu"


def asking(packages: Sequence[Package]) -> Package | None:
    """The package that shows that a GPU is wanted: it is for nothing else, or was told to bring CUDA's libraries."""
    known = {each.name: each for each in packages}
    purposes = {each.name: each for each in packages if each.purpose}
    meant = sorted(
        purposes.values(), key=lambda each: (bool(known.keys() & {*each.via}), bool(purposes.keys() & {*each.via}), each.name)
    )
    told = (
        root
        for each in packages
        if each.sign and each.sign.role == "library" and each.via
        for root in roots(each, known)
        if root.name not in _UNASKED
    )
    return next(iter(meant), None) or next(told, None)


def roots(package: Package, known: Mapping[str, Package]) -> tuple[Package, ...]:
    """Who brings a library: the nearest packages above it that are no such library themselves; itself where a file names it."""
    found, seen, waiting = dict[str, Package](), set[str](), [package]
    while waiting:
        each = waiting.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        above = [known[name] for name in each.via if name in known]
        if not each.sign or each.sign.role != "library" or len(above) < len(each.via) or not above:
            found[each.name] = each
        if each.sign and each.sign.role == "library":
            waiting += above
    return tuple(found[name] for name in sorted(found))


def contradictions(packages: Sequence[Package], architecture: str) -> Iterator[str]:
    """What cannot work whatever the image is for: torch against what loads its libraries, two CUDAs at once."""
    yield from against_torch(packages, architecture)
    known, found = {each.name: each for each in packages}, majors(packages)
    for major, ways in sorted(found.items()) if len(found) > 1 else ():
        nearest = sorted(ways.items(), key=lambda each: (bool(known.keys() & {*each[1].via}), len(each[0])))
        yield from (f"CUDA {major}: {each}{who}" for who, each in nearest[:2])


def against_torch(packages: Sequence[Package], architecture: str) -> Iterator[str]:
    """What cannot load torch's libraries."""
    known = {each.name: each for each in packages}
    torch = known.get("torch")
    if torch and (built := _torch_sign(torch, packages)):
        for name in sorted(_BOUND & known.keys()):
            if text := _against(torch, built, known[name], architecture):
                yield text


def _torch_sign(torch: Package, packages: Sequence[Package]) -> Sign | None:
    """What torch is built for: as its version says, else by the CUDA that comes along."""
    dated = (each.sign for each in packages if _DATED.fullmatch(each.name) and "torch" in each.via)
    return torch.sign or next(dated, None)


def _against(torch: Package, built: Sign, other: Package, architecture: str) -> str:
    """Why `other` cannot load torch's libraries; empty where nothing shows it.

    For amd64 PyPI has torchvision and torchaudio for CUDA only; the other builds have a local version.
    """
    sign, wanted = other.sign, re.search(r"torch(\d+\.\d+)", other.version.partition("+")[2])
    if wanted and not f"{torch.version.partition('+')[0]}.".startswith(f"{wanted[1]}."):
        return f"{other} is built for torch {wanted[1]}, and the image has {torch}"
    if sign and sign.role == "build" and (sign.kind != built.kind or not _agree(sign.version, built.version)):
        return f"{other} is built for {sign.text}, {torch} for {built.text}"
    if sign is None and other.name in TORCH and built.kind != "cuda" and architecture == "amd64":
        return f"{other} is built for CUDA, {torch} for {built.text}"
    return ""


def _agree(one: str, other: str) -> bool:
    """Whether versions are the same, as far as both say it."""
    return not (one and other) or all(a == b for a, b in zip(one.split("."), other.split("."), strict=False))


def majors(packages: Sequence[Package]) -> dict[str, dict[str, Package]]:
    """Major versions of CUDA, and by each way that one comes (`brought`) the first package of it."""
    known, found = {each.name: each for each in packages}, dict[str, dict[str, Package]]()
    for each in packages:
        sign = each.sign
        if sign and sign.kind == "cuda" and sign.version and (sign.role != "purpose" or not each.name.startswith("nvidia-")):
            found.setdefault(sign.version.partition(".")[0], {}).setdefault(brought(each, known), each)
    return found


def unwanted(packages: Sequence[Package], beside: Sequence[Package] = (), wanted: Kind = "cpu") -> Iterator[str]:
    """What is for GPUs, or for those of another maker than the image that is `wanted`; the named first.

    With who (also of those `beside`) brings it; what comes along by the same way is one line.
    """
    known = {each.name: each for each in (*beside, *packages)}
    ways: dict[tuple[bool, str, str], list[Package]] = {}
    for each in packages:
        if each.gpu and each.sign and each.sign.kind != wanted:
            way = brought(each, known)
            apart = way.startswith(_NAMED_IN) or (not way and each.sign.role != "library")
            ways.setdefault((not apart, way, each.name if apart else ""), []).append(each)
    for (_, way, _), found in sorted(ways.items(), key=lambda each: each[0][0]):
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"{found[0]}{more}{'' if wanted == 'cpu' else _purpose(found)}{way}"


def _purpose(found: Sequence[Package]) -> str:
    if len(found) == 1 and found[0].sign:
        return f" is for {found[0].sign.text}"
    return f" are for {' and '.join(sorted({TITLES[each.sign.kind] for each in found if each.sign}))}"


def missing(packages: Sequence[Package]) -> Iterator[str]:
    """What computes on the CPU in an image for GPUs."""
    known = {each.name: each for each in packages}
    for each in packages:
        if each.sign and each.sign.kind == "cpu":
            yield f"{each} is for {each.sign.text}{brought(each, known)}"
    if not any(each.gpu for each in packages):
        yield from (f"{each} computes on the CPU{brought(each, known)}" for each in packages if each.name in _CPU_ONLY)


def mixed(packages: Sequence[Package]) -> Iterator[str]:
    """Where something asks for a GPU: that, and builds for the CPU or for GPUs of another maker; else nothing."""
    known = {each.name: each for each in packages}
    who = asking(packages) or next((each for each in packages if each.gpu and each.sign and each.sign.role == "build"), None)
    if who is None:
        return
    kind = who.sign.kind if who.sign else "cuda"
    others = [each for each in packages if each.sign and each.sign.role != "library" and each.sign.kind != kind]
    if others:
        yield f"{who} {_brings(who, packages)}{brought(who, known)}"
        yield from (f"{each} is for {each.sign.text}{brought(each, known)}" for each in others if each.sign)


def _brings(who: Package, packages: Sequence[Package]) -> str:
    """What a package does that is for a GPU by its libraries alone, which may be itself."""
    if who.sign:
        return f"is for {who.sign.text}"
    versions = [each.sign.version for each in packages if each.sign and who.name in each.via and each.sign.kind == "cuda"]
    return f"brings CUDA {max(versions, default='')}".rstrip()


def brought(package: Package, known: Mapping[str, Package]) -> str:
    """`, pulled in by torch 2.7.1 of peft 0.17.0` or `, named in requirements.txt`; nothing where that is not known.

    What the project names itself comes first, and nobody above that is told.
    """
    if named := [name for name in package.via if name not in known]:
        return f"{_NAMED_IN}{', '.join(named)}"
    above = [each for each in roots(package, known) if each is not package] or [known[name] for name in package.via]
    if not above:
        return ""
    above.sort(key=lambda each: known.keys() >= {*each.via})
    shown = above[:NAMED]
    higher = sorted({name for each in shown if known.keys() >= {*each.via} for name in each.via})
    chain = f" of {', '.join(str(known[name]) for name in higher[:NAMED])}" if higher else ""
    return f", pulled in by {', '.join(map(str, shown))}{chain}"


_NAMED_IN = ", named in "
NAMED = 3
"""Packages that one sentence names."""
