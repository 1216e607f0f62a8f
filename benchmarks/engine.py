"""A Docker engine and registries of our own, in a temporary folder: started here and stopped by process id."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from measure import CommandError, log, run

_NUMBERS = count()

START_WITHIN = 60
"""Seconds that an engine or a registry may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A running dockerd: its folder and process."""

    folder: Path
    pid: int

    @property
    def host(self) -> str:
        """The value for DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def data(self) -> Path:
        """Where images, containers and the build cache lie."""
        return self.folder / "data"

    def docker(self, *words: str | Path) -> str:
        """Run the docker command against this engine."""
        return run(["docker", *words], env={**os.environ, "DOCKER_HOST": self.host})


@contextmanager
def engine(folder: Path, *, containerd_store: bool = False) -> Iterator[Engine]:
    """A dockerd with its own data, bridge and socket, for as long as the context lasts."""
    folder.mkdir(parents=True)
    number = next(_NUMBERS)
    bridge, subnet = f"swb{os.getpid()}-{number}"[:15], f"10.{os.getpid() % 97 + 150}.{number}"
    run(["ip", "link", "add", "name", bridge, "type", "bridge"])
    run(["ip", "addr", "add", f"{subnet}.1/24", "dev", bridge])
    run(["ip", "link", "set", bridge, "up"])
    command = ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    command += ["-H", f"unix://{folder}/docker.sock", "--bridge", bridge, "--iptables=false", "--ip6tables=false"]
    (folder / "daemon.json").write_text(json.dumps({"features": {"containerd-snapshotter": containerd_store}}))
    command += ["--config-file", folder / "daemon.json"]
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output)
    try:
        started = Engine(folder=folder, pid=process.pid)
        _wait(process, lambda: started.docker("version"), folder / "log")
        yield started
    finally:
        _stop(process)
        run(["ip", "link", "delete", bridge])
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """An empty registry on loopback: yields HOST:PORT."""
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/blobs}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=output, stderr=output)
    try:
        _wait(process, lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close(), folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], answers: object, logged: Path) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, CommandError):
            answers()  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise SystemExit(f"{process.args!r} did not come up:\n{logged.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        log(f"process {process.pid} does not end: killed")
        process.kill()
        process.wait()


def missing_tools(names: Sequence[str]) -> list[str]:
    """Those of `names` that this machine lacks."""
    return [name for name in names if shutil.which(name) is None]
