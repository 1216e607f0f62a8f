"""`Registries`: connections to registries, shared by everything that talks to them in one run."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipwheel.credentials import redact
from shipwheel.errors import NetworkError
from shipwheel.http import Client, Limits, Request, Traffic
from shipwheel.http.tls import add_certificates, trusted, unchecked
from shipwheel.oci.reference import DOCKER_HUB, Reference
from shipwheel.registry.logins import Login, Logins
from shipwheel.registry.reader import Mirror
from shipwheel.registry.repository import Repository
from shipwheel.registry.session import NO_REGISTRY, Session

if TYPE_CHECKING:
    import ssl

__all__ = ["Access", "Registries", "Traffic"]

_HUB_HOST = "registry-1.docker.io"
"""Where docker.io answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How registries are reached.

    `logins` knows who we are where; `insecure` names hosts (HOST[:PORT]) that may be spoken to without TLS, besides
    loopback; `mirrors` maps a registry to those that are read from before it, HOST[:PORT][/PATH], optionally after
    http://: a cache of several registries has a path for each. `certificates` are folders like /etc/docker/certs.d, with
    HOST[:PORT]/*.crt.
    """

    logins: Logins = field(default_factory=Logins)
    insecure: frozenset[str] = frozenset()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    certificates: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Registries:
    """Connections by registry; close it, or use it in a `with`. Safe to use from several threads."""

    def __init__(self, access: Access | None = None) -> None:
        self._access = access or Access()
        self._lock = threading.RLock()
        self._clients: dict[str, Client] = {}
        self._repositories: dict[str, Repository] = {}
        self.traffic = Traffic()

    def repository(self, reference: Reference) -> Repository:
        """The repository of a reference; nothing is sent yet."""
        full = reference.full
        with self._lock:
            if full.origin not in self._repositories:
                session = self._session(full.registry, full.repository)
                mirrors = [self._mirror(name, full.repository) for name in self._access.mirrors.get(full.registry, ())]
                self._repositories[full.origin] = Repository(full, session, mirrors)
            return self._repositories[full.origin]

    def check(self, registry: str) -> None:
        """Whether the registry takes the login that is known for it.

        Raises:
            NetworkError: it does not (status 401), it cannot be asked, or it is a web server.
        """
        with self._lock:
            session = self._session(registry, "")
        try:
            answer = session.ask(Request(url="/v2/"), frozenset())
        except NetworkError as error:
            if error.fields.get("status") == 401:
                error.hint = "the user or the password is wrong; some registries want a token instead of the password"
            raise
        if answer.content.lstrip().startswith(b"<"):
            raise NetworkError(
                f"{registry} answered with a page",
                hint=NO_REGISTRY,
                method="GET",
                url=redact(answer.url),
                status=answer.status,
                retryable=False,
            )

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _session(self, registry: str, repository: str) -> Session:
        host = _HUB_HOST if registry == DOCKER_HUB else registry
        login = partial(self._login, registry, repository)
        return Session(host, schemes=self._schemes(host), login=login, client=self._client)

    def _mirror(self, name: str, repository: str) -> Mirror:
        scheme, _, rest = name.rpartition("://")
        host, _, folder = rest.partition("/")
        there = f"{folder}/{repository}" if folder else repository
        login = partial(self._login, host, there)
        schemes = [scheme] if scheme == "http" else self._schemes(host)
        return Mirror(
            session=Session(host, schemes=schemes, login=login, client=partial(self._client, patient=False)), name=there
        )

    def _login(self, registry: str, repository: str) -> Login | None:
        return self._access.logins.find(registry, repository)

    def _schemes(self, host: str) -> Sequence[str]:
        """TLS first where it is a choice, but on loopback, where few have it."""
        if _is_loopback(host):
            return ("http", "https")
        return ("https", "http") if self._is_plain(host) else ("https",)

    def _is_plain(self, host: str) -> bool:
        return host in self._access.insecure or _is_loopback(host)

    def _client(self, url: str, *, patient: bool = True) -> Client:
        """The client for the host of a URL; one for a mirror does not try twice, since the registry itself is there."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        key = host if patient else f"mirror {host}"
        with self._lock:
            if key not in self._clients:
                limits = self._access.limits if patient else replace(self._access.limits, attempts=1)
                tls, direct = partial(self._context, host), _is_loopback(host)
                self._clients[key] = Client(limits=limits, tls=tls, traffic=self.traffic, direct=direct)
            return self._clients[key]

    def _context(self, host: str) -> ssl.SSLContext:
        context = unchecked() if self._is_plain(host) else trusted()
        for folder in self._access.certificates:
            if os.access(folder / host, os.F_OK) and (folder / host).is_dir():
                add_certificates(context, folder / host)
        return context


def _is_loopback(host: str) -> bool:
    """Whether HOST[:PORT] is this machine by a name or address that can be no other's."""
    name = (urlsplit(f"//{host}").hostname or "").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
