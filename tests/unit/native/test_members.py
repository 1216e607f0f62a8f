"""Native files of wheels and projects are found by their first bytes, wherever they lie and whatever they are called."""

from __future__ import annotations

import mmap
import zipfile
from pathlib import Path

import pytest

from shipwheel.errors import StoreError, WheelError
from shipwheel.layers.wheels import wheel_tree
from shipwheel.native import members
from shipwheel.native.elf import read_elf
from shipwheel.native.members import elves_of_folder, elves_of_wheel
from shipwheel.project import ProjectFile
from support.elves import library
from support.wheels import make_wheel

SITE = "lib/python3.11/site-packages"
LIBRARY = library(soname="libx.so.1")
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "x = 1\n",
    "demo/_x.abi3.so": LIBRARY,
    "demo/weights.so": b"not one" * 20,
    "demo/tiny": b"\x7fELF",
    "demo.libs/libx-1234.so.1": LIBRARY,
    "demo-1.0.data/scripts/tool": LIBRARY,
    "demo-1.0.data/data/share/demo/plugin": LIBRARY,
    "demo-1.0.data/purelib/other/helper.bin": LIBRARY,
}
FOUND = sorted(
    [
        "bin/tool",
        "share/demo/plugin",
        *(f"{SITE}/{each}" for each in ("demo/_x.abi3.so", "demo.libs/libx-1234.so.1", "other/helper.bin")),
    ]
)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_every_native_file_of_a_wheel_is_found_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: int, in_memory: int
) -> None:
    monkeypatch.setattr(members, "_IN_MEMORY", in_memory)
    tree = wheel_tree(make_wheel(tmp_path, "demo", "1.0", FILES, compression=compression), "3.11")
    found = [(path, bytes(data[:])) for path, data in elves_of_wheel(tree)]
    assert sorted(path for path, _ in found) == FOUND
    assert all(data == LIBRARY for _, data in found)


def test_a_large_file_is_mapped_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_IN_MEMORY", 0)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tree = wheel_tree(make_wheel(tmp_path, "demo", "1.0", {"demo/_x.so": LIBRARY}), "3.11")
    for path, data in elves_of_wheel(tree, scratch=scratch):
        assert isinstance(data, mmap.mmap)
        assert read_elf(data, path) == read_elf(LIBRARY, f"{SITE}/demo/_x.so")
    assert list(scratch.iterdir()) == []


def test_a_damaged_member_is_an_error_of_the_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/_x.so": LIBRARY}, compression=zipfile.ZIP_STORED)
    data = bytearray(wheel.read_bytes())
    data[data.index(b"\x7fELF") + 500] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(WheelError, match=r"'demo/_x.so' in demo-1.0.* is damaged"):
        list(elves_of_wheel(wheel_tree(wheel, "3.11")))


def test_no_room_is_said_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_IN_MEMORY", 0)
    tree = wheel_tree(make_wheel(tmp_path, "demo", "1.0", {"demo/_x.so": LIBRARY}), "3.11")
    with pytest.raises(StoreError, match="no room to unpack") as caught:
        list(elves_of_wheel(tree, scratch=tmp_path / "absent"))
    assert "TMPDIR" in caught.value.hint


def test_native_files_of_a_project_are_found_in_place(tmp_path: Path) -> None:
    (tmp_path / "fast.so").write_bytes(LIBRARY)
    (tmp_path / "app.py").write_text("x = 1\n" * 30)
    (tmp_path / "empty").touch()
    files = [
        ProjectFile(path=path.name, source=path, size=path.stat().st_size, mode=0o644, mtime_ns=0, target=target)
        for path, target in [(tmp_path / "app.py", ""), (tmp_path / "empty", ""), (tmp_path / "fast.so", "")]
    ]
    link = ProjectFile(path="link.so", source=tmp_path / "fast.so", size=len(LIBRARY), mode=0o644, mtime_ns=0, target="fast.so")
    assert [(path, bytes(data[:])) for path, data in elves_of_folder([*files, link])] == [("fast.so", LIBRARY)]
