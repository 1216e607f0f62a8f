"""Which CUDA (or ROCm) wheels need, and what an image says of that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shipwheel.gpu.architectures import common
from shipwheel.gpu.code import Library
from shipwheel.gpu.compatibility import minimum_driver, own_driver
from shipwheel.gpu.special import essential
from shipwheel.gpu.tables import parse_version
from shipwheel.lock.values import Accelerator
from shipwheel.plan import LABELS
from shipwheel.resolve.accelerator import sign_of

_COMPANION = re.compile(r"nvidia-(?:nccl|nvshmem|nvtx)(?:-cu\d+)?")
"""XGBoost requires NCCL, and runs without a GPU."""

_PADDLE = re.compile(r".*\.post(\d\d)(\d)")
"""2.6.1.post120 is for CUDA 12.0."""

_LIBRARY = re.compile(r"lib(?:cudart|cublas|cublasLt|nvJitLink|nvrtc)(?:-[0-9a-f]+)?\.so\.(\d+)(?:\.(\d+)\.\d+)?(?:\..*)?")
"""libcudart.so.12 and libcublas.so.13 name the major, libcudart-9335f6a2.so.12.4.127 (auditwheel) the minor too."""

_HIP = re.compile(r"libamdhip64(?:-[0-9a-f]+)?\.so\.(\d+).*")

_SILENT: Mapping[str, tuple[tuple[str, str], ...]] = {
    "onnxruntime-gpu": (("1.27", "13"), ("1.19", "12"), ("0", "11")),
    "paddlepaddle-gpu": (("3", "12"), ("2.6", "11"), ("0", "10")),
}
"""Packages of PyPI that need a CUDA and do not require it: from which version of theirs on, which. For onnxruntime-gpu what its
extra `cuda` requires, and onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html; for paddlepaddle-gpu
paddlepaddle.org.cn/documentation/docs/en/install, "Important updates"."""


def needs_of(wheels: Iterable[tuple[str, str]], libraries: Sequence[Library], sonames: Iterable[str]) -> Accelerator | None:
    """What these wheels (normalized name, version) need of a GPU; nothing where they run without.

    `sonames` are those of libraries that the wheels bring, not those that they ask for: what asks may be one variant of
    several. Code for GPUs (`libraries`) alone needs none: XGBoost and bitsandbytes hold it and run on CPUs. Of several CUDAs
    the newest counts. The driver is the oldest of the CUDA's major version; but where all code is PTX, the first that
    compiles PTX of that CUDA. One library of many that is PTX only does not keep the others from running: `gpu check` names it.
    """
    chosen, brought = tuple(wheels), tuple(sonames)
    cuda = _newest([*_of_wheels(chosen, "cuda"), *_cuda_of_libraries(brought)])
    if cuda:
        driver = own_driver(cuda) if _ptx_only(libraries) else ""
        return Accelerator(
            kind="cuda",
            version=cuda,
            driver=driver or minimum_driver(cuda),
            architectures=" ".join(common(essential(libraries))),
        )
    rocm = _newest([*_of_wheels(chosen, "rocm"), *(match[1] for each in brought if (match := _HIP.fullmatch(each)))])
    return Accelerator(kind="rocm", version=rocm) if rocm else None


def _ptx_only(libraries: Sequence[Library]) -> bool:
    kinds = {code.kind for each in libraries for code in each.codes} - {"lto"}
    return kinds == {"ptx"}


def _newest(versions: Iterable[str]) -> str:
    """The newest; 12.6 says more than 12."""
    return max(versions, key=parse_version, default="")


def _of_wheels(wheels: Iterable[tuple[str, str]], kind: str) -> Iterator[str]:
    for name, version in wheels:
        sign = sign_of(name, version)
        if sign is None or sign.kind != kind or _COMPANION.fullmatch(name):
            continue
        if sign.version:
            yield sign.version
        elif name == "paddlepaddle-gpu" and (match := _PADDLE.fullmatch(version)):
            yield f"{match[1]}.{match[2]}"
        elif steps := _SILENT.get(name):
            yield next(cuda for since, cuda in steps if parse_version(since) <= parse_version(version))


def _cuda_of_libraries(sonames: Iterable[str]) -> Iterator[str]:
    for soname in sonames:
        if match := _LIBRARY.fullmatch(soname):
            yield f"{match[1]}.{match[2]}" if match[2] and "cudart" in soname else match[1]


def environment_of(accelerator: Accelerator) -> dict[str, str]:
    """Variables of the image for NVIDIA's container toolkit; none for ROCm, whose devices are passed in as files.

    `cuda` in NVIDIA_REQUIRE_CUDA is the newest CUDA of the host's driver, and words between spaces are alternatives
    (github.com/NVIDIA/nvidia-container-toolkit, internal/requirements). Under minor-version compatibility X.0 is enough for all
    of X. NVIDIA's own images ask for the exact version, and list older data-centre drivers as alternatives, because they hold
    cuda-compat for those.
    """
    if accelerator.kind != "cuda":
        return {}
    major, minimum = accelerator.version.split(".")[0], minimum_driver(accelerator.version)
    enough = f"{major}.0" if int(major) >= 11 and accelerator.driver == minimum else accelerator.version
    return {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": f"cuda>={enough}",
    }


def labels_of(accelerator: Accelerator) -> dict[str, str]:
    """What the image tells people, `doctor` and `gpu check`: dev.shipwheel.cuda (or .rocm), .driver, .architectures."""
    labels = {
        accelerator.kind: accelerator.version,
        "driver": accelerator.driver,
        "architectures": accelerator.architectures,
    }
    return {f"{LABELS}{name}": value for name, value in labels.items() if value}


def of_labels(labels: Mapping[str, str]) -> Accelerator | None:
    """What an image's labels say that it needs; nothing where they say nothing."""
    for kind in ("cuda", "rocm"):
        if version := labels.get(f"{LABELS}{kind}"):
            driver, architectures = (labels.get(f"{LABELS}{name}", "") for name in ("driver", "architectures"))
            return Accelerator(kind=kind, version=version, driver=driver, architectures=architectures)
    return None
