"""`shipwheel gpu inspect`: of a lock, an image, a wheel and a library, the same table."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from shipwheel.gpu.fatbin import read_entries
from support.cargo import Mirror, make_script
from support.fatbins import ACCELERATED, CUBIN, LTO, PTX, container, elf_file, entry
from support.ship import Ship
from support.wheels import make_wheel

ONE = elf_file({".nv_fatbin": container(entry(CUBIN, 80), entry(CUBIN, 90, flags=ACCELERATED), entry(PTX, 90))})
TWO = elf_file({".ldata": container(entry(CUBIN, 80, bytes(1000)), entry(LTO, 75))})
TAG = "py3-none-manylinux_2_17_x86_64"


@pytest.fixture
def wheel(shelf: Path) -> Path:
    files = {"gamma_gpu/__init__.py": "", "gamma_gpu/lib/libone.so": ONE, "gamma_gpu/lib/libtwo.so": TWO}
    return make_wheel(shelf, "gamma-gpu", "1.0", files, tag=TAG)


@pytest.fixture
def project(tmp_path: Path, shelf: Path, mirror: Mirror, wheel: Path) -> Path:
    folder = make_script(tmp_path / "project", "alpha", "gamma-gpu")
    mirror.lock(folder, [make_wheel(shelf, "alpha", "1.0"), wheel])
    return folder


def test_a_lock_its_image_and_its_wheel_have_the_same_table(ship: Ship, project: Path, wheel: Path) -> None:
    tables = [ship("gpu", "inspect", project, "--json").json]
    ship("build", project, "--no-bytecode", "-t", "gamma:1")
    tables += [ship("gpu", "inspect", target, "--json").json for target in ("gamma:1", wheel)]
    for table in tables:
        assert [each["package"] for each in table["libraries"]] == ["gamma-gpu"] * 2
        assert [Path(each["path"]).name for each in table["libraries"]] == ["libone.so", "libtwo.so"]
        assert [code["name"] for code in table["totals"]] == ["sm_80", "sm_90a", "lto_75", "compute_90"]
        assert table["libraries"] == [
            {**each, "path": mine["path"]} for each, mine in zip(tables[0]["libraries"], table["libraries"], strict=True)
        ]
        assert table["common"] == ["sm_80"]


def test_the_table_for_people(ship: Ship, project: Path) -> None:
    lines = ship("gpu", "inspect", cwd=project).out.splitlines()
    assert lines[0].split() == ["PACKAGE", "LIBRARY", "SM_", "COMPUTE_", "(PTX)", "LTO_", "BYTES"]
    assert lines[1].split() == ["gamma-gpu", "gamma_gpu/lib/libone.so", "80", "90a", "90", "192", "B"]
    assert lines[2].split() == ["gamma-gpu", "gamma_gpu/lib/libtwo.so", "80", "75", "1.1", "kB"]
    assert lines[-5:] == [
        "2 libraries, 1.3 kB of code",
        "  cubins, 1.1 kB: sm_80 1.1 kB, sm_90a 64 B",
        "  PTX, 64 B: compute_90 64 B",
        "  LTO, 64 B: lto_75 64 B",
        "in common: sm_80",
    ]


def test_a_summary_of_many_architectures_has_the_largest(ship: Ship, tmp_path: Path) -> None:
    many = (entry(CUBIN, architecture, bytes(1000 * size)) for size, architecture in enumerate((50, 60, 75, 80, 86, 89, 90), 1))
    (tmp_path / "libmany.so").write_bytes(elf_file({".nv_fatbin": container(*many)}))
    lines = ship("gpu", "inspect", tmp_path / "libmany.so").out.splitlines()
    assert lines[-3] == "1 library, 28.0 kB of code"
    largest = "sm_90 7.0 kB, sm_89 6.0 kB, sm_86 5.0 kB, sm_80 4.0 kB, sm_75 3.0 kB"
    assert lines[-2] == f"  cubins, 28.0 kB: {largest}, 2 others 3.0 kB"


def test_a_lock_needs_no_app_beside_it(ship: Ship, project: Path) -> None:
    first = ship("gpu", "inspect", project).out
    (project / "app.py").unlink()
    assert ship("gpu", "inspect", project).out == first
    assert ship("gpu", "check", project, "--device", "A100").out == "A100, sm_80: runs natively\n"


def test_what_was_read_once_is_remembered(ship: Ship, project: Path, shelf: Path) -> None:
    first = ship("gpu", "inspect", project).out
    for wheel in shelf.glob("*.whl"):
        wheel.unlink()
    assert ship("gpu", "inspect", project).out == first


def test_a_library_by_itself(ship: Ship, tmp_path: Path) -> None:
    (tmp_path / "libone.so").write_bytes(ONE)
    assert "in common: sm_80 sm_90a compute_90" in ship("gpu", "inspect", tmp_path / "libone.so").out


def test_what_is_not_understood_is_said(ship: Ship, tmp_path: Path) -> None:
    (tmp_path / "libx.so").write_bytes(elf_file({".nv_fatbin": b"no container"}))
    said = ship("gpu", "inspect", tmp_path / "libx.so")
    assert (said.out, "libx.so is not understood: .nv_fatbin holds something other" in said.err) == ("", True)
    (problem,) = [each["problem"] for each in ship("gpu", "inspect", tmp_path / "libx.so", "--json").json["libraries"]]
    assert problem


def test_nothing_for_gpus_is_said(ship: Ship, shelf: Path) -> None:
    wheel = make_wheel(shelf, "delta", "1.0", {"delta/d.so": elf_file({".text": bytes(8)})}, tag=TAG)
    said = ship("gpu", "inspect", wheel)
    assert (said.out, "holds code for GPUs" in said.err) == ("", True)


def test_what_cannot_be_inspected(ship: Ship, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    assert "no wheel and no library" in ship.fails(2, "gpu", "inspect", tmp_path / "notes.txt").error
    assert "nothing" in ship.fails(2, "gpu", "inspect", "nothing:1").error
    make_script(tmp_path / "unlocked")
    assert "lock" in ship.fails(3, "gpu", "inspect", tmp_path / "unlocked").error
    assert "did you mean 'inspect'" in ship.fails(2, "gpu", "inspct").hint


@pytest.mark.network
def test_real_libraries_agree_with_cuobjdump(tmp_path: Path) -> None:
    """`make architectures` does so on all that torch brings; these two are of different CUDAs, one with ten variants."""
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", tmp_path]
    subprocess.run(
        [*download, "nvidia-cuda-cuobjdump==13.5.37", "nvidia-curand-cu12==10.3.10.19"], check=True, stderr=subprocess.DEVNULL
    )
    for wheel in tmp_path.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(tmp_path)
    (program,), (library,) = tmp_path.rglob("bin/cuobjdump"), tmp_path.rglob("libcurand.so.*")
    program.chmod(0o755)
    text = subprocess.run([program, "-all", library], check=True, capture_output=True, text=True).stdout
    theirs = Counter(re.findall(r"^Fatbin (\w+) code:\n=+\narch = sm_(\w+)$", text, re.MULTILINE))
    kinds = {"cubin": "elf", "ptx": "ptx", "lto": "nvvm"}
    ours = Counter((kinds[each.kind], f"{each.architecture}{each.variant}") for each in read_entries(library.read_bytes()))
    assert ours == theirs
    assert ours.total() == 153
