"""`Registries`: connections to registries, shared by everything that talks to them in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from shipwheel.http import Limits
from shipwheel.oci.reference import Reference
from shipwheel.registry.logins import Logins
from shipwheel.registry.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How registries are reached.

    `logins` knows who we are where; `insecure` names hosts (HOST[:PORT]) that may be spoken to without TLS, besides
    loopback; `mirrors` maps a registry to those (HOST[:PORT], optionally after http://) that are read from before it;
    `certificates` are folders like /etc/docker/certs.d, with HOST[:PORT]/*.crt.
    """

    logins: Logins = field(default_factory=Logins)
    insecure: frozenset[str] = frozenset()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    certificates: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Traffic:
    """Bytes of all bodies and heads, both ways, and requests, since the connections were opened."""

    sent: int = 0
    received: int = 0
    requests: int = 0


class Registries:
    """Connections by registry; close it, or use it in a `with`. Safe to use from several threads."""

    def __init__(self, access: Access | None = None) -> None:
        self._access = access or Access()
        self.traffic = Traffic()

    def repository(self, reference: Reference) -> Repository:
        """The repository of a reference; nothing is sent yet."""
        raise NotImplementedError

    def check(self, registry: str) -> None:
        """Ask a registry whether it takes the login that is known for it (GET /v2/, with its token).

        Raises:
            NetworkError: it does not (status 401), or cannot be asked.
        """
        raise NotImplementedError

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
