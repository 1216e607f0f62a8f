"""What an image needs, against what a machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.doctor.driver import Nvidia
from shipwheel.doctor.image import (
    Emulator,
    Subject,
    check_gpu,
    check_platform,
    check_shared_memory,
    emulator,
    read_emulator,
    subject,
    total_memory,
)
from shipwheel.doctor.special import Jetson
from shipwheel.gpu.host import Device, Driver
from shipwheel.lock import Accelerator
from shipwheel.oci.blob import Platform
from support.machine import make_where, only, severities

AMD64, ARM64 = Platform(), Platform("linux", "arm64")
LABELS = {
    "dev.shipwheel.cuda": "12.6",
    "dev.shipwheel.driver": "525.60.13",
    "dev.shipwheel.architectures": "sm_80 sm_86 sm_90 compute_90",
    "dev.shipwheel.shm-size": "8g",
}

FIXED = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
flags: OCF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""
"""github.com/uraimo/run-on-arch-action/pull/75."""

MEMINFO = "MemTotal:       24682416 kB\nMemFree:         6153076 kB\n"


def nvidia(*devices: int, driver: str = "560.35.03", name: str = "NVIDIA GPU") -> Nvidia:
    found = tuple(Device(index=at, name=name, uuid="", architecture=each) for at, each in enumerate(devices))
    return Nvidia(cards=len(devices), module=driver, driver=Driver(version=driver, cuda="12.6", devices=found))


CUDA = subject("app:1", [AMD64], LABELS)


def gpu(about: Subject, found: Nvidia, jetson: Jetson | None = None, *, amd: bool = False) -> list[str]:
    return severities(check_gpu(about, found, jetson or Jetson(), amd=amd))


def test_labels_say_what_an_image_needs() -> None:
    assert CUDA.accelerator == Accelerator(
        kind="cuda", version="12.6", driver="525.60.13", architectures="sm_80 sm_86 sm_90 compute_90"
    )
    assert CUDA.shm == 8 << 30
    assert subject("app:1", [AMD64], {}) == Subject(name="app:1", platforms=(AMD64,))
    assert subject("app:1", [AMD64], {"dev.shipwheel.shm-size": "much"}).shm == 0


def test_an_image_without_gpu_code_runs_anywhere() -> None:
    assert gpu(Subject(name="app:1", platforms=(AMD64,)), Nvidia()) == []


def test_a_gpu_image_without_a_gpu_is_one_clear_error() -> None:
    told = only(check_gpu(CUDA, Nvidia(), Jetson(), amd=False))
    assert told.severity == "error"
    assert told.message == (
        "app:1 is made for GPUs (CUDA 12.6), and there is no GPU of NVIDIA here: it uses the processor, if it can"
    )
    assert "driver 525.60.13 or newer" in told.remedy
    broken = only(check_gpu(CUDA, Nvidia(module="535.104.05"), Jetson(), amd=False))
    assert "does not work" in broken.message


def test_gpus_with_their_code_and_a_new_driver_run_it() -> None:
    assert gpu(CUDA, nvidia(80, 90)) == []


def test_minor_version_compatibility_is_enough() -> None:
    assert gpu(CUDA, nvidia(90, driver="525.105.17")) == []


def test_a_driver_that_is_too_old_is_an_error_with_both_versions() -> None:
    told = only(check_gpu(CUDA, nvidia(80, driver="470.57.02"), Jetson(), amd=False))
    assert told.severity == "error"
    assert "525.60.13" in told.message
    assert "470.57.02" in told.message


def test_a_gpu_without_code_is_an_error_and_beside_one_that_has_it_a_warning() -> None:
    assert gpu(CUDA, nvidia(70)) == ["error gpu"]
    assert gpu(CUDA, nvidia(90, 70)) == ["warning gpu"]


def test_gpus_alike_get_one_line() -> None:
    told = only(check_gpu(CUDA, nvidia(70, 70), Jetson(), amd=False))
    assert "GPU 0, NVIDIA GPU; GPU 1, NVIDIA GPU" in told.message


def test_code_that_the_driver_must_compile_is_a_warning() -> None:
    assert gpu(CUDA, nvidia(120, driver="575.51.03")) == ["warning gpu"]


def test_a_jetson_is_judged_by_its_chip() -> None:
    """Orin is sm_87: cubins of sm_86 do not run there, PTX of it would (CUDA C++ Programming Guide, "Binary Compatibility")."""
    with_ptx = subject("app:1", [ARM64], {**LABELS, "dev.shipwheel.architectures": "sm_80 sm_90 compute_80"})
    assert gpu(CUDA, Nvidia(), Jetson(release="36.4.0", architecture=87)) == ["error gpu"]
    assert gpu(with_ptx, Nvidia(), Jetson(release="36.4.0", architecture=87)) == ["warning gpu"]


def test_rocm_needs_a_gpu_of_amd() -> None:
    about = subject("app:1", [AMD64], {"dev.shipwheel.rocm": "6.2"})
    assert gpu(about, nvidia(90)) == ["error gpu"]
    assert gpu(about, Nvidia(), amd=True) == []


def test_an_image_of_this_platform_is_fine() -> None:
    assert severities(check_platform(subject("app:1", [ARM64, AMD64], {}), AMD64, {})) == []


@pytest.mark.parametrize(
    ("found", "severity"),
    [
        (None, "error"),
        (Emulator(interpreter="/usr/bin/qemu-aarch64-static", fixed=False), "warning"),
        (Emulator(interpreter="/usr/bin/qemu-aarch64-static", fixed=True), "note"),
    ],
)
def test_an_image_of_another_platform_needs_an_emulator(found: Emulator | None, severity: str) -> None:
    told = only(check_platform(subject("app:1", [ARM64], {}), AMD64, {ARM64: found}))
    assert told.severity == severity
    assert "linux/arm64" in told.message


def test_emulators_are_read_from_binfmt_misc(tmp_path: Path) -> None:
    name = "/proc/sys/fs/binfmt_misc/qemu-aarch64"
    assert read_emulator(make_where(tmp_path), ARM64) is None
    found = read_emulator(make_where(tmp_path, {name: FIXED}), ARM64)
    assert found == Emulator(interpreter="/usr/bin/qemu-aarch64-static", fixed=True)
    assert emulator(FIXED.replace("OCF", "")) == Emulator(interpreter="/usr/bin/qemu-aarch64-static", fixed=False)
    assert emulator(FIXED.replace("enabled", "disabled")) is None


def test_shared_memory_is_compared_with_memory() -> None:
    assert total_memory(MEMINFO) == 24682416 * 1024
    assert total_memory("") == 0
    assert severities(check_shared_memory(CUDA, 24 << 30)) == []
    assert severities(check_shared_memory(CUDA, 0)) == []
    assert only(check_shared_memory(CUDA, 4 << 30)).message == (
        "app:1 wants /dev/shm of 8.0 GiB, and this machine has 4.0 GiB of memory"
    )
