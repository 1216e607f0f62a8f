"""Control groups: cgroups(7), version 1, 2 or both at once, and what of them is given to users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, note, ok, warning
from shipwheel.doctor.where import Where

NEEDED = ("cpu", "memory", "pids")
"""Controllers behind --memory, --cpus and the number of processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroups:
    """`layout` is v2, v1, hybrid (both, the second without controllers) or none; `delegated` are the user's controllers."""

    layout: str
    delegated: tuple[str, ...] = ()

    @classmethod
    def read(cls, where: Where) -> Cgroups:
        """As mounted; `delegated` as systemd gave them to the user's manager (systemd.resource-control(5), Delegate=)."""
        slices = f"/sys/fs/cgroup/user.slice/user-{where.uid}.slice/user@{where.uid}.service/cgroup.controllers"
        return cls(layout=layout(where.text("/proc/self/mounts")), delegated=tuple(where.text(slices).split()))


def layout(mounts: str) -> str:
    """Of lines as in /proc/self/mounts."""
    rows = [line.split() for line in mounts.splitlines()]
    kinds = {row[2] for row in rows if len(row) > 2 and row[1].startswith("/sys/fs/cgroup")}
    if {"cgroup", "cgroup2"} <= kinds:
        return "hybrid"
    return "v2" if "cgroup2" in kinds else "v1" if "cgroup" in kinds else "none"


def check_cgroups(found: Cgroups, *, root: bool) -> Iterator[Finding]:
    """That engines can limit what containers use."""
    absent = [name for name in NEEDED if name not in found.delegated]
    if found.layout == "none":
        yield warning("cgroups", "no control groups are mounted: engines start nothing, or limit nothing", "mount cgroup2")
    elif found.layout != "v2" and not root:
        yield warning(
            "cgroups",
            f"control groups are of version 1 ({found.layout}): rootless engines cannot limit memory or processors",
            "boot with systemd.unified_cgroup_hierarchy=1, or run as root",
        )
    elif found.layout == "v2" and not root and absent:
        yield warning(
            "cgroups",
            f"{', '.join(absent)}: not given to you, so rootless engines cannot limit them",
            "put 'Delegate=cpu cpuset io memory pids' below [Service] in /etc/systemd/system/user@.service.d/delegate.conf",
        )
    elif found.layout == "hybrid":
        yield note(
            "cgroups", "control groups of version 1 and 2 are mixed: crun refuses that", "let Podman use runc: --runtime runc"
        )
    else:
        yield ok("cgroups", f"version {found.layout.removeprefix('v')}")
