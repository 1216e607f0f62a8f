"""Whether engines can give containers a GPU: NVIDIA's container toolkit and CDI."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shipwheel.doctor.cdi import Specifications
from shipwheel.doctor.engines import Engine
from shipwheel.doctor.finding import Finding, ok, warning
from shipwheel.doctor.where import Where
from shipwheel.engines.gpus import NVIDIA, SPECIFY

CDI_IN_DOCKER = (25, 0)
CDI_BY_DEFAULT = (28, 2)
"""Docker knows CDI from 25.0, with {"features": {"cdi": true}}, and has it switched on from 28.2 (moby/moby#49963)."""

CDI_IN_PODMAN = (4, 1)
"""Podman 4.1 release notes."""

_CONFIG = "/etc/nvidia-container-runtime/config.toml"
_INSTALL = "install nvidia-container-toolkit (docs.nvidia.com/datacenter/cloud-native/container-toolkit)"
_GENERATE = SPECIFY[NVIDIA]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolkit:
    """NVIDIA's container toolkit: whether nvidia-ctk is there, the hook that Docker calls by itself, and a setting of that.

    `no_cgroups`: the hook leaves control groups alone, as it must in rootless engines, and must not in others.
    """

    ctk: bool = False
    hook: bool = False
    no_cgroups: bool = False

    @classmethod
    def read(cls, where: Where) -> Toolkit:
        """As installed."""
        return cls(
            ctk=bool(where.program("nvidia-ctk")),
            hook=bool(where.program("nvidia-container-runtime-hook")),
            no_cgroups=_no_cgroups(where.text(_CONFIG)),
        )


def _no_cgroups(config: str) -> bool:
    try:
        return tomllib.loads(config).get("nvidia-container-cli", {}).get("no-cgroups") is True
    except tomllib.TOMLDecodeError:
        return False


def check_gpu_engines(engines: Iterable[Engine], specifications: Specifications, toolkit: Toolkit) -> Iterator[Finding]:
    """Engines that work, on a machine with a GPU that works."""
    without = []
    for engine in engines:
        if engine.kind == "docker":
            yield from _docker(engine, toolkit, generated=bool(specifications.files))
        elif engine.kind == "podman" and engine.numbers[:2] < CDI_IN_PODMAN:
            yield warning(
                "gpu-engines", f"Podman {engine.version} knows no CDI, so there is no GPU in it", "install Podman 4.1 or later"
            )
        elif specifications.files:
            yield ok("gpu-engines", f"{engine.kind} gives GPUs, by CDI")
        else:
            without.append(engine.kind)
    if without:
        remedy = _GENERATE if toolkit.ctk else f"{_INSTALL}, then: {_GENERATE}"
        yield warning("gpu-engines", f"no GPU in {' and '.join(without)}: no CDI specification has a device {NVIDIA}", remedy)


def _docker(engine: Engine, toolkit: Toolkit, *, generated: bool) -> Iterator[Finding]:
    """It finds NVIDIA's hook on its own PATH when it starts, or has the runtime 'nvidia', or CDI."""
    if not engine.local:
        return
    if any(name.startswith(f"{NVIDIA}=") for name in engine.devices):
        yield ok("gpu-engines", "docker gives GPUs, by CDI")
    elif "nvidia" in engine.runtimes or toolkit.hook:
        yield from _by_runtime(engine, toolkit)
    elif generated and engine.cdi:
        yield ok("gpu-engines", "docker gives GPUs, by CDI")
    else:
        yield warning(
            "gpu-engines", "no GPU in docker: it has neither NVIDIA's runtime nor a CDI device", _for_docker(engine, toolkit)
        )


def _by_runtime(engine: Engine, toolkit: Toolkit) -> Iterator[Finding]:
    """Sources: github.com/NVIDIA/nvidia-container-toolkit/issues/381, github.com/NVIDIA/nvidia-docker/issues/1155."""
    if engine.rootless == toolkit.no_cgroups:
        yield ok("gpu-engines", "docker gives GPUs, by NVIDIA's runtime")
    else:
        kind, value = ("rootless", "true") if engine.rootless else ("run by root", "false")
        yield warning(
            "gpu-engines",
            f"no GPU in docker: it is {kind}, which needs no-cgroups = {value} in {_CONFIG}",
            f"sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups={value} --in-place",
        )


def _for_docker(engine: Engine, toolkit: Toolkit) -> str:
    restart = "sudo systemctl restart docker"
    if not toolkit.ctk:
        return f"{_INSTALL}, then: sudo nvidia-ctk runtime configure --runtime=docker; {restart}"
    if engine.cdi or engine.numbers[:2] >= CDI_BY_DEFAULT:
        return _GENERATE
    if engine.numbers[:2] >= CDI_IN_DOCKER:
        return f'{_GENERATE}; put {{"features": {{"cdi": true}}}} into /etc/docker/daemon.json; {restart}'
    return f"sudo nvidia-ctk runtime configure --runtime=docker; {restart}"
