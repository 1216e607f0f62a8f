"""config.json of an OCI bundle (OCI runtime-spec 1.0, config.md), from an image's config and a `RunSpec`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipwheel.engines.runc.places import ImageRecord
from shipwheel.engines.spec import SHM_SIZE, RunSpec

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CPU_PERIOD = 100_000
"""Microseconds over which a limit of processors is counted, as in Docker."""

CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""What root keeps in the container: Docker's default without raw sockets, device nodes and the audit log."""

FORBIDDEN_CALLS = (
    "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module", "finit_module",
    "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "get_mempolicy", "init_module", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "mount", "mount_setattr", "move_mount",
    "move_pages", "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "pivot_root",
    "process_vm_readv", "process_vm_writev", "query_module", "quotactl", "quotactl_fd", "reboot", "request_key",
    "set_mempolicy", "setdomainname", "sethostname", "setns", "settimeofday", "stime", "swapoff", "swapon", "sysfs",
    "syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vm86", "vm86old",
)  # fmt: skip
"""Calls that need root's powers over the host and that Docker's profile refuses too."""

MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi", "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who the first process is."""

    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a bundle needs to know of this machine and this container's folder.

    `files` go read-write over the container's (/etc/hosts and such), `volumes` are sources on the host for the spec's,
    `nested` says that all of this happens inside a user namespace of ours, where cgroups and some mounts are refused.
    """

    user: User
    cgroup: str
    files: dict[str, Path]
    volumes: tuple[Path, ...]
    nested: bool
    swap_counted: bool


def config_json(record: ImageRecord, spec: RunSpec, setting: Setting) -> dict[str, Any]:
    """The whole config.json."""
    return {
        "ociVersion": "1.0.2",
        "process": _process(record, spec, setting.user),
        "root": {"path": "rootfs", "readonly": spec.read_only},
        "hostname": spec.name[:63],
        "mounts": [*_mounts(spec, setting), *_own_mounts(spec, setting)],
        "annotations": spec.labels,
        "linux": _linux(spec, setting),
    }


def arguments(record: ImageRecord, spec: RunSpec) -> list[str]:
    """Entrypoint and command, as `docker run` joins them."""
    entrypoint, command = record.config.get("Entrypoint") or [], record.config.get("Cmd") or []
    return [*entrypoint, *(spec.command or command)]


def _process(record: ImageRecord, spec: RunSpec, user: User) -> dict[str, Any]:
    env = {"PATH": DEFAULT_PATH, "HOSTNAME": spec.name[:63], "HOME": user.home}
    env |= dict(pair.split("=", 1) for pair in record.config.get("Env") or [])
    env |= spec.env
    kept = list(CAPABILITIES) if user.uid == 0 else []
    return {
        "terminal": False,
        "user": {"uid": user.uid, "gid": user.gid},
        "args": arguments(record, spec),
        "env": [f"{key}={value}" for key, value in env.items()],
        "cwd": record.config.get("WorkingDir") or "/",
        "noNewPrivileges": True,
        "capabilities": {"bounding": list(CAPABILITIES), "permitted": kept, "effective": kept},
    }


def _mounts(spec: RunSpec, setting: Setting) -> list[dict[str, Any]]:
    shm = spec.limits.shm_size or SHM_SIZE
    shared_network = spec.network == "host" and setting.nested
    return [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
            *(() if setting.nested else ("gid=5",)),
        ),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", f"size={shm}"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")
        if shared_network
        else _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        *([] if shared_network else [_mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")]),
    ]  # fmt: skip


def _own_mounts(spec: RunSpec, setting: Setting) -> list[dict[str, Any]]:
    """The files of ours, a writable /tmp below a read-only root, and the volumes, which may cover any of these."""
    found = [_bind(path, str(source), "rw") for path, source in sorted(setting.files.items())]
    if spec.read_only:
        found.append(_mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"))
    for volume, source in zip(spec.volumes, setting.volumes, strict=True):
        found.append(_bind(volume.target, str(source), "ro" if volume.read_only else "rw"))
    return found


def _mount(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _bind(target: str, source: str, mode: str) -> dict[str, Any]:
    return _mount(target, "bind", source, "rbind", "rprivate", mode)


def _linux(spec: RunSpec, setting: Setting) -> dict[str, Any]:
    kinds = ["pid", "ipc", "uts", "mount"] + ([] if spec.network == "host" else ["network"])
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in kinds],
        "resources": _resources(spec, setting),
        "maskedPaths": list(MASKED),
        "readonlyPaths": list(READ_ONLY),
        "seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": list(FORBIDDEN_CALLS), "action": "SCMP_ACT_ERRNO"}],
        },
    }
    if setting.cgroup:
        linux["cgroupsPath"] = setting.cgroup
    if spec.network != "host":
        linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    return linux


def _resources(spec: RunSpec, setting: Setting) -> dict[str, Any]:
    found: dict[str, Any] = {"devices": [{"allow": False, "access": "rwm"}]}
    limits = spec.limits
    if limits.memory:
        found["memory"] = {"limit": limits.memory} | ({"swap": limits.memory} if setting.swap_counted else {})
    if limits.cpus:
        found["cpu"] = {"quota": round(limits.cpus * CPU_PERIOD), "period": CPU_PERIOD}
    return found
