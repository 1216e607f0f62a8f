"""What well-known wheels of the index miss, against what their users had to find out by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from shipwheel.layers.wheels import wheel_tree
from shipwheel.native.elf import Elf, read_elf
from shipwheel.native.loader import missing
from shipwheel.native.members import elves_of_wheel
from shipwheel.native.versions import newer_versions

pytestmark = [pytest.mark.network, pytest.mark.slow]

STANDARD = [
    *("libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0"),
    *("libresolv.so.2", "librt.so.1", "libstdc++.so.6", "libutil.so.1", "libz.so.1"),
]

MISSED = {
    "lightgbm==4.6.0": {"libgomp.so.1": r"lightgbm/lib/lib_lightgbm\.so"},
    "opencv-python==4.10.0.84": {
        "libGL.so.1": r"opencv_python\.libs/libQt5Gui-\w+\.so\.[\d.]+",
        "libglib-2.0.so.0": r"opencv_python\.libs/libQt5Core-\w+\.so\.[\d.]+",
        "libgthread-2.0.so.0": r"opencv_python\.libs/libQt5Core-\w+\.so\.[\d.]+",
    },
    "opencv-python-headless==4.10.0.84": {},
    "psycopg2-binary==2.9.10": {},
}
"""By wheel: each missing library with the file that asks for it."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    platforms = [f"--platform=manylinux{each}_x86_64" for each in ("2014", "_2_17", "_2_28")]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version=3.11"]
    subprocess.run([*command, *platforms, "--dest", str(folder), *MISSED], check=True, timeout=300)
    return folder


def elves(folder: Path, spec: str) -> tuple[str, list[Elf]]:
    name, _, version = spec.partition("==")
    wheel = next(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    return name, [elf for path, data in elves_of_wheel(wheel_tree(wheel, "3.11")) if (elf := read_elf(data, path))]


@pytest.mark.parametrize("spec", MISSED)
def test_what_a_wheel_misses(spec: str, wheels: Path) -> None:
    name, files = elves(wheels, spec)
    found = {each.name: each for each in missing({name: files}, STANDARD, machine="x86_64") if not each.optional}
    assert set(found) == set(MISSED[spec])
    for library, file in MISSED[spec].items():
        assert re.fullmatch(f"{re.escape(library)}, needed by {file} of {name}", found[library].reason)
    assert newer_versions({name: files}, 36, "bookworm") == ()
