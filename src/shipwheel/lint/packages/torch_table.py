"""Releases of torch, TensorFlow and ONNX Runtime: their CUDA, their Pythons and what fits together (data/lint/torch.toml)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from shipwheel.lint.tables import table

TABLE = "torch.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of torch. `cuda`: of its builds on download.pytorch.org, empty where unknown; `pypi`: of the wheel on PyPI."""

    cuda: tuple[str, ...]
    pypi: str
    torchvision: tuple[str, ...] = ()
    torchaudio: tuple[str, ...] = ()
    python: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """What a package loads from the system: CUDA ("12.3") and cuDNN ("8.9"), "" for unknown."""

    cuda: str
    cudnn: str
    python: tuple[str, ...] = ()


@cache
def releases() -> dict[str, Release]:
    """torch by version, the oldest first."""
    return {version: _release(row) for version, row in table(TABLE)["torch"].items()}


def _release(row: dict[str, Any]) -> Release:
    values: dict[str, Any] = {name: value if isinstance(value, str) else tuple(value) for name, value in row.items()}
    return Release(**values)


def release_of(version: str) -> Release | None:
    """Of "2.1", "2.1.0" or "2.1.0+cu121"."""
    plain = version.partition("+")[0]
    return releases().get(plain) or releases().get(f"{plain}.0")


def newest(specifier: str) -> str:
    """The newest torch on PyPI that a specifier allows, by the date of the table; "" for none or an unreadable one."""
    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return ""
    return next((version for version in reversed(releases()) if allowed.contains(version)), "")


def torch_for(package: str, version: str) -> tuple[str, ...]:
    """The versions of torch that a torchvision or torchaudio requires; empty where that is not known."""
    plain = version.partition("+")[0]
    plain = plain if plain.count(".") > 1 else f"{plain}.0"
    return tuple(torch for torch, row in releases().items() if plain in getattr(row, package))


@cache
def _loads(name: str) -> dict[Version, Loads]:
    rows = table(TABLE)[name].items()
    return {Version(version): Loads(**{**row, "python": tuple(row.get("python", ()))}) for version, row in rows}


def tensorflow_loads(version: str) -> Loads | None:
    """What a TensorFlow without [and-cuda] takes from the system."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return _loads("tensorflow").get(Version(found[0])) if found else None


def onnxruntime_loads(version: str) -> Loads | None:
    """What onnxruntime-gpu of PyPI takes from the system."""
    return _row("onnxruntime", version)


def whisper_loads(version: str) -> Loads | None:
    """What faster-whisper takes from the system, with the newest CTranslate2 that it requires."""
    return _row("faster-whisper", version)


def _row(name: str, version: str) -> Loads | None:
    """The row of the last version that is not above one."""
    try:
        asked = Version(version)
    except InvalidVersion:
        return None
    below = [row for first, row in _loads(name).items() if first <= asked]
    return below[-1] if below and below[-1].cuda else None
