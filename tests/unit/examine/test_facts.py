"""What a wheel's native files say, and that it is asked only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.errors import WheelError
from shipwheel.examine.facts import Facts, FactsFolder, read_facts
from support.elves import library
from support.wheels import make_wheel, sha256_of

NATIVE = "cp311-cp311-manylinux_2_17_x86_64"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    files = {
        "vision/__init__.py": "",
        "vision/_core.so": library(soname="_core.so", needed=["libGL.so.1"], runpath="$ORIGIN/../vision.libs"),
        "vision.libs/libpng-1a2b.so.16": library(soname="libpng-1a2b.so.16", versions={"libc.so.6": "GLIBC_2.99"}),
    }
    return make_wheel(tmp_path, "vision", "1.0", files, tag=NATIVE)


def test_native_files_are_told_as_they_will_be_installed(wheel: Path) -> None:
    core, bundled = read_facts(wheel, "vision", "3.11").elves
    assert core.path == "lib/python3.11/site-packages/vision/_core.so"
    assert (core.needed[0], core.runpath, core.machine) == ("libGL.so.1", ("$ORIGIN/../vision.libs",), "x86_64")
    assert ("libc.so.6", "GLIBC_2.99") in bundled.versions


def test_what_was_read_is_remembered_as_it_was(wheel: Path, tmp_path: Path) -> None:
    folder, sha256 = FactsFolder(tmp_path / "facts"), sha256_of(wheel)
    first = folder.of(sha256, wheel, "vision", "3.11")
    wheel.unlink()
    assert folder.of(sha256, wheel, "vision", "3.11") == first
    assert first.elves


def test_another_python_has_other_paths(wheel: Path, tmp_path: Path) -> None:
    folder, sha256 = FactsFolder(tmp_path / "facts"), sha256_of(wheel)
    paths = {folder.of(sha256, wheel, "vision", python).elves[0].path for python in ("3.11", "3.13")}
    assert len(paths) == 2


@pytest.mark.parametrize("text", ["", "{}", '{"elves": [{"path": 1}], "libraries": []}', '{"elves": 3, "libraries": []}'])
def test_a_damaged_note_is_written_anew(wheel: Path, tmp_path: Path, text: str) -> None:
    folder, sha256 = FactsFolder(tmp_path / "facts"), sha256_of(wheel)
    first = folder.of(sha256, wheel, "vision", "3.11")
    (note,) = (tmp_path / "facts").iterdir()
    note.write_text(text)
    assert folder.of(sha256, wheel, "vision", "3.11") == first
    assert len(note.read_text()) > len(text)


def test_a_folder_that_cannot_be_written_only_forgets(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert FactsFolder(tmp_path / "file" / "facts").of(sha256_of(wheel), wheel, "vision", "3.11").elves


def test_a_wheel_without_native_files(tmp_path: Path) -> None:
    assert read_facts(make_wheel(tmp_path, "plain", "1.0"), "plain", "3.11") == Facts()


def test_a_broken_wheel_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken-1.0-py3-none-any.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(WheelError, match="broken"):
        read_facts(path, "broken", "3.11")
