"""Control groups, version 1, 2 or both: where a container's memory group is, and whether the kernel killed in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_SWAP_V1 = "memory.memsw.limit_in_bytes"


def cgroup_path(identity: str) -> str:
    """For `cgroupsPath`: below one group of ours, so that an administrator sees whose it is."""
    return f"/shipwheel/{identity}"


def counts_swap() -> bool:
    """Whether swap can be limited with memory: always with version 2, with version 1 where the kernel was told so."""
    mounts = list(_mounts())
    v1 = next((point for point, kind, options in mounts if kind == "cgroup" and "memory" in options), None)
    return (v1 / _SWAP_V1).exists() if v1 else False


def memory_events(pid: int) -> Path | None:
    """The file that counts kills for memory in the group of process `pid`; to be found while that lives."""
    groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for point, kind, options in _mounts():
        for _, controllers, path in groups:
            if kind == "cgroup" and "memory" in options and "memory" in controllers.split(","):
                return point / path.lstrip("/") / "memory.oom_control"
            if kind == "cgroup2" and not controllers and (point / path.lstrip("/") / "memory.events").exists():
                return point / path.lstrip("/") / "memory.events"
    return None


def kills(events: Path | None) -> int:
    """How often the kernel killed for memory there: `oom_kill N` in either version's file."""
    try:
        rows = [line.split() for line in events.read_text().splitlines()] if events else []
    except OSError:
        return 0
    return next((int(row[1]) for row in rows if row[0] == "oom_kill"), 0)


def _mounts() -> Iterator[tuple[Path, str, frozenset[str]]]:
    """(mount point, type, options) of every control group hierarchy (proc(5), mountinfo)."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            yield Path(left.split()[4]), kind, frozenset(options.split(","))
