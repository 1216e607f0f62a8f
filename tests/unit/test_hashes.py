"""Remembered hashes of large files."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from shipwheel.hashes import LARGE, SETTLED, Hashes


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A large file that has been left alone for long enough."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"m" * LARGE)
    later = time.time() + 2 * SETTLED
    monkeypatch.setattr("shipwheel.hashes.time.time", lambda: later)
    return path


def test_a_large_file_is_read_once(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = Hashes(tmp_path / "notes")
    first = hashes.sha256(large)
    assert first == hashlib.sha256(large.read_bytes()).hexdigest()
    monkeypatch.setattr("shipwheel.hashes._hash", lambda _: pytest.fail("read again"))
    assert hashes.sha256(large) == first


def test_other_bytes_with_the_same_size_and_time_are_seen(large: Path, tmp_path: Path) -> None:
    hashes = Hashes(tmp_path / "notes")
    before, times = hashes.sha256(large), large.stat()
    large.write_bytes(b"n" * LARGE)
    os.utime(large, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert hashes.sha256(large) != before


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"m" * LARGE)
    Hashes(tmp_path / "notes").sha256(path)
    assert not (tmp_path / "notes").exists()


def test_notes_that_cannot_be_written_or_read_do_no_harm(large: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a file is in the way")
    assert Hashes(tmp_path / "notes").sha256(large) == hashlib.sha256(large.read_bytes()).hexdigest()
    broken = tmp_path / "broken"
    Hashes(broken).sha256(large)
    next(broken.iterdir()).write_text("{")
    assert Hashes(broken).sha256(large) == hashlib.sha256(large.read_bytes()).hexdigest()
