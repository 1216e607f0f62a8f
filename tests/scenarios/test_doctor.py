"""`shipwheel doctor` for real: on this machine as it is, and with a driver of NVIDIA's that is compiled for the test."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.lock import FILE_NAME, Accelerator, read_lock, write_lock
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import RuntimeConfig, compose
from shipwheel.oci.store import Store
from support.cargo import ARM64
from support.images import busybox_layer
from support.machine import make_nvml
from support.ship import Said, Ship

LABELS = {
    "dev.shipwheel.cuda": "12.6",
    "dev.shipwheel.driver": "525.60.13",
    "dev.shipwheel.architectures": "sm_80 sm_90 compute_90",
    "dev.shipwheel.shm-size": "8g",
}


def keep(ship: Ship, name: str, labels: dict[str, str], platform: Platform | None = None) -> None:
    made = compose((busybox_layer(),), RuntimeConfig(cmd=("true",), labels=labels), platform or Platform())
    copy(made, Store(ship.home), f"{name}:latest")


def found(said: Said, check: str) -> list[tuple[str, str]]:
    """Severity and message of what a check found."""
    return [(each["severity"], each["message"]) for each in said.json if each["check"] == check]


@pytest.fixture
def without_nvidia(ship: Ship, tmp_path: Path) -> Ship:
    """Whatever the machine of the test has."""
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "libnvidia-ml.so.1").write_text("")
    return ship.as_a_process().having(LD_LIBRARY_PATH=str(tmp_path / "none"))


def test_a_machine_is_told_line_by_line(ship: Ship) -> None:
    said = ship.run("doctor", "--verbose")
    lines = [line.split(maxsplit=2) for line in said.out.splitlines()]
    assert {line[0] for line in lines} <= {"error", "warning", "note", "ok"}
    assert {"kernel:", "disk:", "index:", "tools:"} <= {line[1] for line in lines if line[0] == "ok"}
    assert ["error", "debian:"] in [line[:2] for line in lines]  # the index of these tests is no Debian mirror
    assert all(" -> " in line[2] for line in lines if line[0] in ("error", "warning"))
    assert "things are fine" in said.err
    assert said.status == 1


def test_what_is_fine_is_not_told_unless_asked_for(ship: Ship) -> None:
    assert not [line for line in ship.run("doctor").out.splitlines() if line.startswith("ok")]


def test_data_has_the_same_findings(ship: Ship) -> None:
    said = ship.run("doctor", "--json")
    assert list(said.json[0]) == ["severity", "check", "message", "remedy"]
    assert found(said, "tools")[0][0] == "ok"


def test_a_gpu_image_without_a_gpu_is_one_line_and_no_trace(without_nvidia: Ship) -> None:
    keep(without_nvidia, "gpu", LABELS)
    said = without_nvidia.run("doctor", "gpu", "--json")
    ((severity, message),) = found(said, "gpu")
    assert severity == "error"
    assert message.startswith("gpu:latest is made for GPUs (CUDA 12.6), and there is no GPU")
    assert said.status == 1
    assert "Traceback" not in said.err


def test_an_image_for_processors_needs_none(without_nvidia: Ship) -> None:
    keep(without_nvidia, "small", {})
    said = without_nvidia.run("doctor", "small", "--json")
    assert found(said, "gpu") == [("ok", "small:latest needs no GPU")]
    assert found(said, "platform")[0][0] == "ok"


def test_a_gpu_with_a_driver_runs_it_by_minor_version_compatibility(ship: Ship, tmp_path: Path) -> None:
    keep(ship, "gpu", LABELS)
    with_gpu = ship.as_a_process().having(LD_LIBRARY_PATH=str(make_nvml(tmp_path / "nvml")))
    said = with_gpu.run("doctor", "gpu", "--json")
    assert ("ok", "NVIDIA's driver 535.104.05, CUDA up to 12.2") in found(said, "driver")
    runs = [message for severity, message in found(said, "gpu") if severity == "ok"]
    assert len(runs) == 1
    assert "runs on GPU 0, NVIDIA H100 80GB HBM3; GPU 1" in runs[0]
    assert "minor-version compatibility" in runs[0]


def test_an_old_driver_does_not(ship: Ship, tmp_path: Path) -> None:
    keep(ship, "gpu", LABELS)
    folder = make_nvml(tmp_path / "nvml", driver="470.57.02", cuda=11040, arch=80, name="NVIDIA A100-SXM4-80GB")
    said = ship.as_a_process().having(LD_LIBRARY_PATH=str(folder)).run("doctor", "gpu", "--json")
    assert any(severity == "error" and "525.60.13" in message for severity, message in found(said, "gpu"))


def test_a_driver_that_hangs_holds_nothing_up(ship: Ship, tmp_path: Path) -> None:
    folder = make_nvml(tmp_path / "nvml", hang=1)
    began = time.monotonic()
    said = ship.as_a_process().having(LD_LIBRARY_PATH=str(folder)).run("doctor", "--json")
    assert found(said, "driver") == [("error", "NVIDIA's driver does not answer")]
    assert time.monotonic() - began < 30


def test_an_index_that_hangs_holds_nothing_up(ship: Ship) -> None:
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = ship.having(UV_DEFAULT_INDEX=f"http://127.0.0.1:{silent.getsockname()[1]}/simple").run("doctor", "--json")
    assert [severity for severity, _ in found(said, "index")] == ["error"]
    assert time.monotonic() - began < 30


def test_an_image_of_another_platform_is_told(ship: Ship) -> None:
    keep(ship, "arm", {}, ARM64)
    ((severity, message),) = found(ship.run("doctor", "arm", "--json"), "platform")
    assert severity in ("error", "warning", "note")  # by the emulators that the machine has
    assert "linux/arm64" in message


def test_a_project_and_its_lock_are_looked_at(ship: Ship, project: Path) -> None:
    said = ship.run("doctor", project, "--json")
    assert found(said, "lock") == [("ok", "for linux/amd64")]
    assert found(said, "gpu") == [("ok", "project needs no GPU")]
    (project / "requirements.txt").write_text("alpha\n")
    said = ship.run("doctor", project, "--json")
    assert [severity for severity, _ in found(said, "lock")] == ["error"]
    assert said.status == 1


def test_a_lock_says_what_the_image_will_need(without_nvidia: Ship, project: Path) -> None:
    lock = read_lock(project / FILE_NAME)
    needs = Accelerator(kind="cuda", version="12.6", driver="525.60.13", architectures="sm_80 compute_90")
    write_lock(project / FILE_NAME, replace(lock, platforms=(replace(lock.platforms[0], accelerator=needs),)))
    said = without_nvidia.run("doctor", project, "--json")
    ((severity, message),) = found(said, "gpu")
    assert severity == "error"
    assert message.startswith("project is made for GPUs (CUDA 12.6)")


def test_a_name_that_nothing_has_is_an_error(ship: Ship) -> None:
    ship.fails(7, "doctor", "nothing")
