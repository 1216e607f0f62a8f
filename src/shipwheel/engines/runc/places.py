"""Where runc's state lies under the home folder, and the records of images and containers in it.

runc/images/NAME.json          config and diff IDs of an image that was loaded
runc/containers/NAME/          spec.json, status.json, edits.json, log, lock, bundle/, upper/, work/
runc/state/                    runc's own
runc/volumes/NAME/             named volumes
unpacked/HEX/                  one layer's files, by diff ID, shared by all containers
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shipwheel.engines.gpus import Gpus
from shipwheel.engines.spec import Limits, Port, RunSpec, Volume


@dataclass(frozen=True, slots=True)
class Places:
    """The folders below `home`."""

    home: Path

    @property
    def state(self) -> Path:
        """For `runc --root`."""
        return self.home / "runc" / "state"

    @property
    def containers(self) -> Path:
        """One folder each."""
        return self.home / "runc" / "containers"

    @property
    def unpacked(self) -> Path:
        """One folder for each diff ID."""
        return self.home / "unpacked"

    @property
    def images(self) -> Path:
        """One record each."""
        return self.home / "runc" / "images"

    def image(self, name: str) -> Path:
        """The record of an image."""
        return self.images / f"{quote(name, safe='')}.json"

    def volume(self, name: str) -> Path:
        """A named volume."""
        return self.home / "runc" / "volumes" / name

    def container(self, name: str) -> ContainerFolder:
        """A container's folder."""
        return ContainerFolder(path=self.containers / name, home=self.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What runc needs to know of an image: its config's `config` object, and its layers, lowest first (hex diff IDs)."""

    config: Mapping[str, Any]
    diff_ids: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> ImageRecord | None:
        """The record, or None where there is none."""
        found = read_json(path)
        return cls(config=found["config"], diff_ids=tuple(found["diff_ids"])) if found else None

    def write(self, path: Path) -> None:
        """Keep it."""
        write_json(path, {"config": dict(self.config), "diff_ids": list(self.diff_ids)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the supervisor says of its container; `phase` is starting, running or ended.

    `pid` is the container's first process, `began` its start time (see `linux.start_time`).
    """

    phase: str = "starting"
    pid: int = 0
    began: int = 0
    supervisor: int = 0
    exit_code: int | None = None
    out_of_memory: bool = False
    error: str = ""
    ports: tuple[Port, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFolder:
    """One container's files."""

    path: Path
    home: Path

    @property
    def name(self) -> str:
        """The container's."""
        return self.path.name

    @property
    def identity(self) -> str:
        """The name for runc and the kernel: another home on this machine may have a container of the same name."""
        return f"{self.name}-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    @property
    def bundle(self) -> Path:
        """The OCI bundle."""
        return self.path / "bundle"

    @property
    def log(self) -> Path:
        """Lines, each behind its time."""
        return self.path / "log"

    @property
    def edits(self) -> Path:
        """What its devices change in config.json, where it has any."""
        return self.path / "edits.json"

    def status(self) -> Status:
        """As it was written last."""
        found = read_json(self.path / "status.json") or {}
        ports = tuple(Port(**port) for port in found.pop("ports", ()))
        return Status(ports=ports, notes=tuple(found.pop("notes", ())), **found)

    def write_status(self, status: Status) -> None:
        """Replace it, at once for every reader."""
        write_json(self.path / "status.json", asdict(status))

    def spec(self) -> RunSpec | None:
        """What was asked for, or None where there is no such container."""
        found = read_json(self.path / "spec.json")
        if not found:
            return None
        found.update(
            command=tuple(found["command"]),
            ports=tuple(Port(**each) for each in found["ports"]),
            volumes=tuple(Volume(**each) for each in found["volumes"]),
            limits=Limits(**found["limits"]),
        )
        if gpus := found.get("gpus"):
            found["gpus"] = Gpus(**{**gpus, "devices": tuple(gpus["devices"])})
        return RunSpec(**found)

    def write_spec(self, spec: RunSpec) -> None:
        """Keep what was asked for."""
        write_json(self.path / "spec.json", {**asdict(spec), "env": dict(spec.env)})

    def supervised(self) -> bool:
        """Whether its supervisor lives: it holds a lock, which the kernel lets go however it ends."""
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def supervise(self) -> int:
        """Take the lock for as long as this process lives; returns its file descriptor.

        Raises:
            BlockingIOError: another has it.
        """
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle


def read_json(path: Path) -> dict[str, Any] | None:
    """An object, or None where there is no such file."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found


def write_json(path: Path, value: object) -> None:
    """Replace a file by renaming, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, indent=1))
    partial.replace(path)
