"""`Machine`: all facts of a machine, asked for at once, and the findings that follow from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shipwheel.doctor import (
    cgroups,
    driver,
    engines,
    gpu_engines,
    image,
    kernel,
    namespaces,
    network,
    settings,
    space,
    special,
    subids,
)
from shipwheel.doctor.asking import Asking
from shipwheel.doctor.cdi import Specifications, check_cdi, read_specifications
from shipwheel.doctor.cgroups import Cgroups
from shipwheel.doctor.engines import Engine, ForRunc
from shipwheel.doctor.finding import Finding, error, in_order
from shipwheel.doctor.kernel import Kernel
from shipwheel.doctor.namespaces import Namespaces
from shipwheel.doctor.subids import SubIds
from shipwheel.doctor.where import Where
from shipwheel.gpu.host import Driver, read_driver
from shipwheel.http import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Servers to ask, with what, and the login files of docker and podman."""

    client: Client
    servers: tuple[network.Server, ...] = ()
    logins: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found on a machine; every part is a value of its check."""

    where: Where
    kernel: Kernel
    namespaces: Namespaces
    subids: SubIds
    cgroups: Cgroups
    engines: tuple[Engine, ...]
    for_runc: ForRunc
    nvidia: driver.Nvidia
    specifications: Specifications
    toolkit: gpu_engines.Toolkit
    wsl: special.Wsl
    jetson: special.Jetson
    home: space.Room | None
    shm: space.Room | None
    rooms: tuple[tuple[str, space.Room | None], ...]
    answers: tuple[network.Answer, ...]
    logins: tuple[settings.LoginPlace, ...]
    proxies: tuple[settings.Proxy, ...]
    tools: settings.Tools

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of every check, the worst first."""
        return in_order([*self._host(), *self._users(), *self._engines(), *self._gpus(), *self._surroundings()])

    def runs(self, subject: image.Subject) -> Iterator[Finding]:
        """Whether it can run something, a GPU in its container included."""
        where = self.where
        emulators = {platform: image.read_emulator(where, platform) for platform in subject.platforms}
        yield from image.check_platform(subject, self.kernel.platform, emulators)
        yield from image.check_gpu(subject, self.nvidia, self.jetson, amd=where.path("/dev/kfd").exists())
        yield from image.check_shared_memory(subject, image.total_memory(where.text("/proc/meminfo")))
        if subject.accelerator and self.nvidia.works and not any(found.severity == "ok" for found in self._gpu_engines()):
            yield error("gpu", f"no engine here gives {subject.name} a GPU", "see 'gpu-engines' and 'engine'")

    def _host(self) -> Iterator[Finding]:
        yield from kernel.check_kernel(self.kernel)
        yield from space.check_home(self.home)
        yield from space.check_shm(self.shm, linux=self.kernel.system == "Linux")
        for kind, room in self.rooms:
            yield from space.check_engine_room(kind, room)
        yield from settings.check_tools(self.tools)

    def _users(self) -> Iterator[Finding]:
        """What only matters on Linux, and most of it only to users who are not root."""
        if self.kernel.system != "Linux":
            return
        yield from cgroups.check_cgroups(self.cgroups, root=self.where.is_root)
        if not self.where.is_root:
            yield from namespaces.check_namespaces(self.namespaces)
            yield from subids.check_subids(self.subids, self.where.user)

    def _engines(self) -> Iterator[Finding]:
        docker, podman, runc = self.engines
        yield from engines.check_docker(docker)
        yield from engines.check_podman(podman)
        yield from engines.check_runc(runc, self.for_runc)
        yield from engines.check_engine(self.engines, self.for_runc)

    def _gpus(self) -> Iterator[Finding]:
        yield from special.check_wsl(self.wsl)
        yield from special.check_jetson(self.jetson, generated=bool(self.specifications.files))
        yield from driver.check_driver(self.nvidia)
        yield from driver.check_nodes(self.nvidia)
        yield from check_cdi(self.specifications, self.nvidia.version)
        yield from self._gpu_engines()

    def _gpu_engines(self) -> Iterator[Finding]:
        if self.nvidia.works:
            usable = engines.working(self.engines, self.for_runc)
            yield from gpu_engines.check_gpu_engines(usable, self.specifications, self.toolkit)

    def _surroundings(self) -> Iterator[Finding]:
        yield from settings.check_logins(self.logins)
        yield from settings.check_proxies(self.proxies)
        yield from settings.check_certificates(self.where.env)
        for answer in self.answers:
            yield from network.check_answer(answer)
        yield from network.check_clock(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slow:
    """What others answer, when they do."""

    engines: tuple[Callable[[], Engine], ...]
    driver: Callable[[], tuple[Driver | None, bool]]
    proxies: Callable[[], tuple[settings.Proxy, ...]]
    answers: tuple[Callable[[], network.Answer], ...]

    @classmethod
    def begin(cls, asking: Asking, where: Where, outside: Outside) -> _Slow:
        """Ask all of them at once."""
        kinds = {"docker": engines.read_docker, "podman": engines.read_podman, "runc": engines.read_runc}
        return cls(
            engines=tuple(asking.ask(partial(read, where), engines.late(kind)) for kind, read in kinds.items()),
            driver=asking.ask(lambda: (read_driver(), True), (None, False)),
            proxies=asking.ask(partial(settings.read_proxies, where.env), ()),
            answers=tuple(
                asking.ask(partial(network.ask, outside.client, server), network.late(server)) for server in outside.servers
            ),
        )


def read_machine(where: Where, outside: Outside) -> Machine:
    """Look at everything; slow ones are asked at once, and none is waited for longer than `asking.PATIENCE`."""
    tools = settings.read_tools(where)  # before there are threads: uv looks for itself in what only one of them may fill
    slow = _Slow.begin(Asking(), where, outside)
    system = Kernel.of(os.uname())
    spaces = Namespaces.read(where)
    found, asked = slow.driver()
    nvidia = driver.Nvidia.read(where, found, asked=asked)
    answered = tuple(engine() for engine in slow.engines)
    return Machine(
        where=where,
        kernel=system,
        namespaces=spaces,
        subids=SubIds.read(where),
        cgroups=Cgroups.read(where),
        engines=answered,
        for_runc=ForRunc.read(where, system, spaces),
        nvidia=nvidia,
        specifications=read_specifications(where),
        toolkit=gpu_engines.Toolkit.read(where),
        wsl=special.Wsl.read(where, nvidia.libraries),
        jetson=special.Jetson.read(where),
        home=space.read_room(where.home),
        shm=space.read_shm(where),
        rooms=_rooms(answered),
        answers=tuple(answer() for answer in slow.answers),
        logins=settings.read_logins(outside.logins, where),
        proxies=slow.proxies(),
        tools=tools,
    )


def _rooms(found: Sequence[Engine]) -> tuple[tuple[str, space.Room | None], ...]:
    return tuple((each.kind, space.read_room(each.folder)) for each in found if each.folder)
