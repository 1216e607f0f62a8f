"""NVIDIA's driver: the module in the kernel, the libraries beside it, the device nodes, and what NVML says of all that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.doctor.where import Where
from shipwheel.gpu.host import MISMATCH, Device, Driver

_VENDOR, _DISPLAY = "0x10de", "0x03"
"""NVIDIA's number and the class of display controllers on PCI (pci.ids); also of GPUs without an output."""

_LIBRARIES = (
    "/usr/lib/*-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/*-linux-gnu/nvidia/current",
    "/usr/local/nvidia/lib64",
)
"""Where distributions, NVIDIA's installer and Google's container hosts put libcuda.so.VERSION."""

_UVM = "/dev/nvidia-uvm"
_OF_CUDA = re.compile(r"/dev/nvidia(?:ctl|\d+|-uvm)")
"""Nodes that CUDA opens; others are for displays, switches and parts of GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A device node, and whether you may read and write it."""

    path: str
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvidia:
    """What shows of NVIDIA: GPUs on the bus, the module's version, versions of libcuda.so, nodes; `driver` is NVML's word.

    `asked` is False where NVML did not answer in time.
    """

    cards: int = 0
    module: str = ""
    libraries: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    driver: Driver | None = None
    asked: bool = True

    @classmethod
    def read(cls, where: Where, driver: Driver | None, *, asked: bool = True) -> Nvidia:
        """As in /sys, /proc and /dev."""
        return cls(
            cards=_cards(where),
            module=module_version(where.text("/proc/driver/nvidia/version")),
            libraries=_libraries(where),
            nodes=tuple(_nodes(where)),
            driver=driver,
            asked=asked,
        )

    @property
    def version(self) -> str:
        """The driver's, by whoever knows it."""
        return (self.driver.version if self.driver else "") or self.module

    @property
    def devices(self) -> tuple[Device, ...]:
        """GPUs that answer."""
        return self.driver.devices if self.driver else ()

    @property
    def works(self) -> bool:
        """Whether there is a GPU that can be used."""
        return bool(self.devices)

    @property
    def shows(self) -> bool:
        """Whether there is anything of NVIDIA's, working or not."""
        return bool(self.cards or self.module or self.nodes or self.driver)


def module_version(text: str) -> str:
    """560.35.03 of /proc/driver/nvidia/version, of the closed and of the open kernel module; empty without one."""
    match = re.search(r"^NVRM version: .*?\s(\d+\.\d+(?:\.\d+)?)\s", f"{text}\n", re.MULTILINE)
    return match[1] if match else ""


def _cards(where: Where) -> int:
    devices = where.path("/sys/bus/pci/devices")
    names = [f"/sys/bus/pci/devices/{path.name}" for path in devices.glob("*")]
    return sum(where.text(f"{name}/vendor") == _VENDOR and where.text(f"{name}/class").startswith(_DISPLAY) for name in names)


def _libraries(where: Where) -> tuple[str, ...]:
    files = (path.name for folder in _LIBRARIES for path in where.root.glob(f"{folder.lstrip('/')}/libcuda.so.*.*"))
    return tuple(sorted({name.removeprefix("libcuda.so.") for name in files}))


def _nodes(where: Where) -> Iterator[Node]:
    for path in sorted(where.path("/dev").glob("nvidia*")):
        if not path.is_dir():
            yield Node(path=f"/dev/{path.name}", usable=os.access(path, os.R_OK | os.W_OK))


def check_driver(found: Nvidia) -> Iterator[Finding]:
    """That it is loaded, of one version, and that every GPU answers."""
    driver = found.driver
    if not found.asked:
        yield error(
            "driver", "NVIDIA's driver does not answer", "look for 'NVRM: Xid' in 'sudo dmesg', and restart the machine"
        )
    elif driver and driver.code == MISMATCH:
        yield _mismatch(found)
    elif driver and driver.problem:
        say = error if found.cards or found.module else warning  # its libraries may be there for containers of other machines
        yield say("driver", f"NVIDIA's driver is installed, but does not work: {driver.problem}", _without_module(found))
    elif driver:
        yield from _working(driver)
    elif found.module:
        yield error(
            "driver",
            f"NVIDIA's kernel module {found.module} is loaded, but its libraries are absent",
            "install the whole driver",
        )
    elif found.cards:
        yield warning("driver", "there is a GPU of NVIDIA, but no driver for it", "install NVIDIA's driver")
    else:
        yield ok("driver", "no GPU of NVIDIA")


def _working(driver: Driver) -> Iterator[Finding]:
    for fault in driver.faults:
        yield error(
            "driver", f"a GPU does not answer: {fault}", "look for 'NVRM: Xid' in 'sudo dmesg', and restart the machine"
        )
    if not driver.devices and not driver.faults:
        yield warning("driver", f"NVIDIA's driver {driver.version} sees no GPU", "see what 'nvidia-smi' and 'lspci' show")
    for device in driver.devices:
        major, minor = divmod(device.architecture, 10)
        size = f", {device.memory / 2**30:.0f} GiB" if device.memory else ""
        yield ok("driver", f"GPU {device.index}: {device.name}, compute capability {major}.{minor}{size}")
        if device.mig:
            yield note("driver", f"GPU {device.index} is in MIG mode: it is used by its parts", "'nvidia-smi -L' lists them")
    yield ok("driver", f"NVIDIA's driver {driver.version}, CUDA up to {driver.cuda}")


def _mismatch(found: Nvidia) -> Finding:
    others = [version for version in found.libraries if version != found.module]
    versions = f": {found.module} in the kernel, {', '.join(others)} in libraries" if found.module and others else ""
    return error(
        "driver",
        f"NVIDIA's driver was changed while it was in use, and now its kernel module and its libraries do not fit{versions}",
        "restart the machine, or unload and load the module: sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia",
    )


def _without_module(found: Nvidia) -> str:
    if found.module:
        return "see what 'nvidia-smi' says"
    return "sudo modprobe nvidia; after a new kernel the module must be built for it (dkms), with Secure Boot also signed"


def check_nodes(found: Nvidia) -> Iterator[Finding]:
    """That what CUDA opens is there, where the driver is loaded."""
    if not found.module:
        return
    paths = {node.path for node in found.nodes}
    if "/dev/nvidiactl" not in paths:
        yield error("device-nodes", "there is no /dev/nvidiactl, though the driver is loaded", "sudo nvidia-modprobe")
    if _UVM not in paths:
        yield warning(
            "device-nodes",
            f"there is no {_UVM} yet, which CUDA needs in containers",
            "sudo nvidia-modprobe -u -c=0; or nvidia-persistenced",
        )
    closed = [node.path for node in found.nodes if not node.usable and _OF_CUDA.fullmatch(node.path)]
    if closed:
        yield error(
            "device-nodes",
            f"you may not use {', '.join(closed)}",
            "join their group ('ls -l' shows it), often video, and log in again",
        )
    if not closed and {"/dev/nvidiactl", _UVM} <= paths:
        yield ok("device-nodes", ", ".join(sorted(paths)))
