"""`shipwheel gpu check` of a lock, its image and its wheel: the same answer, by what the lock and the labels say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.examine.facts import read_facts
from shipwheel.gpu.cuda import needs_of
from shipwheel.lock import FILE_NAME, write_lock
from support.cargo import Mirror, make_script
from support.fatbins import CUBIN, PTX, container, elf_file, entry
from support.ship import Ship
from support.wheels import make_wheel

MAIN = elf_file({".nv_fatbin": container(entry(CUBIN, 80), entry(CUBIN, 90), entry(PTX, 90))})
STORAGE = elf_file({".nv_fatbin": container(entry(CUBIN, 80))})
TAG = "py3-none-manylinux_2_17_x86_64"


@pytest.fixture
def wheel(shelf: Path) -> Path:
    files = {"gamma_cu12/__init__.py": "", "gamma_cu12/libmain.so": MAIN, "gamma_cu12/libcufile.so.0": STORAGE}
    return make_wheel(shelf, "gamma-cu12", "1.0", files, tag=TAG)


@pytest.fixture
def project(tmp_path: Path, shelf: Path, mirror: Mirror, wheel: Path) -> Path:
    folder = make_script(tmp_path / "project", "gamma-cu12")
    lock = mirror.lock(folder, [wheel])
    libraries = read_facts(wheel, "gamma-cu12", "3.11").libraries
    needs = needs_of([("gamma-cu12", "1.0")], libraries, ())
    write_lock(folder / FILE_NAME, replace(lock, platforms=(replace(lock.platforms[0], accelerator=needs),)))
    return folder


def test_a_lock_its_image_and_its_wheel_get_the_same_answer(ship: Ship, project: Path, wheel: Path) -> None:
    ship("build", project, "--no-bytecode", "-t", "gamma:1")
    config = json.loads(ship.image("gamma:1").config.read())["config"]
    assert config["Labels"]["dev.shipwheel.architectures"] == "sm_80 sm_90 compute_90"
    assert "NVIDIA_REQUIRE_CUDA=cuda>=12.0" in config["Env"]
    for target in (project, "gamma:1", wheel):
        assert ship("gpu", "check", target, "--device", "L4", "--driver", "535.104.05").out == "L4, sm_89: runs natively\n"
        assert ship("gpu", "check", target, "--device", "H100", "--device", "B200").out.splitlines() == [
            "H100, sm_90: runs natively, but for GPUDirect Storage",
            "  libcufile.so.0 of gamma-cu12: it holds sm_80, none of which sm_90 runs",
            "B200, sm_100: runs by PTX: the driver compiles its PTX at the first start, which takes minutes",
            "  libcufile.so.0 of gamma-cu12: it holds sm_80, none of which sm_100 runs",
            "  -> keep CUDA_CACHE_PATH on a volume, or every new container compiles again",
        ]
        old = ship.run("gpu", "check", target, "--device", "A100", "--driver", "470.82.01")
        assert (old.status, "CUDA 12 needs driver 525.60.13 or newer" in old.out) == (1, True)


def test_slips(ship: Ship, project: Path) -> None:
    assert "no GPU that is known" in ship.fails(2, "gpu", "check", project, "--device", "L5").error
    assert "nothing" in ship.fails(2, "gpu", "check", "nothing:1", "--device", "L4").error
