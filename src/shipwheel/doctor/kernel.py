"""The system below: Linux, its version, its processor."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipwheel.doctor.finding import Finding, error, note, ok, warning
from shipwheel.oci.blob import Platform

OVERLAY_FOR_USERS = (5, 11)
"""From here on users may mount overlays in their namespaces (kernelnewbies.org, "Linux 5.11", unprivileged overlayfs)."""

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
"""What images can be made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What uname(2) says: `system` Linux, `release` 6.8.0-45-generic, `machine` x86_64."""

    system: str
    release: str
    machine: str

    @classmethod
    def of(cls, told: os.uname_result) -> Kernel:
        """As the kernel says."""
        return cls(system=told.sysname, release=told.release, machine=told.machine)

    @property
    def version(self) -> tuple[int, int]:
        """(6, 8) of 6.8.0-45-generic; (0, 0) of what does not begin so."""
        match = re.match(r"(\d+)\.(\d+)", self.release)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    @property
    def platform(self) -> Platform:
        """What containers here are for: they run Linux, on Windows and macOS too."""
        return Platform.parse(f"linux/{self.machine}")

    @property
    def mounts_for_users(self) -> bool:
        """Whether users may mount overlays."""
        return self.version >= OVERLAY_FOR_USERS


def check_kernel(kernel: Kernel) -> Iterator[Finding]:
    """That images can be made and run on it."""
    if kernel.platform not in PLATFORMS:
        yield error("kernel", f"no image can run on a processor '{kernel.machine}'", "use a machine with x86_64 or aarch64")
    if kernel.system != "Linux":
        yield note(
            "kernel", f"{kernel.system} has no containers of its own: images run in Docker's or Podman's machine, not with runc"
        )
    elif kernel.version < (3, 10):
        yield warning("kernel", f"Linux {kernel.release} is older than engines support", "run Linux 5.11 or later")
    else:
        yield ok("kernel", f"{kernel.system} {kernel.release} on {kernel.machine}")
