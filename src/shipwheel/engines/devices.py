"""How Docker and Podman are asked for GPUs: device requests (Engine API, "HostConfig.DeviceRequests")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.types import DeviceRequest

from shipwheel.engines.gpus import NVIDIA, Gpus


def docker_requests(gpus: Gpus, info: Mapping[str, Any]) -> list[DeviceRequest]:
    """What may be asked of this engine, the first choice first.

    First comes what `docker run --gpus` asks: NVIDIA's own driver then compares the image's NVIDIA_REQUIRE_CUDA with the
    machine. It is there where the engine found nvidia-container-runtime-hook as it started, which its API does not tell. Then,
    where it reads CDI specifications, these (from version 25, on by default from 28.2).
    """
    found = []
    if gpus.kind == NVIDIA:
        chosen = {"device_ids": list(gpus.devices)} if gpus.devices else {"count": gpus.count or -1}
        found.append(DeviceRequest(capabilities=[["gpu"]], **chosen))
    return [*found, by_cdi(gpus)] if info.get("CDISpecDirs") or not found else found


def by_cdi(gpus: Gpus) -> DeviceRequest:
    """By qualified names; Podman's Docker API takes this alone, from 5.4 on, and silently ignores others."""
    return DeviceRequest(driver="cdi", device_ids=list(gpus.names))
