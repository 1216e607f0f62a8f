"""Room: disks where images and downloads lie, and the shared memory of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.doctor.where import Where

SCARCE = 10 * 10**9
"""Bytes: the wheels of torch with CUDA take 3 GB, their layers as much again, and what an engine unpacks of them 6 GB."""

NOTHING = 500 * 10**6
"""Bytes: an image of a small service, its downloads and layers."""

SHM_OF_ENGINES = 64 << 20
"""Bytes of /dev/shm that engines give a container, so what code for containers expects at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A file system at the nearest folder that exists: bytes that are free for users, and whether you may write there."""

    path: str
    free: int
    total: int
    writable: bool = True

    @classmethod
    def at(cls, path: Path) -> Room | None:
        """None where nothing of it exists or may be seen."""
        there = next((each for each in (path, *path.parents) if os.access(each, os.F_OK)), None)
        if there is None:
            return None
        found = os.statvfs(there)
        return cls(
            path=str(path),
            free=found.f_bavail * found.f_frsize,
            total=found.f_blocks * found.f_frsize,
            writable=os.access(there, os.W_OK | os.X_OK),
        )


def read_room(path: Path | None) -> Room | None:
    """`Room.at`, where there is a path that you may look at."""
    try:
        return Room.at(path) if path else None
    except OSError:
        return None


def check_home(room: Room | None) -> Iterator[Finding]:
    """The disk of SHIPWHEEL_HOME."""
    if room is None:
        return
    if not room.writable:
        yield error("disk", f"you may not write to {room.path}", "set SHIPWHEEL_HOME to a folder of your own")
    elif room.free < NOTHING:
        yield error("disk", f"{_left(room)}: no image fits", "free some space, or set SHIPWHEEL_HOME; 'shipwheel prune --all'")
    elif room.free < SCARCE:
        yield warning(
            "disk", f"{_left(room)}, and torch with CUDA takes 10 GB", "'shipwheel prune --all', or set SHIPWHEEL_HOME"
        )
    else:
        yield ok("disk", _left(room))


def check_engine_room(kind: str, room: Room | None) -> Iterator[Finding]:
    """The disk on which an engine keeps images."""
    if room is None:
        return
    if room.free < SCARCE:
        yield warning("disk", f"{kind}: {_left(room)}, and torch with CUDA takes 6 GB unpacked", f"{kind} system prune")
    else:
        yield ok("disk", f"{kind}: {_left(room)}")


def _left(room: Room) -> str:
    return f"{room.free / 1e9:.1f} GB are free at {room.path}"


def read_shm(where: Where) -> Room | None:
    """/dev/shm; None where there is none."""
    path = where.path("/dev/shm")
    return read_room(path) if path.is_dir() else None


def check_shm(room: Room | None, *, linux: bool) -> Iterator[Finding]:
    """What services without a container get; containers have their own."""
    if not linux:
        return
    if room is None:
        yield warning(
            "shm", "there is no /dev/shm: workers of a service cannot share memory", "sudo mount -t tmpfs shm /dev/shm"
        )
    elif not room.writable:
        yield warning("shm", "you may not write to /dev/shm", "sudo chmod 1777 /dev/shm")
    elif room.total < SHM_OF_ENGINES:
        yield note(
            "shm", f"/dev/shm has {room.total >> 20} MiB", "sudo mount -o remount,size=1g /dev/shm; in a container: --shm-size"
        )
    else:
        yield ok("shm", f"{room.total / 2**30:.1f} GiB")
