"""Docker, Podman and runc: whether each runs images here, and what else it says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.doctor.kernel import Kernel
from shipwheel.doctor.namespaces import Namespaces
from shipwheel.doctor.where import Where
from shipwheel.errors import EngineError

OLDEST_DOCKER = (20, 10)
"""The first Docker that knows control groups of version 2 (Docker Engine 20.10 release notes)."""

_CONTAINERD = "io.containerd.snapshotter.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine as it answered; without `version` it did not, `problem` says why and `remedy` what to do.

    `present`: something of it is installed, or someone set where it is. `store` is classic or containerd (Docker). `runtimes`
    are names, `devices` those of CDI that it found, `cdi` whether it looks for any. `folder`: where images lie on this machine,
    so none for an engine elsewhere (`local` False). `rootless`: it runs as a user (Docker).
    """

    kind: str
    present: bool = False
    version: str = ""
    problem: str = ""
    remedy: str = ""
    store: str = ""
    folder: Path | None = None
    runtimes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    cdi: bool = False
    local: bool = True
    rootless: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """(26, 1, 5) of 26.1.5+dfsg1."""
        return tuple(int(number) for number in re.findall(r"\d+", self.version.partition("+")[0])[:3])


def late(kind: str) -> Engine:
    """One that did not answer in time."""
    return Engine(kind=kind, present=True, problem="it does not answer", remedy=f"look at its log, or restart it ({kind})")


def read_docker(where: Where) -> Engine:
    """What `docker info` would say, from the engine that the docker command would use."""

    from shipwheel.engines.connect import docker_client
    from shipwheel.engines.saying import engine_says

    try:
        with docker_client(where.env) as client, engine_says("docker"):
            told, url = client.info(), str(client.api.base_url)
    except EngineError as fault:
        return docker_absent(fault, where)
    return docker_of(told, local=url.startswith(("http+docker", "http+unix", "unix")))


def docker_absent(fault: EngineError, where: Where) -> Engine:
    """Why it does not answer, and what helps; not `present` where nothing of it is installed."""
    chosen = where.env.get("DOCKER_HOST") or where.env.get("DOCKER_CONTEXT")
    present = bool(chosen or where.program("docker") or where.program("dockerd"))
    remedy = fault.hint
    if "permission denied" in fault.message:
        remedy = f"sudo usermod -aG docker {where.user}, and log in again; or use rootless Docker"
    elif where.program("dockerd") and not chosen:
        remedy = "sudo systemctl start docker"
    return Engine(kind="docker", present=present, problem=fault.message, remedy=remedy)


def docker_of(info: Mapping[str, Any], *, local: bool = True) -> Engine:
    """Of the answer to GET /info (Docker Engine API, SystemInfo)."""
    status = dict(row for row in info.get("DriverStatus") or () if len(row) == 2)
    folder = str(info.get("DockerRootDir") or "")
    return Engine(
        kind="docker",
        present=True,
        version=str(info.get("ServerVersion", "")),
        store="containerd" if status.get("driver-type") == _CONTAINERD else "classic",
        folder=Path(folder) if folder and local else None,
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        devices=tuple(str(each.get("ID")) for each in info.get("DiscoveredDevices") or () if each.get("Source") == "cdi"),
        cdi=bool(info.get("CDISpecDirs")),
        local=local,
        rootless="name=rootless" in (info.get("SecurityOptions") or ()),
    )


def read_podman(where: Where) -> Engine:
    """What `podman info` says; at CONTAINER_HOST, if that is set."""
    program = where.program("podman")
    if not program:
        return Engine(kind="podman")
    status, out, said = where.says([program, "info", "--format", "json"])
    if status == 0:
        return podman_of(out)
    last = next(iter(reversed(said.strip().splitlines())), f"status {status}")
    return Engine(kind="podman", present=True, problem=f"'podman info' fails: {last}", remedy="see what 'podman info' says")


def podman_of(out: str) -> Engine:
    """Of the JSON that `podman info --format json` prints."""
    try:
        told = json.loads(out)
        version = str(told["version"]["Version"])
    except (ValueError, KeyError, TypeError):
        return Engine(kind="podman", present=True, problem="'podman info' prints no JSON", remedy="see what 'podman info' says")
    folder = (told.get("store") or {}).get("graphRoot")
    return Engine(kind="podman", present=True, version=version, folder=Path(folder) if folder else None, cdi=True)


def read_runc(where: Where) -> Engine:
    """What `runc --version` says."""
    program = where.program("runc")
    if not program:
        return Engine(kind="runc")
    status, out, said = where.says([program, "--version"])
    match = re.search(r"^runc version (\S+)", out, re.MULTILINE)
    if status or not match:
        return Engine(kind="runc", present=True, problem=f"'runc --version' fails: {said.strip()}", remedy="install runc anew")
    return Engine(kind="runc", present=True, version=match[1], cdi=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForRunc:
    """What runc needs of the machine: who asks, kernel, namespaces, fuse-overlayfs for old kernels, a way to the network."""

    root: bool
    kernel: Kernel
    namespaces: Namespaces
    fuse: bool = False
    outbound: bool = True

    @classmethod
    def read(cls, where: Where, kernel: Kernel, namespaces: Namespaces) -> ForRunc:
        """As installed."""
        return cls(
            root=where.is_root,
            kernel=kernel,
            namespaces=namespaces,
            fuse=bool(where.program("fuse-overlayfs")),
            outbound=any(map(where.program, ("slirp4netns", "pasta"))),
        )

    @property
    def barred(self) -> str:
        """Why runc runs nothing for this user, empty where it does."""
        if self.root:
            return ""
        if self.namespaces.barred or self.namespaces.confined:
            return "you may have no user namespaces"
        if not self.kernel.mounts_for_users and not self.fuse:
            return f"Linux {self.kernel.release} mounts no overlays for users (5.11 does), and fuse-overlayfs is not installed"
        return ""


def check_docker(found: Engine) -> Iterator[Finding]:
    """That it answers, and is not from another age."""
    if found.version and found.numbers[:2] < OLDEST_DOCKER:
        yield warning(
            "docker", f"Docker {found.version} is too old for control groups of version 2", "install Docker 20.10 or later"
        )
    elif found.version:
        yield ok("docker", f"Docker {found.version}, {found.store} image store")
    elif found.present:
        yield warning("docker", found.problem, found.remedy)


def check_podman(found: Engine) -> Iterator[Finding]:
    """That it answers."""
    if found.version:
        yield ok("podman", f"Podman {found.version}")
    elif found.present:
        yield warning("podman", found.problem, found.remedy)


def check_runc(found: Engine, needs: ForRunc) -> Iterator[Finding]:
    """That it runs something for this user, with a way to the network."""
    if not found.present:
        return
    if not found.version:
        yield warning("runc", found.problem, found.remedy)
    elif needs.barred:
        remedy = "install fuse-overlayfs" if "fuse" in needs.barred else "see what 'user-namespaces' says, or run as root"
        yield warning("runc", f"runc runs nothing for you: {needs.barred}", remedy)
    else:
        yield ok("runc", f"runc {found.version}")
        if not needs.outbound:
            yield note("runc", "containers of runc reach no network: neither slirp4netns nor pasta is there", "install one")


def check_engine(engines: Iterable[Engine], needs: ForRunc) -> Iterator[Finding]:
    """That one of them runs images."""
    if not working(engines, needs):
        yield error(
            "engine",
            "no engine runs images here",
            "install Docker, Podman, or just runc, which needs no service; builds need none",
        )


def working(engines: Iterable[Engine], needs: ForRunc) -> tuple[Engine, ...]:
    """Those that run images for this user."""
    return tuple(each for each in engines if each.version and not (each.kind == "runc" and needs.barred))
