"""`gpu check`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipwheel.cli.main import run
from support.fatbins import CUBIN, PTX, container, elf_file, entry
from support.wheels import make_wheel


def library(*entries: tuple[int, int]) -> bytes:
    return elf_file({".nv_fatbin": container(*(entry(kind, architecture) for kind, architecture in entries))})


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A wheel for CUDA 12.6 with two libraries, of which one has no code for Turing and only PTX for Hopper."""
    monkeypatch.setenv("SHIPWHEEL_HOME", str(tmp_path / "home"))
    files = {
        "sparks/main.so": library((CUBIN, 75), (CUBIN, 80), (CUBIN, 90)),
        "sparks/extra.so": library((CUBIN, 86), (PTX, 80)),
    }
    return str(make_wheel(tmp_path, "sparks", "1.0+cu126", files, tag="cp311-cp311-linux_x86_64"))


def test_devices_that_run_it_natively(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "A10", "--device", "8.9", "--driver", "560.28.03"]) == 0
    assert capsys.readouterr().out == "A10, sm_86: runs natively\nsm_89: runs natively\n"


def test_a_library_without_code_for_a_device_is_named(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "A10", "--device", "T4"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "A10, sm_86: runs natively",
        "T4, sm_75: does not run: 1 of 2 libraries have no code for it",
        "  extra.so of sparks: it holds sm_86 compute_80, none of which sm_75 runs",
        "  -> look for a version or a build of it with code for sm_75",
    ]


def test_ptx_is_compiled_by_a_driver_that_knows_its_cuda(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "H100", "--driver", "560.28.03"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "H100, sm_90: runs by PTX: the driver compiles 1 of 2 libraries at the first start",
        "  extra.so of sparks: by PTX",
        "  -> keep CUDA_CACHE_PATH on a volume, or every new container compiles again",
    ]
    assert run(["gpu", "check", wheel, "--device", "H100", "--driver", "535.104.05"]) == 1
    assert "has only PTX of CUDA 12.6, and driver 535.104.05 compiles PTX up to CUDA 12.2" in capsys.readouterr().out


def test_a_driver_that_is_too_old(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "A100", "--driver", "470.82.01"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "A100, sm_80: does not run: CUDA 12.6 needs driver 525.60.13 or newer, this one is 470.82.01",
        "  -> install driver 525.60.13 or newer, or lock it with CUDA 11 (any 11.x)",
    ]


def test_data(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "T4", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["cuda"], data["driver"]) == ("12.6", "")
    (device,) = data["devices"]
    assert (device["device"], device["architecture"], device["ok"], device["way"]) == ("T4", 75, False, "no")
    assert [(each["path"].rpartition("/")[2], each["way"]) for each in device["libraries"]] == [
        ("extra.so", "no"),
        ("main.so", "native"),
    ]


def test_what_needs_no_gpu_runs_anywhere(tmp_path: Path, wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = str(make_wheel(tmp_path, "plain", "1.0"))
    assert run(["gpu", "check", plain, "--device", "T4"]) == 0
    assert capsys.readouterr().out == "T4, sm_75: runs, and needs no GPU\n"


def test_what_holds_no_code_for_gpus_gets_no_verdict(tmp_path: Path, wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"nvidia/nvjitlink/lib/libnvJitLink.so.12": elf_file({".text": bytes(8)})}
    linker = str(make_wheel(tmp_path, "nvidia-nvjitlink-cu12", "12.6.85", files, tag="py3-none-manylinux_2_17_x86_64"))
    assert run(["gpu", "check", linker, "--device", "T4"]) == 0
    assert capsys.readouterr().out == "T4, sm_75: no verdict: it holds no code for GPUs by which to judge\n"
    assert run(["gpu", "check", linker, "--device", "T4", "--driver", "470.82.01"]) == 1


def test_a_driver_is_no_remedy_for_a_gpu_without_code(wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gpu", "check", wheel, "--device", "V100", "--driver", "535.104.05"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "V100, sm_70: does not run: 2 of 2 libraries have no code for it",
        "  -> look for a version or a build of it with code for sm_70",
    ]


def test_a_library_by_itself(tmp_path: Path, wheel: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "libone.so"
    path.write_bytes(library((CUBIN, 80)))
    assert run(["gpu", "check", str(path), "--device", "H100"]) == 1
    assert capsys.readouterr().out.startswith("H100, sm_90: does not run: it holds sm_80, none of which sm_90 runs\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "L5"], "'L5' is no GPU that is known here"),
        (["--device", "L4", "--driver", "newest"], "'newest' is no version of a driver"),
        ([], "Missing option '--device'"),
    ],
)
def test_slips_are_told(wheel: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["gpu", "check", wheel, *arguments]) == 2
    assert message in capsys.readouterr().err
