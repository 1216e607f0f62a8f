"""Packages that contradict the accelerator or each other, as one error with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from shipwheel.errors import ResolveError
from shipwheel.resolve import accelerator as rules
from shipwheel.resolve.accelerator import Package

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

_FOR_GPU = {
    "faiss-cpu": "faiss-gpu-cu12",
    "jaxlib": "jax[cuda12]",
    "onnxruntime": "onnxruntime-gpu",
    "paddlepaddle": "paddlepaddle-gpu",
    "tensorflow-cpu": "tensorflow[and-cuda]",
    "torch": "a GPU build of torch",
    "xgboost-cpu": "xgboost",
}

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
    against = list(rules.contradictions(packages, architecture))
    if setting == "auto":
        unfit: list[str] = []
    else:
        unfit = list(rules.unwanted(packages) if setting == "cpu" else rules.missing(setting, packages))
    if against or unfit:
        lines = dict.fromkeys([*unfit, *against])
        hint = _swap(packages, setting) if unfit else _together(packages)
        raise ResolveError("\n".join([_WHAT[setting], *(f"  {line}" for line in lines)]), hint=hint)


def _swap(packages: Sequence[Package], setting: str) -> str:
    """Other packages in place of those that do not fit, as far as such are known."""
    table = _FOR_CPU if setting == "cpu" else _FOR_GPU if setting == "cuda" else {"torch": "a ROCm build of torch"}
    found = dict(_better(packages, table, setting))
    if not found:
        return "leave them out, or set accelerator to what the image is for"
    named = ", ".join(better if name == "torch" else f"{better} instead of {name}" for name, better in found.items())
    where = f"; {_INDEX[setting]} has them" if "torch" in found else ""
    rest = any(each.purpose and re.sub(r"-cu\d+$", "", each.name) not in table for each in packages)
    return f"take {named}{where}" + ("; leave the others out, or set accelerator to what the image is for" if rest else "")


_INDEX = {
    "cpu": "https://download.pytorch.org/whl/cpu, or a mirror of it,",
    "cuda": "UV_TORCH_BACKEND=cu126 chooses an index that",
    "rocm": "UV_TORCH_BACKEND=rocm6.4 chooses an index that",
}


def _better(packages: Sequence[Package], table: Mapping[str, str], setting: str) -> Iterator[tuple[str, str]]:
    known = {each.name: each for each in packages}
    for each in packages:
        brings = rules.roots(each, known) if each.gpu else (each,)
        for root in brings if each.gpu == (setting == "cpu") else ():
            key = re.sub(r"-cu\d+$", "", root.name)
            if key in table:
                yield root.name, table[key]


def _together(packages: Sequence[Package]) -> str:
    names = {each.name for each in packages}
    if "xgboost" in names and "torch" in names:
        return "take xgboost-cpu instead of xgboost, or builds of torch for the same CUDA (UV_TORCH_BACKEND=cu126)"
    return "take torch and what goes with it from one index: UV_TORCH_BACKEND=cu126 does that, or =cpu for builds without CUDA"
