"""Packages and CUDA: who brings it, who takes it from the system, who is compiled with it (data/lint/gpu.toml)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from shipwheel.lint.packages.python import Added, Packages
from shipwheel.lint.packages.torch_table import Loads, onnxruntime_loads, tensorflow_loads, whisper_loads
from shipwheel.lint.packages.torch_wheels import Build, applies, package, torch_build
from shipwheel.lint.tables import table

TABLE = "gpu.toml"

_BRINGS_CUDA = re.compile(r"cuda|ctk")
_FAMILY = re.compile(r"torch|tensorflow|keras|jax|cupy|nvidia-|mxnet|paddle|cu(?:df|ml|graph)|.*cuda|.*gpu|tensorrt|triton")
DECIDED_BY = {"faster-whisper": "ctranslate2"}
"""What says which CUDA a package loads, where its version is named too."""
_UP_TO = re.compile(r"<|~=|!=|\*")
_NEWEST = "9999"
_CUPY = re.compile(r"cupy-cuda(\d{2,3})x?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A package that compiles CUDA code; its fields stand in the table."""

    nvcc: bool | str
    source: str
    arch: str = ""
    wheels: bool = False


@cache
def named(group: str) -> frozenset[str]:
    """The packages of a list of the table: torch, system, gpu, cpu."""
    return frozenset(table(TABLE)[group])


@cache
def compiled() -> dict[str, Compiled]:
    """The packages that compile CUDA code, by name."""
    return {name: Compiled(**row) for name, row in table(TABLE)["builds"].items()}


def takes_from_system(packages: Packages) -> list[Added]:
    """Packages that load the system's CUDA."""
    return [added for name, added in packages.by_name.items() if name in named("system") and not _brings(added)]


def _brings(added: Added) -> bool:
    """tensorflow[and-cuda], cupy-cuda12x[ctk], onnxruntime-gpu[cuda,cudnn]."""
    return any(_BRINGS_CUDA.search(extra) for extra in added.requested.extras)


def bringing(packages: Packages) -> Iterator[tuple[Added, Build]]:
    """Packages whose wheels come with a CUDA of their own; torch rather than what requires it."""
    torch = package(packages, "torch")
    if torch and (build := torch_build(torch)).kind == "cuda":
        yield torch, build
    for name in ("tensorflow", "jax"):
        added = package(packages, name)
        if added and _brings(added) and applies(added.requested.marker):
            yield added, Build(kind="cuda", cuda=_cuda_of(added))
    if torch is None:
        yield from ((added, Build(kind="cuda")) for added in _with_torch(packages))


def _with_torch(packages: Packages) -> Iterator[Added]:
    """The first package that requires torch, where nothing else brings or chooses a torch."""
    if not packages.complete:
        return
    found = [added for name, added in packages.by_name.items() if name in named("torch")]
    torch = [replace(added, requested=replace(added.requested, name="torch", specifier="")) for added in found]
    builds = map(torch_build, torch)
    if found and all(build.kind == "cuda" for build in builds):
        yield found[0]


def _cuda_of(added: Added) -> str:
    if added.requested.name == "tensorflow":
        loads = tensorflow_loads(added.requested.version)
        return loads.cuda if loads else ""
    majors = [found[1] for extra in added.requested.extras if (found := re.match(r"cuda(\d+)", extra))]
    return f"{majors[0]}.0" if majors else ""


def loads(added: Added) -> Loads | None:
    """What a package takes from the system, where that is known."""
    name, version = added.requested.name, added.requested.version
    if _brings(added) or added.requested.url or not added.requested.known or not applies(added.requested.marker):
        return None
    if name in ("tensorflow", "tensorflow-gpu"):
        return tensorflow_loads(version)
    if name == "onnxruntime-gpu":
        return onnxruntime_loads(version)
    if name == "faster-whisper":
        return whisper_loads(version or ("" if _UP_TO.search(added.requested.specifier) else _NEWEST))
    cupy = _CUPY.match(name)
    if cupy:
        digits = cupy[1]
        return Loads(cuda=f"{digits}.0" if digits in ("11", "12", "13") else f"{digits[:-1]}.{digits[-1]}", cudnn="")
    return None


def is_of_gpu(name: str) -> bool:
    """Whether a package uses a GPU, or requires one that does."""
    return name in named("torch") | named("system") | named("gpu") or bool(_FAMILY.match(name))
