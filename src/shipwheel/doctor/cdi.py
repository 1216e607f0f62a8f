"""CDI specifications of GPUs, by which Podman, runc and Docker give them to containers, against the driver that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipwheel.doctor.finding import Finding, error, ok, warning
from shipwheel.doctor.where import Where
from shipwheel.engines.gpus import NVIDIA
from shipwheel.engines.runc.cdi import FOLDERS, Device, Edits, read_offer

_DRIVER = re.compile(r"/lib(?:cuda|nvidia-ml|nvidia-ptxjitcompiler)\.so\.(\d+\.\d+(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """A file with GPUs of NVIDIA: their names, the drivers whose libraries it mounts, what it names but is not there."""

    path: str
    devices: tuple[str, ...]
    drivers: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Specifications:
    """All files with GPUs, and what engines cannot use of any file, and why."""

    files: tuple[Specification, ...] = ()
    problems: tuple[str, ...] = ()


def read_specifications(where: Where) -> Specifications:
    """What runc, and every other engine, is offered."""
    offer = read_offer([where.path(folder) for folder in FOLDERS])
    by_file: dict[Path, list[Device]] = {}
    for name, device in offer.devices.items():
        if name.startswith(f"{NVIDIA}="):
            by_file.setdefault(device.file, []).append(device)
    return Specifications(
        files=tuple(_specification(where, path, devices) for path, devices in by_file.items()),
        problems=tuple(problem.replace(str(where.root).rstrip("/"), "") for problem in offer.problems),
    )


def _specification(where: Where, path: Path, devices: Iterable[Device]) -> Specification:
    devices = tuple(devices)
    edits = sum((device.own for device in devices), devices[0].shared)
    named = tuple(dict.fromkeys(_paths(edits)))
    drivers = (match[1] for name in named if (match := _DRIVER.search(name)))
    return Specification(
        path=f"/{path.relative_to(where.root)}",
        devices=tuple(device.name for device in devices),
        drivers=tuple(dict.fromkeys(drivers)),
        absent=tuple(name for name in named if not where.path(name).exists()),
    )


def _paths(edits: Edits) -> Iterator[str]:
    """What must be on the host."""
    yield from (each.host_path for each in edits.mounts)
    yield from (each.host_path or each.path for each in edits.device_nodes)
    yield from (each.path for each in edits.hooks)


def check_cdi(found: Specifications, driver: str) -> Iterator[Finding]:
    """`driver` is the version of the one that runs, empty where there is none."""
    for problem in found.problems:
        yield warning(
            "cdi", f"a CDI specification cannot be used: {problem}", "write it anew (nvidia-ctk cdi generate), or remove it"
        )
    for each in found.files:
        yield from _check(each, driver)


def _check(spec: Specification, driver: str) -> Iterator[Finding]:
    again = f"sudo nvidia-ctk cdi generate --output={spec.path}"
    others = [version for version in spec.drivers if driver and version != driver]
    if others:
        yield error(
            "cdi", f"{spec.path} is of driver {others[0]}, but {driver} runs: containers with a GPU do not start", again
        )
    elif spec.absent:
        more = f" and {len(spec.absent) - 1} more" if len(spec.absent) > 1 else ""
        yield error(
            "cdi", f"{spec.path} names {spec.absent[0]}{more}, which is not there: containers with a GPU do not start", again
        )
    else:
        yield ok("cdi", f"{spec.path}: {', '.join(spec.devices)}")
