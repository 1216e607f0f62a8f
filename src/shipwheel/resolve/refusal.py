"""Packages that contradict the accelerator or each other, as one error with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from shipwheel.errors import ResolveError
from shipwheel.resolve import accelerator as rules
from shipwheel.resolve.accelerator import Kind, Package

_FOR_CPU = {
    "faiss-gpu": "faiss-cpu",
    "jax-cuda12-plugin": "jax without [cuda12]",
    "jax-cuda13-plugin": "jax without [cuda13]",
    "onnxruntime-gpu": "onnxruntime",
    "paddlepaddle-gpu": "paddlepaddle",
    "tensorflow": "tensorflow without [and-cuda]",
    "tensorflow-gpu": "tensorflow",
    "torch": "a CPU build of torch",
    "xgboost": "xgboost-cpu",
}
"""What to take instead; `faiss-gpu-cu12` is looked up without its suffix."""

_FOR_CUDA = {
    "faiss-cpu": "faiss-gpu-cu12",
    "jaxlib": "jax[cuda12]",
    "onnxruntime": "onnxruntime-gpu",
    "onnxruntime-rocm": "onnxruntime-gpu",
    "paddlepaddle": "paddlepaddle-gpu",
    "tensorflow-cpu": "tensorflow[and-cuda]",
    "tensorflow-rocm": "tensorflow[and-cuda]",
    "torch": "a CUDA build of torch",
    "xgboost-cpu": "xgboost",
}

_FOR_ROCM = {
    "onnxruntime": "onnxruntime-rocm",
    "onnxruntime-gpu": "onnxruntime-rocm",
    "tensorflow": "tensorflow-rocm",
    "tensorflow-cpu": "tensorflow-rocm",
    "torch": "a ROCm build of torch",
    "xgboost": "xgboost-cpu",
}

_BETTER = {"cpu": _FOR_CPU, "cuda": _FOR_CUDA, "rocm": _FOR_ROCM}

_WHAT = {
    "auto": "these packages do not go together",
    "cpu": "accelerator is cpu, and these packages are for GPUs",
    "cuda": "accelerator is cuda, and these packages do not fit that",
    "rocm": "accelerator is rocm, and these packages do not fit that",
}


def refuse_contradictions(
    packages: Sequence[Package], setting: Literal["auto", "cpu", "cuda", "rocm"], architecture: str
) -> None:
    """Check what was chosen against the setting and against itself.

    Raises:
        ResolveError: all that does not fit, with who brings it, where `via` of the packages says that.
    """
    refused = setting in ("cpu", "rocm")  # every CUDA, so two of them are no second reason
    against = list((rules.against_torch if refused else rules.contradictions)(packages, architecture))
    if setting == "auto":
        unfit = list(rules.mixed(packages))
    else:
        unfit = [*rules.unwanted(packages, wanted=setting), *(() if setting == "cpu" else rules.missing(packages))]
    if against or unfit:
        lines = dict.fromkeys([*unfit, *against])
        if not unfit:
            hint = _together(packages, architecture)
        else:
            hint = _either(packages) if setting == "auto" else _swap(packages, setting)
        raise ResolveError("\n".join([_WHAT[setting], *(f"  {line}" for line in lines)]), hint=hint)


def _swap(packages: Sequence[Package], setting: Kind) -> str:
    """Other packages in place of those that do not fit, as far as such are known."""
    known, wrong = {each.name: each for each in packages}, dict.fromkeys(_unfit(packages, setting))
    found = {each.name: better for each in wrong if (better := _BETTER[setting].get(_key(each)))}
    if not found:
        return "leave them out, or set accelerator to what the image is for"
    named = ", ".join(better if name == "torch" else f"{better} instead of {name}" for name, better in found.items())
    where = f"; {_INDEX[setting]} has them" if "torch" in found else ""
    rest = (each for each in wrong if each.name not in {*found, *rules.TORCH})
    alone = any(not (above := {*each.via} & known.keys()) or not all(known[name].gpu for name in above) for each in rest)
    return f"take {named}{where}" + ("; leave the others out, or set accelerator to what the image is for" if alone else "")


def _key(package: Package) -> str:
    return re.sub(r"-cu\d+$", "", package.name)


_INDEX = {
    "cpu": "https://download.pytorch.org/whl/cpu, or a mirror of it,",
    "cuda": "UV_TORCH_BACKEND=cu126 chooses an index that",
    "rocm": "UV_TORCH_BACKEND=rocm6.4 chooses an index that",
}
_BACKENDS = {"11": "cu118", "12": "cu126", "13": "cu130"}
"""PyTorch's builds by CUDA's major version."""


def _unfit(packages: Sequence[Package], setting: Kind) -> Iterator[Package]:
    """What is to be replaced: who brings what is for other GPUs, and what computes on the CPU."""
    known, gpu = {each.name: each for each in packages}, any(each.gpu for each in packages)
    for each in packages:
        if each.sign and each.sign.kind != setting:
            yield from rules.roots(each, known)
        elif not gpu and setting != "cpu" and each.name in _BETTER[setting]:
            yield each


def _either(packages: Sequence[Package]) -> str:
    """For what goes neither with a GPU nor without: the way to each."""
    cpu = [each.name for each in packages if each.sign and each.sign.kind == "cpu"]
    if not cpu:
        return 'set accelerator = "cuda" or "rocm": it names what to leave out then'
    major = max((each for each in rules.majors(packages) if each in _BACKENDS), default="12")
    index = f" (UV_TORCH_BACKEND={_BACKENDS[major]} chooses an index that has them)" if rules.TORCH & {*cpu} else ""
    what = "torch" if index else cpu[0]
    return f'take a build of {what} for GPUs{index}, or set accelerator = "cpu", which names what to leave out then'


def _together(packages: Sequence[Package], architecture: str) -> str:
    """For what does not load torch's libraries, or for two CUDAs."""
    if any(rules.against_torch(packages, architecture)):
        return (
            "take torch and what goes with it from one index: UV_TORCH_BACKEND=cu126 does that, or =cpu for builds without CUDA"
        )
    known, majors = {each.name: each for each in packages}, rules.majors(packages)
    concerned = {root.name for ways in majors.values() for each in ways.values() for root in rules.roots(each, known)}
    backends = " or =".join(_BACKENDS[each] for each in sorted(majors) if each in _BACKENDS)
    if {"torch", "xgboost"} <= concerned:
        return "take xgboost-cpu instead of xgboost, or builds of torch for the same CUDA (UV_TORCH_BACKEND=cu126)"
    if rules.TORCH & concerned and backends:
        return f"take all of them for one CUDA: UV_TORCH_BACKEND={backends} chooses that of torch, {_NAMES}"
    return f"take all of them for one CUDA: {_NAMES}"


_NAMES = (
    "names and extras say which a package is for (cupy-cuda13x, jax[cuda13]); "
    "NVIDIA's libraries without a suffix (nvidia-curand) are for CUDA 13"
)
