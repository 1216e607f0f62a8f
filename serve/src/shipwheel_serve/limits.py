"""What this container may use: CPUs (cgroup v1, v2, both, and affinity), GPUs; and how many workers and threads follow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from shipwheel_serve.settings import Settings

_OTHERS = ("VECLIB_MAXIMUM_THREADS", "NUMEXPR_MAX_THREADS", "LOKY_MAX_CPU_COUNT", "POLARS_MAX_THREADS")
THREADS = (*(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "RAYON")), *_OTHERS)
"""What numeric libraries read; each takes all CPUs of the machine where it is not set, whatever the container's limit."""


def cpu_limit(root: Path = Path("/"), affinity: int | None = None) -> float:
    """CPUs that this process may use, such as 1.5: the smallest of its cgroups' quotas and its affinity.

    `root` holds proc and sys; `affinity` is the number of CPUs that the scheduler allows.
    """
    if affinity is None:
        affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = (quota for folder in _cgroups(root) for quota in (_v2(folder), _v1(folder)) if quota)
    return min([float(affinity), *quotas])


def thread_environment(settings: Settings, env: Mapping[str, str], workers: int, root: Path = Path("/")) -> dict[str, str]:
    """Thread counts for one of `workers`: the variables to add to `env`; those that are set there stay.

    A user's OMP_NUM_THREADS also decides what the others get, as it is the one that people know.
    """
    threads = settings.threads or env.get("OMP_NUM_THREADS", "").partition(",")[0]
    threads = threads or max(1, int(cpu_limit(root) / max(1, workers)))
    return {name: str(threads) for name in THREADS if not env.get(name)}


def gpu_ids(env: Mapping[str, str]) -> list[str]:
    """GPUs, and parts of GPUs (MIG), each as CUDA_VISIBLE_DEVICES takes it; a user's CUDA_VISIBLE_DEVICES decides."""
    given = env.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return _installed_gpus()
    out = []
    for each in given.split(","):
        name = each.strip()
        if not name.isdigit() and not name.startswith(("GPU-", "MIG-")):
            break  # CUDA itself ignores what stands behind the first that it does not know, and -1 is the usual way to say none
        out.append(name)
    return out


def worker_count(settings: Settings, gpus: Sequence[str]) -> int:
    """Processes with the model: as the settings say, else one for each of `gpus`, else one."""
    return settings.workers or len(gpus) or 1


def _cgroups(root: Path) -> Iterator[Path]:
    """The folders of this process's CPU cgroups and of all above them, in every hierarchy that is mounted (cgroups(7))."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in _mounts(root / "sys/fs/cgroup", controllers):
            below = mount / path.lstrip("/")
            # Without a cgroup namespace the path is the host's and absent in the container: the limit lies at the mount itself.
            yield from (folder for folder in (below, *below.parents) if folder == mount or mount in folder.parents)


def _mounts(base: Path, controllers: str) -> list[Path]:
    names = ("", "unified") if not controllers else (controllers, "cpu", "cpu,cpuacct", "cpuacct,cpu")
    return list(dict.fromkeys(base / name for name in names))


def _v2(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")  # "150000 100000", or "max 100000"
    return _ratio(quota, period)


def _v1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))  # -1: no limit


def _ratio(quota: str, period: str) -> float | None:
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(quota) and int(period) else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def nvml() -> Any:
    """NVIDIA's library that tells of GPUs, initialised; None without module, driver or device."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 (whatever is wrong, there is no GPU to be used)
        return None
    return pynvml


def _installed_gpus() -> list[str]:
    library = nvml()
    if library is None:
        return []
    try:
        return [uuid for index in range(library.nvmlDeviceGetCount()) for uuid in _uuids(library, index)]
    finally:
        library.nvmlShutdown()  # workers are forked from here, and open it for themselves


def _uuids(library: Any, index: int) -> Iterator[str]:
    """A GPU's UUID; of one that is divided those of its instances, as CUDA uses only these."""
    device = library.nvmlDeviceGetHandleByIndex(index)
    parts = []
    with suppress(library.NVMLError):  # it cannot be divided
        if library.nvmlDeviceGetMigMode(device)[0]:
            parts = list(range(library.nvmlDeviceGetMaxMigDeviceCount(device)))
    if not parts:
        yield str(library.nvmlDeviceGetUUID(device))
    for part in parts:
        with suppress(library.NVMLError):  # places for instances may be empty
            yield str(library.nvmlDeviceGetUUID(library.nvmlDeviceGetMigDeviceHandleByIndex(device, part)))
