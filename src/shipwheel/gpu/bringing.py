"""Which packages of PyPI bring the libraries of CUDA that wheels need and do not have."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PACKAGES = {
    "cublas": "cublas",
    "cublasLt": "cublas",
    "cudart": "cuda-runtime",
    "cudnn": "cudnn",
    "cufft": "cufft",
    "cupti": "cuda-cupti",
    "curand": "curand",
    "cusolver": "cusolver",
    "cusparse": "cusparse",
    "cusparseLt": "cusparselt",
    "nccl": "nccl",
    "nvJitLink": "nvjitlink",
    "nvrtc": "cuda-nvrtc",
    "nvshmem_host": "nvshmem",
}
"""libNAME.so.N is in nvidia-PACKAGE-cuM: what NVIDIA's wheels hold (pypi.org/user/nvidia), as of 2026-11."""

_NUMBERED_AS_CUDA = frozenset({"cublas", "cublasLt", "cudart", "nvJitLink", "nvrtc"})
"""Libraries whose number is CUDA's major version; that of the others goes its own way."""

_SUFFIXED = frozenset({"cudnn", "nccl", "cusparselt", "nvshmem"})
"""Packages that keep -cuM in their names from CUDA 13 on."""

_EXTRAS = {"cupy-cuda12x": "ctk", "cupy-cuda13x": "ctk", "onnxruntime-gpu": "cuda,cudnn"}
"""Extras by which packages bring what they need of CUDA."""


def is_of_cuda(library: str) -> bool:
    """Whether NVIDIA's wheels have a library of this name (libcublas.so.12)."""
    return _parts(library) is not None


def how_to_bring(owner: str, libraries: Iterable[str]) -> str:
    """What to require so that `owner` has these libraries of CUDA: `onnxruntime-gpu[cuda,cudnn]`, or NVIDIA's packages."""
    if owner in _EXTRAS:
        return f"require {owner}[{_EXTRAS[owner]}]"
    found = [parts for each in libraries if (parts := _parts(each))]
    majors = {number for name, number in found if name in _NUMBERED_AS_CUDA}
    if len(majors) != 1:
        return "require the nvidia-* packages that have them"
    major = majors.pop()
    names = sorted({_PACKAGES[name] for name, _ in found})
    return f"require {', '.join(f'nvidia-{name}{_suffix(name, major)}' for name in names)}"


def _suffix(package: str, major: int) -> str:
    return f"-cu{major}" if major < 13 or package in _SUFFIXED else ""


def _parts(library: str) -> tuple[str, int] | None:
    """cublas and 12 of libcublas.so.12; of cuDNN's many libraries, cudnn."""
    match = re.fullmatch(r"lib(cudnn|\w+?)(?:(?<=cudnn)_\w+)?\.so\.(\d+)", library)
    return (match[1], int(match[2])) if match and match[1] in _PACKAGES else None
