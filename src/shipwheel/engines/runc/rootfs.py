"""A container's root file system: unpacked layers below, a folder of its own above."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from shipwheel.engines.runc.bundle import User
from shipwheel.engines.runc.linux import mount
from shipwheel.errors import EngineError


def mount_root(folder: Path, layers: Sequence[Path], extra: str = "") -> str:
    """Mount `layers`, lowest first, with `folder`/upper over them, on `folder`/bundle/rootfs; returns how it was done.

    `extra` options go with each way.

    Every path in the options is short and relative to `folder`, the working folder from here on: mount(2) takes one
    page of them, and 125 absolute ones are three.

    Raises:
        EngineError: no way of mounting works here.
    """
    links = folder / "l"
    for name in (links, folder / "upper", folder / "work", folder / "bundle" / "rootfs"):
        name.mkdir(parents=True, exist_ok=True)
        name.chmod(0o755)
    for number, layer in enumerate(layers):
        link = links / str(number)
        link.unlink(missing_ok=True)
        link.symlink_to(layer)
    os.chdir(folder)
    lower = ":".join(f"l/{number}" for number in reversed(range(len(layers))))
    faults = []
    for way in (_overlay, _overlay_in_memory, _fuse_overlay):
        try:
            way(lower, extra)
        except (OSError, subprocess.CalledProcessError) as error:
            faults.append(f"{way.__name__.strip('_')}: {error}")
        else:
            return way.__name__.strip("_")
    raise EngineError(
        f"this kernel mounts no overlay for the container: {'; '.join(faults)}",
        hint="rootless overlays need Linux 5.11, or fuse-overlayfs installed",
    )


def _overlay(lower: str, extra: str) -> None:
    mount("overlay", "bundle/rootfs", "overlay", f"lowerdir={lower},upperdir=upper,workdir=work{extra}")


def _overlay_in_memory(lower: str, extra: str) -> None:
    """Where the home's file system cannot carry an upper folder (overlayfs itself, some network ones)."""
    Path("memory").mkdir(exist_ok=True)
    mount("tmpfs", "memory", "tmpfs", "mode=755")
    for name in ("upper", "work"):
        Path("memory", name).mkdir()
    mount("overlay", "bundle/rootfs", "overlay", f"lowerdir={lower},upperdir=memory/upper,workdir=memory/work{extra}")


def _fuse_overlay(lower: str, _extra: str) -> None:
    options = f"lowerdir={lower},upperdir=upper,workdir=work"
    subprocess.run(["fuse-overlayfs", "-o", options, "bundle/rootfs"], check=True, capture_output=True)


def ensure_folder(root: Path, path: str, owner: User) -> None:
    """Make the working folder where the image lacks it, as engines do; links on the way are left alone."""
    at = root
    for part in Path(path).parts[1:]:
        at = at / part
        if at.is_symlink():
            return
        if not at.exists():
            at.mkdir(mode=0o755)
            os.chown(at, owner.uid, owner.gid)


def find_user(text: str, layers: Sequence[Path]) -> User:
    """`USER[:GROUP]` of an image or a flag, by name or number, looked up in the topmost layer that has the file.

    Raises:
        EngineError: a name that the image does not know.
    """
    user, _, group = text.partition(":")
    users = list(_rows(layers, "etc/passwd", 7))
    row = next((row for row in users if user in (row[0], row[2])), None) if user else next(_root(users), None)
    if row is None and user and not user.isdigit():
        raise EngineError(f"the image knows no user '{user}'", hint="give a number: any UID works")
    uid = int(row[2]) if row else int(user or 0)
    gid = _group(group, layers) if group else (int(row[3]) if row else 0)
    return User(uid=uid, gid=gid, home=row[5] if row else "/")


def _group(text: str, layers: Sequence[Path]) -> int:
    if text.isdigit():
        return int(text)
    row = next((row for row in _rows(layers, "etc/group", 4) if row[0] == text), None)
    if row is None:
        raise EngineError(f"the image knows no group '{text}'", hint="give a number")
    return int(row[2])


def _root(users: list[list[str]]) -> Iterator[list[str]]:
    return (row for row in users if row[2] == "0")


def _rows(layers: Sequence[Path], name: str, width: int) -> Iterator[list[str]]:
    for layer in reversed(layers):
        path = layer / name
        if path.is_file() and not path.is_symlink():
            rows = (line.split(":") for line in path.read_text(errors="replace").splitlines())
            return (row for row in rows if len(row) >= width)
    return iter(())


def remove_folder(path: Path) -> None:
    """Remove everything below `path`; overlayfs leaves a folder in `work` that nobody may enter.

    Raises:
        OSError: something cannot be removed.
    """

    def allow(function: Callable[[str], object], name: str, _error: object) -> None:
        for each in (Path(name).parent, Path(name)):
            if each.exists() and not each.is_symlink():
                each.chmod(0o700)
        if Path(name).is_dir() and not Path(name).is_symlink():
            remove_folder(Path(name))
        elif os.path.lexists(name):
            function(name)

    if path.exists():
        shutil.rmtree(path, onerror=allow)
