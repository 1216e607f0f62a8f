"""Windows' subsystem for Linux, and Jetson."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.doctor.special import Jetson, Wsl, check_jetson, check_wsl, tegra_release, wsl_version
from support.machine import make_where, only, severities

SECOND = "Linux version 5.4.72-microsoft-standard-WSL2 (oe-user@oe-host) (gcc version 8.2.0 (GCC)) #1 SMP Wed Oct 28"
"""github.com/leoheck/kiri/pull/28."""

SECOND_EARLY = (
    "Linux version 4.19.104-microsoft-standard (jkp@DESKTOP-DKG6ENQ) (gcc version 7.5.0 (Ubuntu 7.5.0-3ubuntu1~18.04))"
)
"""github.com/microsoft/WSL/issues/8361."""

FIRST = "Linux version 3.4.0-Microsoft (Microsoft@Microsoft.com) (gcc version 4.7 (GCC) ) #1 SMP PREEMPT"
"""github.com/microsoft/WSL/issues/1090."""

DEBIAN = "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)"

JETSON = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1 19:57:35 UTC 2023"
"""/etc/nv_tegra_release of an AGX Orin with JetPack 5.1.2 (github.com/boxcutter, a guide to setting one up)."""

ORIN = "nvidia,p3737-0000+p3701-0000\0nvidia,tegra234\0"
"""/proc/device-tree/compatible: names with a zero byte behind each (device tree specification, "compatible")."""


@pytest.mark.parametrize(("text", "version"), [(SECOND, 2), (SECOND_EARLY, 2), (FIRST, 1), (DEBIAN, 0), ("", 0)])
def test_which_wsl_is_seen_in_the_kernels_name(text: str, version: int) -> None:
    assert wsl_version(text) == version


def test_the_first_wsl_runs_no_containers() -> None:
    assert only(check_wsl(Wsl(version=1))).severity == "error"


def test_the_second_is_fine_with_windows_driver_and_without_a_gpu(tmp_path: Path) -> None:
    files = {"/proc/version": SECOND, "/dev/dxg": "", "/usr/lib/wsl/lib/libcuda.so.1": ""}
    found = Wsl.read(make_where(tmp_path, files), ())
    assert found == Wsl(version=2, gate=True, library=True)
    assert severities([*check_wsl(found), *check_wsl(Wsl(version=2)), *check_wsl(Wsl())]) == []


def test_linux_driver_in_wsl_hides_that_of_windows(tmp_path: Path) -> None:
    """CUDA on WSL User Guide, "Getting Started": do not install any Linux display driver in WSL."""
    found = Wsl.read(make_where(tmp_path, {"/proc/version": SECOND}), ("535.104.05",))
    assert only(check_wsl(found)).severity == "warning"


def test_a_windows_without_cuda_is_a_note() -> None:
    assert only(check_wsl(Wsl(version=2, gate=True))).severity == "note"


def test_a_jetson_tells_its_release_and_its_gpu(tmp_path: Path) -> None:
    where = make_where(tmp_path, {"/etc/nv_tegra_release": f"{JETSON}\n", "/proc/device-tree/compatible": ORIN})
    found = Jetson.read(where)
    assert found == Jetson(release="35.4.1", architecture=87)
    assert severities(check_jetson(found, generated=True)) == ["note jetson"]
    assert severities(check_jetson(found, generated=False)) == ["warning jetson", "note jetson"]


def test_other_machines_are_no_jetson(tmp_path: Path) -> None:
    assert Jetson.read(make_where(tmp_path)) == Jetson()
    assert list(check_jetson(Jetson(), generated=False)) == []
    assert tegra_release("something else") == ""
