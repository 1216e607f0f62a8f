"""`Driver` and `Device`: what NVIDIA's driver says of this machine, through NVML (NVIDIA's NVML API reference)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MISMATCH = 18
"""NVML_ERROR_LIB_RM_VERSION_MISMATCH: the library is not of the version of the kernel module that is loaded."""

_ABSENT = 12
"""NVML_ERROR_LIBRARY_NOT_FOUND: no driver is installed here at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU: `architecture` is 89 of sm_89, `memory` bytes; `mig`: it is in MIG mode, and only its parts can be used."""

    index: int
    name: str
    uuid: str
    architecture: int
    memory: int = 0
    mig: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The driver's `version` (535.104.05), the newest CUDA that it knows (12.2) and its devices.

    `code` and `problem` are NVML's, where it cannot be asked; `faults` are sentences about devices that do not answer.
    """

    version: str = ""
    cuda: str = ""
    devices: tuple[Device, ...] = ()
    faults: tuple[str, ...] = ()
    code: int = 0
    problem: str = ""


def read_driver() -> Driver | None:
    """What NVML says; None where there is no NVML, so no driver of NVIDIA's. It may hang with a GPU that is broken."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return None if error.value == _ABSENT else Driver(code=error.value, problem=str(error))
    try:
        return _ask(pynvml)
    except pynvml.NVMLError as error:
        return Driver(code=error.value, problem=str(error))
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _ask(nvml: Any) -> Driver:
    newest = nvml.nvmlSystemGetCudaDriverVersion_v2()
    devices, faults = [], []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            devices.append(_device(nvml, index))
        except nvml.NVMLError as error:
            faults.append(f"GPU {index}: {error}")
    return Driver(
        version=nvml.nvmlSystemGetDriverVersion(),
        cuda=f"{newest // 1000}.{newest % 1000 // 10}",
        devices=tuple(devices),
        faults=tuple(faults),
    )


def _device(nvml: Any, index: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory, mig = 0, False
    with suppress(nvml.NVMLError):  # not told by parts of a GPU, and where memory is shared with the processor
        memory = nvml.nvmlDeviceGetMemoryInfo(handle).total
    with suppress(nvml.NVMLError):  # not supported by most
        mig = nvml.nvmlDeviceGetMigMode(handle)[0] == 1
    return Device(
        index=index,
        name=nvml.nvmlDeviceGetName(handle),
        uuid=nvml.nvmlDeviceGetUUID(handle),
        architecture=major * 10 + minor,
        memory=memory,
        mig=mig,
    )
