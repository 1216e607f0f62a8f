"""`Finding`: what a check found, and what to do about it; and the list of all checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Severity = Literal["error", "warning", "note", "ok"]
"""error: something that Shipwheel is for, or that was asked for, will not work. warning: something that you may not need
will not work, or works less well. note: good to know. ok: what is fine, in a few words."""

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "kernel": "the system, its version and processor",
        "user-namespaces": "whether users who are not root may have containers of their own, Ubuntu's AppArmor included",
        "subids": "ranges in /etc/subuid and /etc/subgid, and the programs that map them",
        "cgroups": "version 1, 2 or both; what of it a user may limit",
        "docker": "whether Docker answers, you may use it, its version and store",
        "podman": "whether Podman answers, and its version",
        "runc": "whether runc is there and can mount a container's files for you",
        "engine": "that at least one of the three works",
        "wsl": "Windows' subsystem: version 2, and its own driver and no other",
        "jetson": "NVIDIA Jetson: its release and GPU",
        "driver": "NVIDIA's driver: loaded, of one version in kernel and libraries, its CUDA, every GPU answers",
        "device-nodes": "/dev/nvidia*: there, and open to you",
        "cdi": "CDI specifications of GPUs: readable, of the driver that runs, nothing in them gone, no device twice",
        "gpu-engines": "whether each engine can give containers a GPU",
        "shm": "/dev/shm of this machine, for `shipwheel serve`",
        "disk": "space where images and downloads lie, and where Docker keeps its own; whether you may write there",
        "clock": "the clock against that of the servers that answer",
        "logins": "docker's and podman's login files, and the helpers that they name",
        "proxy": "proxies and certificates that the environment names",
        "index": "whether the package indexes answer",
        "debian": "whether the Debian mirrors answer",
        "tools": "Python, and uv, which chooses versions",
        "project": "with DIR: whether it can be read",
        "lock": "with DIR: whether it has a lock that fits",
        "platform": "with DIR or NAME: whether this processor runs it, by itself or through an emulator",
        "gpu": "with DIR or NAME: driver and architecture of each GPU against what it needs",
        "shared-memory": "with DIR or NAME: the /dev/shm that it wants against this machine's memory",
    }
)
"""Every check by its name, and what it looks at; findings come in this order."""

_RANKS = {"error": 0, "warning": 1, "note": 2, "ok": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line for the user: `message` says what is, `remedy` what to do; `check` is a name of `CHECKS`."""

    severity: Severity
    check: str
    message: str
    remedy: str = ""


def error(check: str, message: str, remedy: str) -> Finding:
    """Something that Shipwheel is for, or that was asked for, will not work."""
    return Finding(severity="error", check=check, message=message, remedy=remedy)


def warning(check: str, message: str, remedy: str) -> Finding:
    """Something that you may not need will not work, or works less well."""
    return Finding(severity="warning", check=check, message=message, remedy=remedy)


def note(check: str, message: str, remedy: str = "") -> Finding:
    """Good to know."""
    return Finding(severity="note", check=check, message=message, remedy=remedy)


def ok(check: str, message: str) -> Finding:
    """What is fine."""
    return Finding(severity="ok", check=check, message=message)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, then in the order of `CHECKS`."""
    places = {name: place for place, name in enumerate(CHECKS)}
    return tuple(sorted(findings, key=lambda found: (_RANKS[found.severity], places[found.check])))
