"""`RunSpec`: how to run an image, as a value; and the flags of `shipwheel run` parsed into it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shipwheel.engines.gpus import Gpus
from shipwheel.errors import UsageError
from shipwheel.oci.image import Image, Index

LABEL = "io.shipwheel.container"
"""On every container that Shipwheel starts: how `ps`, `stop` and `rm` tell them from others."""

IMAGE_LABEL = "io.shipwheel.image"
"""The image's name as the user wrote it; engines print it with their own prefix."""

PORTS_LABEL = "io.shipwheel.ports"
"""The container's ports that were asked for: with the host's network an engine remembers none."""

GPUS_LABEL = "io.shipwheel.gpus"
"""The GPUs that were asked for, as `--gpus` takes them: each engine remembers them in another way."""

SHM_SIZE = 64 << 20
"""Bytes of /dev/shm where nothing is said: Docker's default, for all engines (Podman's own is a little less)."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_NETWORKS = ("bridge", "host", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A TCP port of the container offered on the host; host port 0 lets the engine choose one, as with Docker."""

    container: int
    host: int = 0
    ip: str = ""

    @classmethod
    def parse(cls, text: str) -> Port:
        """`[[IP:]HOST:]CONTAINER`, an IPv6 address in brackets, an optional `/tcp` behind.

        Raises:
            UsageError: not of that form.
        """
        match = re.fullmatch(r"(?:(?:(\[[0-9a-fA-F:]+\]|[0-9.]+):)?(\d*):)?(\d+)(?:/tcp)?", text)
        if not match:
            raise UsageError(f"-p '{text}' is not a port", hint="write HOST:CONTAINER, for example 8080:8000")
        host, container = int(match[2] or 0), int(match[3])
        if not 0 < container < 65536 or host > 65535:
            raise UsageError(f"-p '{text}' is out of range", hint="ports lie between 1 and 65535")
        return cls(container=container, host=host, ip=(match[1] or "").strip("[]"))

    def __str__(self) -> str:
        where = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{where + ':' if where else ''}{self.host}:{self.container}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder of the host, or a volume of the engine, that the container sees."""

    source: str
    target: str
    read_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Volume:
        """`SOURCE:TARGET[:ro]`; the target is absolute, a relative source is for the caller to resolve.

        Raises:
            UsageError: not of that form.
        """
        source, _, rest = text.partition(":")
        target, _, mode = rest.partition(":")
        if not source or not PurePosixPath(target).is_absolute() or mode not in ("", "ro", "rw"):
            raise UsageError(f"-v '{text}' is not a volume", hint="write SOURCE:/TARGET or SOURCE:/TARGET:ro")
        return cls(source=source, target=target, read_only=mode == "ro")

    @property
    def is_path(self) -> bool:
        """A folder of the host rather than a volume's name."""
        return "/" in self.source or self.source.startswith(".")

    def __str__(self) -> str:
        return f"{self.source}:{self.target}:{'ro' if self.read_only else 'rw'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the container may use: bytes of memory and of /dev/shm, and processors; None is no limit, and the default size."""

    memory: int | None = None
    shm_size: int | None = None
    cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One container to be: an image's name and everything that the flags of `run` say.

    `command` replaces the image's own (its entrypoint stays), `user` too where it is not empty.
    """

    image: str
    name: str
    command: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    limits: Limits = field(default_factory=Limits)
    network: str = ""
    user: str = ""
    read_only: bool = False
    gpus: Gpus | None = None

    @property
    def labels(self) -> dict[str, str]:
        """What marks the container as Shipwheel's."""
        own = {LABEL: "1", IMAGE_LABEL: self.image, PORTS_LABEL: ",".join(str(port.container) for port in self.ports)}
        return own | ({GPUS_LABEL: str(self.gpus)} if self.gpus else {})

    @property
    def published(self) -> tuple[Port, ...]:
        """The ports that need publishing: none where the host's network is shared, or there is no network."""
        return () if self.network in ("host", "none") else self.ports


def exposed_ports(image: Image | Index) -> tuple[int, ...]:
    """The TCP ports that an image, of an index the first, says it serves (OCI image-spec, config.md, "ExposedPorts")."""
    one = image.images[0] if isinstance(image, Index) else image
    settings = json.loads(one.config.read()).get("config") or {}
    found = (key.partition("/") for key in settings.get("ExposedPorts") or {})
    return tuple(sorted(int(number) for number, _, protocol in found if number.isdigit() and protocol in ("", "tcp")))


def parse_size(text: str, flag: str) -> int:
    """Bytes of `512m`, `2g`, `1.5GiB`; a unit is a power of 1024, as engines have it.

    Raises:
        UsageError: not a size, or none.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size <= 0:
        raise UsageError(f"{flag} '{text}' is not a size", hint="write a number and k, m or g: for example 512m or 2g")
    return size


def parse_env(pairs: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """`KEY=VALUE`, or `KEY` alone to pass the caller's own through; one that the caller lacks is left out, as in Docker.

    Raises:
        UsageError: no key.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, given, value = pair.partition("=")
        if not key or "\0" in pair:
            raise UsageError(f"-e '{pair}' names no variable", hint="write KEY=VALUE, or KEY to pass your own through")
        if given:
            found[key] = value
        elif key in environment:
            found[key] = environment[key]
    return found


def parse_name(text: str) -> str:
    """A container's name that all engines take.

    Raises:
        UsageError: another.
    """
    if not _NAME.fullmatch(text):
        raise UsageError(f"--name '{text}' is not a container name", hint="letters, digits, and . _ - behind the first")
    return text


def parse_network(text: str) -> str:
    """`bridge`, `host`, `none`, or a network of the engine.

    Raises:
        UsageError: not a name.
    """
    if text not in _NETWORKS and not _NAME.fullmatch(text):
        raise UsageError(f"--network '{text}' is not a network", hint="bridge, host, none, or the name of a network")
    return text


def default_name(image: str, suffix: str) -> str:
    """The last part of the image's name and `suffix`, as a container's name: `org/churn:1` and `3f2a` make `churn-3f2a`."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', last).strip('-._')[:40] or 'app'}-{suffix}"
