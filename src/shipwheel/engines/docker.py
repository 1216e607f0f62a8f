"""`DockerEngine`: Docker, and Podman behind the same API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import CancellableStream, DeviceRequest

from shipwheel.engines.connect import docker_client, host_of, podman_client
from shipwheel.engines.death import UNSERVED, refused
from shipwheel.engines.devices import by_cdi, docker_requests
from shipwheel.engines.engine import STOP_WITHIN, Container, State
from shipwheel.engines.libpod import libpod_create, needs_libpod
from shipwheel.engines.load import EngineTarget
from shipwheel.engines.saying import engine_says, said
from shipwheel.engines.spec import GPUS_LABEL, IMAGE_LABEL, LABEL, PORTS_LABEL, SHM_SIZE, Port, RunSpec
from shipwheel.errors import EngineError, UsageError
from shipwheel.oci.blob import CHUNK

CLIENTS = {"docker": docker_client, "podman": podman_client}
"""How each is reached."""


@contextmanager
def docker_engine(kind: str, environment: Mapping[str, str]) -> Iterator[DockerEngine]:
    """Docker or Podman, for as long as the block lasts.

    Raises:
        EngineAbsentError: it does not answer.
    """
    with CLIENTS[kind](environment) as client:
        yield DockerEngine(kind=kind, client=client, host=host_of(client, environment))


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerEngine:
    """An engine behind a client; `host` is where its published ports appear."""

    kind: str
    client: docker.DockerClient
    host: str

    def target(self) -> EngineTarget:
        """Takes images."""
        return EngineTarget(self.client, self.kind)

    def run(self, spec: RunSpec) -> Container:
        """Create and start a container; one that cannot start leaves nothing behind.

        Raises:
            ContainerError: it did not start, for a reason that we can name.
            EngineError: for another.
        """
        with engine_says(self.kind):
            requests = self._requests(spec)
            for request in requests:
                try:
                    self._start(spec, request)
                    break
                except APIError as error:
                    if request is requests[-1] or not UNSERVED.search(said(error)):
                        raise refused(spec.name, said(error)) or error from None
            return DockerContainer(engine=self, name=spec.name)

    def containers(self) -> list[Container]:
        """Those with our label."""
        with engine_says(self.kind):
            listed = self.client.api.containers(all=True, filters={"label": LABEL})
        names = sorted(str(each["Names"][0]).lstrip("/") for each in listed)
        return [DockerContainer(engine=self, name=name) for name in names]

    def save(self, image: str, write: Callable[[bytes], object]) -> None:
        """Write an image as an archive.

        Raises:
            EngineError: there is no such image.
        """
        with engine_says(self.kind):
            try:
                for chunk in self.client.api.get_image(image, CHUNK):
                    write(chunk)
            except NotFound:
                raise EngineError(f"{self.kind} has no image '{image}'", hint=f"'{self.kind} images' lists them") from None

    def forget(self, image: str) -> None:
        """Its name, and its layers where no other image has them."""
        with engine_says(self.kind), suppress(NotFound):
            self.client.api.remove_image(image)

    def _requests(self, spec: RunSpec) -> list[DeviceRequest | None]:
        """The ways to ask for the container's devices, of which one works where any does."""
        if not spec.gpus:
            return [None]
        return [*docker_requests(spec.gpus, self.client.api.info())] if self.kind == "docker" else [by_cdi(spec.gpus)]

    def _start(self, spec: RunSpec, request: DeviceRequest | None) -> None:
        identity = self._create(spec, request)
        try:
            self.client.api.start(identity)
        except (APIError, KeyboardInterrupt):
            self.client.api.remove_container(identity, force=True, v=True)
            raise

    def _create(self, spec: RunSpec, request: DeviceRequest | None) -> str:
        api = self.client.api
        try:
            if spec.gpus and self.kind == "podman" and needs_libpod(api.version()["Version"]):
                return libpod_create(api, spec, spec.gpus.names)
            made = api.create_container(
                spec.image,
                command=list(spec.command) or None,
                environment=dict(spec.env),
                user=spec.user or None,
                ports=[(port.container, "tcp") for port in spec.published],
                labels=spec.labels,
                name=spec.name,
                host_config=api.create_host_config(**_host_config(spec), device_requests=[request] if request else None),
            )
        except ImageNotFound:
            raise EngineError(
                f"{self.kind} has no image '{spec.image}'", hint="'shipwheel images' lists those of the local store"
            ) from None
        except APIError as error:
            if error.status_code == 409 or "already in use" in said(error):
                raise UsageError(
                    f"a container named '{spec.name}' exists", hint=f"choose another --name, or 'shipwheel rm {spec.name}'"
                ) from None
            raise
        return str(made["Id"])


def _host_config(spec: RunSpec) -> dict[str, object]:
    """The flags in the API's words; swap is counted as memory, or a limit would only slow a container down."""
    limits = spec.limits
    bindings: dict[str, list[tuple[str, int | None]]] = {}
    for port in spec.published:
        bindings.setdefault(f"{port.container}/tcp", []).append((port.ip, port.host or None))
    chosen: dict[str, object] = {
        "port_bindings": bindings,
        "binds": [str(volume) for volume in spec.volumes],
        "shm_size": limits.shm_size or SHM_SIZE,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": round(limits.cpus * 1e9) if limits.cpus else None,
        "network_mode": spec.network or None,
        "read_only": spec.read_only or None,
        "tmpfs": {"/tmp": "mode=1777"} if spec.read_only else None,
        "security_opt": ["no-new-privileges"],
    }
    return {key: value for key, value in chosen.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerContainer:
    """A container of Docker or Podman, by name."""

    engine: DockerEngine
    name: str

    def state(self) -> State:
        """As the engine inspects it."""
        with engine_says(self.engine.kind):
            told = self.engine.client.api.inspect_container(self.name)
        return _state(self.name, told, self.engine.host)

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """Both outputs as they were written."""
        with engine_says(self.engine.kind):
            lines = "all" if tail is None else tail
            yield from _pieces(self.engine.client.api.logs(self.name, stream=True, follow=follow, tail=lines))

    def exec(self, command: Sequence[str], write: Callable[[bytes], object]) -> int:
        """Run `command` inside, its output to `write`; returns its exit status."""
        api = self.engine.client.api
        with engine_says(self.engine.kind):
            identity = api.exec_create(self.name, list(command))["Id"]
            for piece in _pieces(api.exec_start(identity, stream=True)):
                write(piece)
            return int(api.exec_inspect(identity)["ExitCode"] or 0)

    def stop(self, within: float = STOP_WITHIN) -> None:
        """The engine's own stop."""
        with engine_says(self.engine.kind):
            self.engine.client.api.stop(self.name, timeout=round(within))

    def remove(self) -> None:
        """With its anonymous volumes."""
        with engine_says(self.engine.kind):
            try:
                self.engine.client.api.remove_container(self.name, force=True, v=True)
            except NotFound:
                return


def _pieces(stream: CancellableStream) -> Iterator[bytes]:
    """Of a stream whose connection is closed when nobody reads on."""
    try:
        yield from stream
    finally:
        with suppress(OSError):
            stream.close()
        stream._response.close()  # close() above leaves the hijacked connection of an exec half-open


def _state(name: str, told: Mapping[str, Any], host: str) -> State:
    state, labels = told["State"], told["Config"].get("Labels") or {}
    running = bool(state.get("Running"))
    return State(
        name=name,
        image=labels.get(IMAGE_LABEL) or told["Config"].get("Image", ""),
        running=running,
        created=str(told.get("Created", "")),
        exit_code=None if running else int(state.get("ExitCode", 0)),
        out_of_memory=bool(state.get("OOMKilled")),
        memory=int((told.get("HostConfig") or {}).get("Memory") or 0),
        gpus=labels.get(GPUS_LABEL, ""),
        error=str(state.get("Error") or ""),
        ports=_ports(told, labels),
        host=host,
    )


def _ports(told: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[Port, ...]:
    """The published ports, one line for IPv4 and IPv6; with the host's network, those that were asked for."""
    if (told.get("HostConfig") or {}).get("NetworkMode") == "host":
        numbers = [int(number) for number in labels.get(PORTS_LABEL, "").split(",") if number]
        return tuple(Port(container=number, host=number) for number in numbers)
    found: dict[tuple[int, int], Port] = {}
    for key, bindings in ((told.get("NetworkSettings") or {}).get("Ports") or {}).items():
        container = int(key.partition("/")[0])
        for binding in bindings or ():
            host = int(binding["HostPort"] or 0)
            found.setdefault((container, host), Port(container=container, host=host, ip=binding.get("HostIp") or ""))
    return tuple(found.values())
