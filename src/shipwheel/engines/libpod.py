"""Podman's own API, for what its Docker API did not know before version 5.4: devices by their CDI names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import docker

from shipwheel.engines.spec import SHM_SIZE, RunSpec

LIBPOD = "v4.0.0/libpod"
"""Podman's own API, below its address."""

CPU_PERIOD = 100_000
"""Microseconds over which a limit of processors is counted, as in Docker."""


def needs_libpod(version: str) -> bool:
    """Whether this Podman's Docker API does not know device requests: before 5.4 it ignores them."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < (5, 4)


def libpod_create(api: docker.APIClient, spec: RunSpec, devices: Sequence[str]) -> str:
    """Create a container with CDI devices through Podman's own API, as its Docker API would without; returns its id.

    Raises:
        APIError: Podman refused.
    """
    answer = api.post(f"{api.base_url}/{LIBPOD}/containers/create", json=_specification(spec, devices))
    api._raise_for_status(answer)
    return str(answer.json()["Id"])


def _specification(spec: RunSpec, devices: Sequence[str]) -> dict[str, Any]:
    """Podman's SpecGenerator (pkg/specgen/specgen.go)."""
    limits = spec.limits
    own_network = spec.network not in ("", "bridge", "host", "none")
    resources = {
        "memory": {"limit": limits.memory, "swap": limits.memory} if limits.memory else None,
        "cpu": {"quota": round(limits.cpus * CPU_PERIOD), "period": CPU_PERIOD} if limits.cpus else None,
    }
    chosen: dict[str, Any] = {
        "image": spec.image,
        "name": spec.name,
        "command": list(spec.command),
        "env": dict(spec.env),
        "user": spec.user,
        "labels": spec.labels,
        "portmappings": [
            {"container_port": port.container, "host_port": port.host, "host_ip": port.ip, "protocol": "tcp"}
            for port in spec.published
        ],
        "mounts": _mounts(spec),
        "volumes": [
            {"Name": each.source, "Dest": each.target, "Options": ["ro" if each.read_only else "rw"]}
            for each in spec.volumes
            if not each.is_path
        ],
        "netns": {"nsmode": "bridge" if own_network else spec.network},
        "Networks": {spec.network: {}} if own_network else None,
        "shm_size": limits.shm_size or SHM_SIZE,
        "resource_limits": {key: value for key, value in resources.items() if value},
        "read_only_filesystem": spec.read_only,
        "no_new_privileges": True,
        "devices": [{"path": name} for name in devices],
    }
    return {key: value for key, value in chosen.items() if value} | {"stop_timeout": 0}  # `stop` says how long, `rm` waits not


def _mounts(spec: RunSpec) -> list[dict[str, Any]]:
    """Folders of the host, and below a read-only root a writable /tmp."""
    found: list[dict[str, Any]] = [
        {
            "type": "bind",
            "source": each.source,
            "destination": each.target,
            "options": ["rbind", "rprivate", "ro" if each.read_only else "rw"],
        }
        for each in spec.volumes
        if each.is_path
    ]
    if spec.read_only:
        found.append({"type": "tmpfs", "source": "tmpfs", "destination": "/tmp", "options": ["mode=1777"]})
    return found
