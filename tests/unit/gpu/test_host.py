"""What NVML says, asked of a library that is compiled for the test: pynvml keeps the first one, so each in a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shipwheel.gpu.host import MISMATCH, Device, Driver
from support.machine import make_nvml

ASK = "from shipwheel.gpu.host import *; print(repr(read_driver()))"


def driver_of(folder: Path | None) -> Driver | None:
    env = {"LD_LIBRARY_PATH": str(folder or ""), "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True)
    found: Driver | None = eval(done.stdout, {"Driver": Driver, "Device": Device})
    return found


def test_a_driver_tells_its_version_its_newest_cuda_and_its_devices(tmp_path: Path) -> None:
    found = driver_of(make_nvml(tmp_path))
    assert found
    assert (found.version, found.cuda, found.problem, found.faults) == ("535.104.05", "12.2", "", ())
    assert found.devices[0] == Device(
        index=0, name="NVIDIA H100 80GB HBM3", uuid="GPU-8836a272", architecture=90, memory=85520809984, mig=False
    )
    assert found.devices[1].mig


def test_a_device_that_is_lost_is_a_fault_and_the_others_stay(tmp_path: Path) -> None:
    found = driver_of(make_nvml(tmp_path, lost=0))
    assert found
    assert [device.index for device in found.devices] == [1]
    assert found.faults == ("GPU 0: GPU is lost",)


def test_a_device_without_mig_is_one_without(tmp_path: Path) -> None:
    found = driver_of(make_nvml(tmp_path, arch=75, name="Tesla T4"))
    assert found
    assert [device.mig for device in found.devices] == [False, False]


@pytest.mark.parametrize(("status", "words"), [(MISMATCH, "mismatch"), (9, "Driver Not Loaded"), (4, "Permissions")])
def test_what_nvml_refuses_is_told(tmp_path: Path, status: int, words: str) -> None:
    found = driver_of(make_nvml(tmp_path, init=status))
    assert found
    assert found.code == status
    assert words in found.problem


def test_without_nvml_there_is_no_driver(tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("no library, in case the machine has one")
    assert driver_of(tmp_path) is None
