"""The way out of a container's own network: slirp4netns or pasta, user-space programs that need no privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SLIRP_RESOLVER = "10.0.2.3"
"""slirp4netns forwards questions that come there to the host's resolver."""

NOTE = "no outbound network: neither slirp4netns nor pasta is installed"


@dataclass(frozen=True, slots=True)
class Outbound:
    """The program that will carry packets, or none."""

    program: str = ""

    @classmethod
    def find(cls, network: str) -> Outbound:
        """For the network that was asked for: only the default one has a way out."""
        if network in ("host", "none"):
            return cls()
        return cls(next((found for name in ("slirp4netns", "pasta") if (found := shutil.which(name))), ""))

    def resolv_conf(self) -> str:
        """What /etc/resolv.conf should say."""
        if self.program.endswith("slirp4netns"):
            return f"nameserver {SLIRP_RESOLVER}\n"
        try:
            return Path("/etc/resolv.conf").read_text()
        except OSError:
            return ""

    def start(self, pid: int, log: int) -> subprocess.Popen[bytes] | None:
        """Connect the network of process `pid`; None where there is no program. `log` is a file descriptor.

        slirp4netns ends with this process, however that ends: it watches a pipe whose other end is held here. pasta ends
        with the network.
        """
        if not self.program:
            return None
        if not self.program.endswith("slirp4netns"):
            return subprocess.Popen([self.program, "--config-net", "--foreground", str(pid)], stdout=log, stderr=log)
        (ready, say), (end, _held) = os.pipe(), os.pipe()
        flags = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={say}", f"--exit-fd={end}"]
        process = subprocess.Popen([self.program, *flags, str(pid), "tap0"], stdout=log, stderr=log, pass_fds=(say, end))
        os.close(say)
        os.close(end)
        os.read(ready, 1)
        os.close(ready)
        return process
