"""Machines on which NVIDIA's driver is another: Windows' subsystem for Linux, and Jetson."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.doctor.where import Where

_CHIPS = {"tegra210": 53, "tegra186": 62, "tegra194": 72, "tegra234": 87, "tegra264": 110}
"""Compute capability by chip: Nano, TX2, Xavier, Orin, Thor (developer.nvidia.com/cuda-gpus, "Jetson Products")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wsl:
    """Windows' subsystem for Linux: `version` 1 or 2, 0 on any other machine.

    `gate` is /dev/dxg, the way to Windows' GPU; `library` its libcuda in /usr/lib/wsl/lib; `own` one of Linux' beside it.
    """

    version: int = 0
    gate: bool = False
    library: bool = False
    own: bool = False

    @classmethod
    def read(cls, where: Where, libraries: tuple[str, ...]) -> Wsl:
        """`libraries` are the versions of libcuda in Linux' own folders (CUDA on WSL User Guide, "Getting Started")."""
        return cls(
            version=wsl_version(where.text("/proc/version")),
            gate=where.path("/dev/dxg").exists(),
            library=where.path("/usr/lib/wsl/lib/libcuda.so.1").exists(),
            own=bool(libraries),
        )


def wsl_version(text: str) -> int:
    """Of /proc/version: Microsoft builds the kernel of the second, and has the first tell of one."""
    if "microsoft" not in text.lower():
        return 0
    return 2 if re.search(r"microsoft-standard|WSL2", text, re.IGNORECASE) else 1


def check_wsl(found: Wsl) -> Iterator[Finding]:
    """Nothing on any other machine."""
    if found.version == 1:
        yield error("wsl", "this is WSL 1, which runs no containers", "in Windows: wsl --set-version DISTRIBUTION 2")
    elif found.version == 2 and found.own:
        yield warning(
            "wsl", "a driver of NVIDIA for Linux is installed and hides that of Windows", "remove it: WSL brings its own"
        )
    elif found.version == 2 and found.gate and not found.library:
        yield note("wsl", "Windows has no driver of NVIDIA with CUDA for WSL", "install NVIDIA's driver in Windows")
    elif found.version == 2:
        yield ok("wsl", "WSL 2" + (" with NVIDIA's driver of Windows" if found.library and found.gate else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jetson:
    """NVIDIA Jetson: `release` of its Linux (35.4.1), empty on any other machine; `architecture` of its GPU, 0 if unknown."""

    release: str = ""
    architecture: int = 0

    @classmethod
    def read(cls, where: Where) -> Jetson:
        """/etc/nv_tegra_release, and the device tree's names of the chip."""
        chips = where.text("/proc/device-tree/compatible")
        return cls(
            release=tegra_release(where.text("/etc/nv_tegra_release")),
            architecture=next((number for chip, number in _CHIPS.items() if chip in chips), 0),
        )


def tegra_release(text: str) -> str:
    """35.4.1 of `# R35 (release), REVISION: 4.1, GCID: ...`."""
    match = re.search(r"# R(\d+) \(release\), REVISION: ([\d.]+)", text)
    return f"{match[1]}.{match[2]}" if match else ""


def check_jetson(found: Jetson, *, generated: bool) -> Iterator[Finding]:
    """Nothing on any other machine; `generated`: there is a CDI specification."""
    if not found.release:
        return
    if not generated:
        yield warning(
            "jetson", f"Jetson (L4T {found.release}): engines find no GPU",
            "sudo nvidia-ctk cdi generate --mode=csv --output=/etc/cdi/nvidia.yaml",
        )  # fmt: skip
    yield note(
        "jetson", f"Jetson (L4T {found.release}): its driver comes with JetPack, and wheels of PyPI rarely hold code for it"
    )
