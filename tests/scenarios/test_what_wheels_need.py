"""System libraries that nobody named: found in the wheels' own bytes, added with a reason, and there when the service runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.lock import FILE_NAME, Deb, read_lock
from shipwheel.oci.blob import Platform
from support.cargo import AMD64, ARM64
from support.ship import Ship

pytestmark = [pytest.mark.network, pytest.mark.slow]


def project(folder: Path, requirements: str, text: str) -> Path:
    folder.mkdir()
    (folder / "requirements.txt").write_text(requirements)
    (folder / "app.py").write_text(text)
    (folder / "shipwheel.toml").write_text('command = ["python", "app.py"]\n')
    return folder


def added(folder: Path, platform: Platform = AMD64) -> dict[str, str]:
    """Debian packages that are not the base's, with their reasons."""
    debs: tuple[Deb, ...] = read_lock(folder / FILE_NAME).of(platform).debs
    return {deb.name: deb.reason for deb in debs if deb.reason}


CV2 = "import cv2, numpy\nprint(cv2.imencode('.png', numpy.zeros((2, 2, 3), 'uint8'))[0])\n"


@pytest.mark.runc
def test_opencv_runs_with_the_libraries_that_its_wheel_leaves_to_the_system(
    runc_present: None, docked: Ship, tmp_path: Path
) -> None:
    folder = project(tmp_path / "vision", "opencv-python>=4.9,<5\n", CV2)
    said = docked("lock", folder)
    assert "libgl1: libGL.so.1, needed by opencv_python.libs/libQt5" in said.err
    found = added(folder)
    assert found["libgl1"].startswith("libGL.so.1, needed by opencv_python.libs/libQt5")
    asked = {name for name, reason in found.items() if not reason.endswith("depends on it")}
    assert asked == {"libgl1", "libglib2.0-0", "libxcb1"}
    assert docked("run", folder, "--engine", "runc").out == "True\n"
    chain = docked("lock", folder, "--explain", "libglx0").out.splitlines()
    assert chain[0].endswith("libgl1 depends on it")
    assert chain[1].startswith("  libgl1 ")


def test_the_headless_variant_needs_nothing(docked: Ship, tmp_path: Path) -> None:
    folder = project(tmp_path / "vision", "opencv-python-headless>=4.9,<5\n", CV2)
    docked("lock", folder)
    assert added(folder) == {}


def test_each_platform_gets_what_its_own_wheels_need(docked: Ship, tmp_path: Path) -> None:
    folder = project(tmp_path / "boost", "lightgbm>=4.3,<5\n", "import lightgbm\n")
    docked("lock", folder, "--platform", "linux/amd64", "--platform", "linux/arm64")
    for platform in (AMD64, ARM64):
        assert added(folder, platform) == {"libgomp1": "libgomp.so.1, needed by lightgbm/lib/lib_lightgbm.so of lightgbm"}
