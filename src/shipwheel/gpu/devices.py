"""The names that people call GPUs by, and their architectures.

Sources: <https://developer.nvidia.com/cuda/gpus> and <https://developer.nvidia.com/cuda/gpus/legacy>, read on 2026-11-21;
variants of a chip that are not there (A10G, A800, H20, H800, L20, RTX 4090 D, GTX 16) have the capability of their chip. Rubin:
CUDA Programming Guide 13.4, 5.1. Jetson Thor was sm_101 before CUDA 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from shipwheel.errors import UsageError
from shipwheel.gpu.compatibility import RENAMED, Market
from shipwheel.gpu.tables import tables

_PRODUCTS = {
    50: "GTX 745, GTX 750, Quadro K2200",
    52: "M4, M40, M60, GTX 950, GTX 960, GTX 970, GTX 980, GTX TITAN X, Quadro M6000",
    53: "Jetson Nano, Jetson TX1",
    60: "P100, Quadro GP100",
    61: "P4, P40, GTX 1050, GTX 1060, GTX 1070, GTX 1080, TITAN X, TITAN Xp, Quadro P4000, Quadro P5000, Quadro P6000",
    62: "Jetson TX2",
    70: "V100, TITAN V, Quadro GV100",
    72: "Jetson Xavier",
    75: "T4, T4G, RTX 2060, RTX 2070, RTX 2080, GTX 1650, GTX 1660, TITAN RTX, Quadro RTX 4000, Quadro RTX 5000,"
    " Quadro RTX 6000, Quadro RTX 8000, T400, T600, T1000",
    80: "A100, A100X, A30, A30X, A800",
    86: "A2, A10, A10G, A10M, A16, A40, RTX A400, RTX A1000,"
    " RTX A2000, RTX A3000, RTX A4000, RTX A4500, RTX A5000, RTX A5500, RTX A6000, RTX 3050,"
    " RTX 3060, RTX 3070, RTX 3080, RTX 3090",
    87: "Jetson Orin",
    89: "L2, L4, L20, L40, L40S, L40G, RTX 2000 Ada, RTX 4000 Ada, RTX 4000 SFF Ada, RTX 4500 Ada, RTX 5000 Ada, RTX 5880 Ada,"
    " RTX 6000 Ada, RTX 4050, RTX 4060, RTX 4070, RTX 4080, RTX 4090",
    90: "H100, H200, H800, H20, GH200",
    100: "B100, B200, GB200",
    103: "B300, GB300",
    107: "R200, VR200, Rubin",
    110: "Jetson Thor, Jetson T4000, Jetson T5000",
    120: "RTX 5050, RTX 5060, RTX 5070, RTX 5080, RTX 5090, RTX PRO 2000, RTX PRO 4000, RTX PRO 4500, RTX PRO 5000,"
    " RTX PRO 6000",
    121: "GB10, DGX Spark",
}

_NOT_FOR_DATA_CENTRES = re.compile(r"(?:GTX|TITAN|Quadro [A-Z]+\d|Jetson|T\d+00$).*|RTX \d0[5-9]0")
_FOR_DESKS = ("GB10", "DGX Spark")
"""Of which NVIDIA does not say."""

_ARCHITECTURE = re.compile(r"(?:(?:sm|compute)[ _-]?)?(\d{2,3}|\d{1,2}\.\d)[af]?")

_AMD = re.compile(r"amd|radeon|instinct|mi\d|gfx\d|rx\d")

_NOISE = re.compile(
    r"nvidia|geforce|tesla|jetson|agx|gpu|laptop|mobile|notebook|generation|edition|server|workstation|pascal|blackwell|super|ti|d"
    r"|pcie|sxm\d?|nvl|hbm\d?e?|dgxs|fhhl|max|q|\d+gb|mig.*|\d+g"
)
"""Words that a product's name may have and its architecture does not depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`name` as asked for or as NVIDIA calls it, `architecture` 89 of sm_89."""

    name: str
    architecture: int
    market: Market = ""


def find_device(text: str) -> Device:
    """The device that this names: sm_89, 8.9, 89, compute_89, L4, "RTX 4090", "NVIDIA A100-SXM4-80GB".

    Raises:
        UsageError: no GPU or architecture that is known here.
    """
    if match := _ARCHITECTURE.fullmatch(text.strip().lower()):
        number = int(match[1].replace(".", ""))
        number = RENAMED.get(number, number)
        if number in tables().architectures:
            return Device(name=f"sm_{number}", architecture=number)
    products, key = _products(), _key(text)
    for each in (key, f"rtx{key}", f"gtx{key}", f"quadro{key}"):
        if each in products:
            return products[each]
    raise UsageError(f"'{text}' is no GPU that is known here", hint=_hint(key))


def _products() -> dict[str, Device]:
    named = ((name, number) for number, names in _PRODUCTS.items() for name in names.split(", "))
    return {_key(name): Device(name=name, architecture=number, market=_market(name)) for name, number in named}


def _market(name: str) -> Market:
    if name in _FOR_DESKS:
        return ""
    if _NOT_FOR_DATA_CENTRES.fullmatch(name):
        return "other"
    return "professional RTX" if "RTX" in name else "data centre"


def _key(text: str) -> str:
    """`NVIDIA GeForce RTX 4090 Ti` and `rtx-4090` are rtx4090."""
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word and not _NOISE.fullmatch(word)]
    chips = [chip for chip in ("orin", "xavier", "thor") if chip in words]  # modules of one chip: AGX Orin, Orin NX, Orin Nano
    return chips[0] if chips else re.sub(r"(\d{3,4})(?:ti|super|d|m)+$", r"\1", "".join(words))


def _hint(key: str) -> str:
    if _AMD.match(key):
        return "AMD's GPUs are not judged here; give a product of NVIDIA, or an architecture as sm_89"
    names = {each: device.name for each, device in _products().items()} | {
        f"sm{each}": f"sm_{each}" for each in tables().architectures
    }
    near = get_close_matches(key, names, n=3, cutoff=0.5)
    return (
        f"perhaps {', '.join(names[each] for each in near)}"
        if near
        else "give a product of NVIDIA, or an architecture as sm_89"
    )
