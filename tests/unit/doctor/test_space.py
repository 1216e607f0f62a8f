"""Disks and shared memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.doctor.space import Room, check_engine_room, check_home, check_shm, read_room, read_shm
from support.machine import make_where, only, severities

ROOM = Room(path="/home/ada/.cache/shipwheel", free=200 * 10**9, total=500 * 10**9)


def test_a_folder_that_is_not_there_yet_lies_where_its_parent_does(tmp_path: Path) -> None:
    found = read_room(tmp_path / "not" / "yet")
    assert found
    assert found.path == str(tmp_path / "not" / "yet")
    assert 0 < found.free < found.total
    assert read_room(None) is None


@pytest.mark.parametrize(
    ("room", "found"),
    [
        (ROOM, []),
        (None, []),
        (replace(ROOM, free=5 * 10**9), ["warning disk"]),
        (replace(ROOM, free=10**8), ["error disk"]),
        (replace(ROOM, writable=False), ["error disk"]),
    ],
)
def test_the_disk_of_the_home_is_judged(room: Room | None, found: list[str]) -> None:
    assert severities(check_home(room)) == found


def test_the_disk_of_an_engine_is_judged() -> None:
    assert severities(check_engine_room("docker", ROOM)) == []
    assert severities(check_engine_room("docker", None)) == []
    assert only(check_engine_room("docker", replace(ROOM, free=10**9))).remedy == "docker system prune"


def test_shared_memory_is_read(tmp_path: Path) -> None:
    assert read_shm(make_where(tmp_path)) is None
    found = read_shm(make_where(tmp_path, {"/dev/shm/something": ""}))
    assert found
    assert found.writable


@pytest.mark.parametrize(
    ("room", "found"),
    [
        (ROOM, []),
        (None, ["warning shm"]),
        (replace(ROOM, total=64 << 20), []),
        (replace(ROOM, total=32 << 20), ["note shm"]),
        (replace(ROOM, writable=False), ["warning shm"]),
    ],
)
def test_shared_memory_is_judged_on_linux(room: Room | None, found: list[str]) -> None:
    assert severities(check_shm(room, linux=True)) == found
    assert severities(check_shm(room, linux=False)) == []
