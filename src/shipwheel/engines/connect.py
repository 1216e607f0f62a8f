"""Where Docker's and Podman's API answers, and a client on it; Podman's service is started where none runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import docker.utils
import requests
from docker.errors import DockerException, TLSParameterError
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from shipwheel.errors import EngineAbsentError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"

CONNECT_WITHIN = 10
"""Seconds for the first answer: a remote engine over ssh takes a few."""

ANSWER_WITHIN = 900
"""Seconds for any later answer: unpacking tens of gigabytes takes minutes on a slow disk, and the engine is silent then."""

SERVICE_WITHIN = 15.0
"""Seconds for `podman system service` to open its socket."""


@contextmanager
def docker_client(environment: Mapping[str, str]) -> Iterator[docker.DockerClient]:
    """A client on Docker's engine, as the docker CLI would choose it: DOCKER_HOST, DOCKER_CONTEXT, the current context.

    Raises:
        EngineAbsentError: nothing answers there.
    """
    settings = _docker_settings(environment)
    url = settings.get("base_url") or DEFAULT_SOCKET
    try:
        client = _connect(**{**settings, "base_url": url})
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise EngineAbsentError(
            f"no Docker engine answers at {url}: {_cause(error)}",
            hint="start Docker, or set DOCKER_HOST; '--engine runc' needs no engine at all",
        ) from None
    with _used(client) as ready:
        yield ready


def _docker_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = docker.utils.kwargs_from_env(dict(environment))
        if "base_url" not in settings:
            settings = {**docker.ContextAPI.kwargs_from_context(environment=dict(environment)), **settings}
    except TLSParameterError:
        where = environment.get("DOCKER_CERT_PATH") or "~/.docker"
        problem = f"Docker cannot be asked: {where} lacks ca.pem, cert.pem or key.pem"
        raise EngineAbsentError(problem, hint="correct DOCKER_CERT_PATH, or leave out DOCKER_TLS_VERIFY") from None
    except DockerException as error:
        reason = " ".join(str(error).split())
        raise EngineAbsentError(f"Docker cannot be asked: {reason}", hint="correct DOCKER_* variables") from None
    return settings


@contextmanager
def podman_client(environment: Mapping[str, str]) -> Iterator[docker.DockerClient]:
    """A client on Podman's API: CONTAINER_HOST, the user's socket, root's, else a service for as long as this lasts.

    Raises:
        EngineAbsentError: nothing answers, and no podman program is there to start.
    """
    given = environment.get("CONTAINER_HOST", "")
    tried = []
    for url in [given] if given else _podman_sockets(environment):
        try:
            client = _connect(base_url=url)
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            tried.append(f"{url} ({_cause(error)})")
            continue
        with _used(client) as ready:
            yield ready
        return
    program = shutil.which("podman", path=environment.get("PATH"))
    if given or not program:
        raise EngineAbsentError(
            f"no Podman answers at {', '.join(tried)}" + ("" if given else ", and no podman program is on PATH"),
            hint="install podman, or set CONTAINER_HOST to its socket; '--engine runc' needs no engine at all",
        )
    with _service(program, environment) as url, _used(_connect(base_url=url)) as ready:
        yield ready


def host_of(client: docker.DockerClient, environment: Mapping[str, str]) -> str:
    """The machine on which published ports appear: this one, but for engines behind tcp:// and ssh://."""
    given = environment.get("DOCKER_HOST", "") if client.api.base_url.startswith("http+docker://ssh") else client.api.base_url
    host = urlsplit(given).hostname or ""
    return "127.0.0.1" if host in ("", "localhost", "localnpipe") else host


def _connect(**settings: Any) -> docker.DockerClient:
    """A client that has had its first answer. The library leaves a Unix socket open that cannot connect: ours is tried first
    for that answer, and makes the connections after it.
    """
    kind, _, path = str(settings["base_url"]).partition("://")
    if kind not in ("unix", "http+unix"):
        return docker.DockerClient(timeout=CONNECT_WITHIN, use_ssh_client=True, **settings)
    path = f"/{path.lstrip('/')}"
    probe = _UnixConnection(settings["base_url"], path, CONNECT_WITHIN)
    probe.connect()
    probe.close()
    client = docker.DockerClient(timeout=CONNECT_WITHIN, **settings)
    client.api.get_adapter(client.api.base_url).close()
    client.api.mount(client.api.base_url, _UnixAdapter(path, ANSWER_WITHIN))
    return client


class _UnixConnection(UnixHTTPConnection):  # type: ignore[misc] # docker has no types
    """One that closes its socket where nobody answers."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.unix_socket)
        except OSError:
            self.close()
            raise


class _UnixPool(UnixHTTPConnectionPool):  # type: ignore[misc] # docker has no types
    def _new_conn(self) -> UnixHTTPConnection:
        return _UnixConnection(self.base_url, self.socket_path, self.timeout)


class _UnixAdapter(UnixHTTPAdapter):  # type: ignore[misc] # docker has no types
    def get_connection(self, url: str | bytes, _proxies: Mapping[str, str] | None = None) -> UnixHTTPConnectionPool:
        with self.pools.lock:
            if url not in self.pools:
                self.pools[url] = _UnixPool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
            return self.pools[url]


@contextmanager
def _used(client: docker.DockerClient) -> Iterator[docker.DockerClient]:
    client.api.timeout = ANSWER_WITHIN
    try:
        yield client
    finally:
        client.close()


def _podman_sockets(environment: Mapping[str, str]) -> list[str]:
    """The user's own first: rootless is how Podman is meant."""
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    mine = [] if os.getuid() == 0 else [f"unix://{runtime}/podman/podman.sock"]
    return [*mine, "unix:///run/podman/podman.sock"]


@contextmanager
def _service(program: str, environment: Mapping[str, str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="shipwheel-podman-") as folder, tempfile.TemporaryFile() as log:
        path = Path(folder, "podman.sock")
        command = [program, "system", "service", "--time=0", f"unix://{path}"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environment), start_new_session=True, cwd=folder
        )
        try:
            deadline = time.monotonic() + SERVICE_WITHIN
            while not _listens(path):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines() or ["it opened no socket"]
                    raise EngineAbsentError(
                        f"'podman system service' did not start: {said[-1]}", hint="'podman info' shows what is wrong with it"
                    )
                time.sleep(0.02)
            yield f"unix://{path}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(path: Path) -> bool:
    """Whether somebody answers there: a socket has its name a moment before that."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _cause(error: BaseException) -> str:
    """The operating system's own words, which requests and docker wrap several times."""
    text = str(error)
    for known in (
        "No such file or directory",
        "Connection refused",
        "Permission denied",
        "timed out",
        "Name or service not known",
    ):
        if known.lower() in text.lower():
            return known.lower()
    return text
