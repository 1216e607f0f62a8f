"""The few Linux calls that Python 3.11 does not offer: mount(2), unshare(2), setns(2), prctl(2)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, options: str = "") -> None:
    """mount(2) without flags.

    Raises:
        OSError: the kernel refused.
    """
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()), f"mount {kind} on {target}")


def private_mounts() -> None:
    """A mount namespace of this process: what is mounted in it vanishes with its last process, `kill -9` included.

    Raises:
        OSError: the kernel refused.
    """
    unshare(CLONE_NEWNS)
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")


def unshare(flags: int) -> None:
    """unshare(2).

    Raises:
        OSError: the kernel refused.
    """
    _check(_libc.unshare(flags), "unshare")


def enter_network(pid: int) -> None:
    """Move the calling thread, and only it, into the network namespace of process `pid`; sockets stay where they were made.

    Raises:
        OSError: no such process, or the kernel refused.
    """
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(handle, CLONE_NEWNET), "setns")
    finally:
        os.close(handle)


def adopt_orphans() -> None:
    """Make descendants whose parents end children of this process, so that it can wait for them (prctl(2))."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def handles(pid: int, number: int) -> bool:
    """Whether the process has a handler for this signal; process 1 of a container sees no other (pid_namespaces(7))."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    return bool(caught & 1 << (number - 1))


def start_time(pid: int) -> int:
    """When process `pid` began, in ticks since boot; 0 where there is none or only its zombie (proc_pid_stat(5), 3 and 22).

    With it a process is told from a later one that got the same number.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
