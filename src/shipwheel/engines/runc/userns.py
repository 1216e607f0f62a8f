"""Rootless: becoming root of a user namespace of one's own, in which mounts and namespaces are allowed."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

from shipwheel.engines.runc.linux import CLONE_NEWUSER, unshare
from shipwheel.errors import EngineError


def become_root() -> None:
    """Enter a new user namespace as its root; with /etc/subuid and newuidmap every user of an image exists in it, else one.

    Raises:
        EngineError: the kernel does not let users have namespaces.
    """
    uid, gid, process = os.getuid(), os.getgid(), os.getpid()
    entered, done = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        _map_for(process, entered, done, (uid, gid))
    try:
        unshare(CLONE_NEWUSER)
    except OSError as error:
        os.kill(helper, 9)
        raise EngineError(
            f"this kernel lets no user have a namespace: {error.strerror}",
            hint="run as root, or allow it: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces=10000",
        ) from None
    finally:
        os.close(entered[1])
    os.close(done[1])
    answer = os.read(done[0], 1)
    os.waitpid(helper, 0)
    if answer != b"y":
        raise EngineError("no user could be mapped into the namespace", hint="check /etc/subuid, /etc/subgid, newuidmap")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _map_for(process: int, entered: tuple[int, int], done: tuple[int, int], ids: tuple[int, int]) -> None:
    """In the helper, outside the namespace: wait until `process` is inside, map its users, say so, end."""
    os.close(entered[1])
    os.read(entered[0], 1)
    try:
        if not _map_ranges(process, ids):
            Path(f"/proc/{process}/setgroups").write_text("deny")
            Path(f"/proc/{process}/uid_map").write_text(f"0 {ids[0]} 1\n")
            Path(f"/proc/{process}/gid_map").write_text(f"0 {ids[1]} 1\n")
        os.write(done[1], b"y")
    finally:
        os._exit(0)


def _map_ranges(process: int, ids: tuple[int, int]) -> bool:
    ranges = [_range(Path(path), own) for path, own in (("/etc/subuid", ids[0]), ("/etc/subgid", ids[0]))]
    tools = [shutil.which(name) for name in ("newuidmap", "newgidmap")]
    for tool, own, found in zip(tools, ids, ranges, strict=True):
        if not found or not tool:
            return False
        command = [tool, str(process), "0", str(own), "1", "1", str(found[0]), str(found[1])]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return False
    return True


def _range(path: Path, uid: int) -> tuple[int, int] | None:
    """(first, count) that the user may map: subuid(5)."""
    try:
        names = {str(uid), getpass.getuser()}
        rows = [line.split(":") for line in path.read_text().splitlines()]
    except (OSError, KeyError):
        return None
    return next(((int(row[1]), int(row[2])) for row in rows if len(row) == 3 and row[0] in names), None)


def is_mapped(identity: int) -> bool:
    """Whether this namespace knows the user or group (both have ranges of the same length here)."""
    rows = [[int(number) for number in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= identity < first + count for first, _, count in rows)


def inside(pid: int) -> list[str]:
    """What to put before a command so that it runs in the user namespace of process `pid`; nothing for root."""
    if os.getuid() == 0:
        return []
    return ["nsenter", "--user", "--preserve-credentials", f"--target={pid}"]
