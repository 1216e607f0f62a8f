"""`Logins`: who we are at which registry, from the files that docker and podman keep (docker config.json, podman auth.json)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password; or, instead of a password, an identity token (a refresh token of OAuth 2)."""

    user: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """`files` are read in this order, the first that knows a registry wins; `login` writes the first of them.

    `helpers` is the search path (PATH) for programs docker-credential-NAME.
    """

    files: tuple[Path, ...] = ()
    helpers: str = ""

    def find(self, registry: str, repository: str = "") -> Login | None:
        """The login for a registry (docker.io, HOST:PORT), or for one of its repositories where the file has one."""
        del registry, repository
        return None
