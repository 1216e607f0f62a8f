"""Real engines and a registry for tests: private ones, in temporary folders, started here and stopped by process id.

Nothing that ran before is touched: own sockets and storage; Docker's gets a bridge of its own and no firewall rules.
Podman's networks are netavark's: its rules and the bridge podman0 are shared by all Podmans of root on the machine.

Where an engine cannot be had its tests are skipped by name; with CI=true they fail instead.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_NUMBERS = itertools.count(1)
"""Of this process's engines: each Docker has a bridge of its own."""

TOOLS = (Path(__file__).parents[2] / ".work" / "tools", Path(sys.executable).parent)
"""Where programs for tests are that are not the machine's: what tests/engines/tools.sh made, and those of Python packages."""

START_WITHIN = 60.0
"""Seconds: dockerd takes about five alone, more while other things build."""

PODMAN_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
exit_command_delay = 1
[network]
network_config_dir = "{folder}/networks"
default_subnet = "{subnet}"
"""

REGISTRY_CONF = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {folder}/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
log:
  level: error
"""


CONTAINERD_CONF = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.sock.ttrpc"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEngine:
    """A running engine: the environment that leads to it, the process behind it, and the folder that goes with it."""

    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    folder: Path
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def stop(self) -> None:
        """End the process and what it left behind: containers, helpers, mounts, links, files."""
        if self.before:
            subprocess.run(self.before, capture_output=True, check=False, env={**os.environ, **self.environment})
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.after:
            subprocess.run(self.after, capture_output=True, check=False)
        _end_processes_of(self.folder)
        _remove_with_mounts(self.folder)


def absent(name: str, reason: str) -> None:
    """Skip the test by name; fail where CI promised the engine."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is absent in CI: {reason}")
    pytest.skip(f"{name} is absent: {reason}")


def need(name: str, *programs: str) -> None:
    """Skip (or fail in CI) unless root has all these programs."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        absent(name, f"no {', '.join(missing)}; tests/engines/install.sh installs it")
    if os.getuid() != 0:
        absent(name, "a private engine needs root")


def tool(name: str) -> str:
    """Path of a program that reads what we write; the test is skipped by name (fails in CI) without it."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, TOOLS), os.environ.get("PATH", "")]))
    if not found:
        absent(name, "tests/engines/install.sh installs it")
    assert found
    return found


def start_docker(folder: Path, *, flags: tuple[str, ...] = ()) -> PrivateEngine:
    """A dockerd of our own, with a bridge of its own and no firewall rules: ports go through its user-space proxy."""
    number = next(_NUMBERS)
    bridge = f"sw{os.getpid()}-{number}"[:15]
    for command in (("add", bridge, "type", "bridge"), ("set", bridge, "up")):
        subprocess.run(["ip", "link", *command], check=False, capture_output=True)
    subprocess.run(["ip", "addr", "add", f"{_subnet(72 + number)}.1/24", "dev", bridge], check=False, capture_output=True)
    socket_path, log = folder / "docker.sock", folder / "dockerd.log"
    process = _spawn(
        log, "dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
        "-H", f"unix://{socket_path}", "--bridge", bridge, "--iptables=false", "--ip6tables=false", *flags,
    )  # fmt: skip
    engine = PrivateEngine(
        environment={"DOCKER_HOST": f"unix://{socket_path}", "DOCKER_CONFIG": f"{folder}/config"},
        process=process,
        log=log,
        folder=folder,
        after=("ip", "link", "del", bridge),
    )
    _until(lambda: _answers(socket_path, "/_ping"), engine)
    return engine


def podman_environment(folder: Path) -> dict[str, str]:
    """What makes every podman command use storage and networks of its own."""
    config, storage = folder / "containers.conf", folder / "storage.conf"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(PODMAN_CONF.format(folder=folder, subnet=f"{_subnet(72)}.0/24"))
    storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
    return {"CONTAINERS_CONF": str(config), "CONTAINERS_STORAGE_CONF": str(storage)}


WITH_DEVICES = """\
set -e
mount -t tmpfs tmpfs "$0" && mkdir "$0/work" "$0/upper" && cp -r "$1" "$0/upper/cdi"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/upper,workdir=$0/work" /etc
shift && exec "$@"
"""
"""Shows a folder as /etc/cdi, where Podman 4.3 looks and nowhere else, to one process and its children."""


def start_podman(folder: Path, *, devices: Path | None = None) -> PrivateEngine:
    """`podman system service` over storage of its own; CDI specifications in `devices` are the machine's for it."""
    environment = podman_environment(folder)
    socket_path, log = folder / "podman.sock", folder / "podman.log"
    around: tuple[str, ...] = ()
    if devices:
        (folder / "etc").mkdir()
        around = ("unshare", "--mount", "sh", "-c", WITH_DEVICES, str(folder / "etc"), str(devices))
    process = _spawn(
        log, *around, "podman", "system", "service", "--time=0", f"unix://{socket_path}",
        environment={**os.environ, **environment},
    )  # fmt: skip
    engine = PrivateEngine(
        environment={**environment, "CONTAINER_HOST": f"unix://{socket_path}"},
        process=process,
        log=log,
        folder=folder,
        before=("podman", "rm", "--all", "--force", "--time=0"),
    )
    _until(lambda: _answers(socket_path, "/_ping"), engine)
    return engine


def start_registry(folder: Path, *, users: str = "") -> tuple[PrivateEngine, str]:
    """docker-registry on a free loopback port; returns it and its HOST:PORT. `users` is the text of an htpasswd file."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "config.yml"
    config.write_text(REGISTRY_CONF.format(folder=folder, port=port))
    if users:
        (folder / "htpasswd").write_text(users)
        config.write_text(f"{config.read_text()}auth:\n  htpasswd:\n    realm: tests\n    path: {folder}/htpasswd\n")
    process = _spawn(folder / "registry.log", "docker-registry", "serve", str(config))
    engine = PrivateEngine(environment={}, process=process, log=folder / "registry.log", folder=folder)
    _until(lambda: _http_ok(f"http://127.0.0.1:{port}/v2/"), engine)
    return engine, f"127.0.0.1:{port}"


def start_containerd(folder: Path) -> PrivateEngine:
    """A containerd of our own, without Kubernetes' part; `ctr` finds it by CONTAINERD_ADDRESS."""
    config, socket_path, log = folder / "config.toml", folder / "containerd.sock", folder / "containerd.log"
    config.write_text(CONTAINERD_CONF.format(folder=folder))
    process = _spawn(log, "containerd", "--config", str(config))
    engine = PrivateEngine(environment={"CONTAINERD_ADDRESS": str(socket_path)}, process=process, log=log, folder=folder)
    _until(lambda: "serving..." in log.read_text() and socket_path.exists(), engine)
    return engine


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[PrivateEngine]:
    """A private Docker engine for the whole session."""
    need("docker", "dockerd", "ip")
    engine = start_docker(engine_folder())
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[PrivateEngine]:
    """A private Podman service for the whole session."""
    need("podman", "podman", "runc")
    engine = start_podman(engine_folder())
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def runc_present() -> None:
    """runc and the right to use it."""
    need("runc", "runc")


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """HOST:PORT of a private registry for the whole session."""
    need("registry", "docker-registry")
    engine, address = start_registry(engine_folder())
    yield address
    engine.stop()


def engine_folder() -> Path:
    """A folder for an engine: with a short path, which a socket's must be, and out of pytest's own, which mounts disturb."""
    return Path(tempfile.mkdtemp(prefix="shipwheel-engine-"))


def _end_processes_of(folder: Path) -> None:
    """Kill what an engine started and left, told by its folder in the command line: shims, conmon waiting minutes."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            if f"{folder}/".encode() in words and int(path.name) != os.getpid():
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


def _remove_with_mounts(folder: Path) -> None:
    """Remove a folder in which an engine may have left mounts."""
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        point = line.split()[4]
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _subnet(second: int) -> str:
    """The first three numbers of a private network, another one for each test process."""
    return f"10.{second}.{os.getpid() % 250}"


def _spawn(log: Path, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """In a folder of its own: Podman's conmon leaves a file named oom where the service was started."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env=environment, cwd=log.parent,
        )  # fmt: skip


def _until(ready: Callable[[], bool], engine: PrivateEngine) -> None:
    deadline = time.monotonic() + START_WITHIN
    while not ready():
        if engine.process.poll() is not None or time.monotonic() > deadline:
            engine.stop()
            raise RuntimeError(f"did not start: {engine.process.args!r}\n{engine.log.read_text()[-3000:]}")
        time.sleep(0.05)


def _answers(path: Path, target: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
            return b"200 OK" in connection.recv(100)
    except OSError:
        return False


def _http_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 401  # it is up, and wants a login
    except OSError:
        return False
