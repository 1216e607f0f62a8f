"""`LoginFile`: docker's config.json or podman's auth.json (containers-auth.json(5)), read, looked up and rewritten.

Both hold `auths` (a login by registry; in podman's also by repository), `credHelpers` (a helper by registry) and
`credsStore` (a helper for all others), beside much that is not ours and is kept as it is.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipwheel.errors import ConfigError, Problem
from shipwheel.oci.reference import DOCKER_HUB

_HUB_SERVER = "https://index.docker.io/v1/"
"""What docker calls Docker Hub in its file and to helpers."""
_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_API_PATHS = frozenset({"", "v1", "v2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password; or, instead of a password, an identity token (a refresh token of OAuth 2)."""

    user: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def scope(key: str) -> str:
    """What a key of `auths` is about: HOST[:PORT], or HOST[:PORT]/PATH of a repository or what it lies in.

    Older docker wrote addresses of an API, https://HOST/v1/: a path after a scheme, or one like v1, says nothing.
    """
    _, scheme, rest = key.rpartition("://")
    host, _, path = rest.strip("/").partition("/")
    host = DOCKER_HUB if host.lower() in _HUB_HOSTS else host.lower()
    return host if scheme or path in _API_PATHS else f"{host}/{path}"


def server(registry: str) -> str:
    """How docker calls a registry in its file and to helpers."""
    return _HUB_SERVER if registry == DOCKER_HUB else registry


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFile:
    """A file's content; `place` is its path, or another name of where it came from, for messages."""

    place: str
    content: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> LoginFile:
        """An absent file is an empty one, and so is one in a folder that we may not enter: it is somebody else's.

        Raises:
            ConfigError: it cannot be read, or is not what docker and podman write.
        """
        try:
            return cls.parse(str(path), path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            if not os.access(path, os.F_OK):
                return cls(place=str(path), content={})
            why = getattr(error, "strerror", "no UTF-8")
            raise ConfigError(f"{path} cannot be read: {why}", hint="make it readable, or set DOCKER_CONFIG") from None

    @classmethod
    def parse(cls, place: str, text: str) -> LoginFile:
        """As `read`, from text."""
        try:
            content = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise _malformed(place, Problem(message="no JSON", file=place, line=getattr(error, "lineno", 0))) from None
        if not isinstance(content, dict):
            raise _malformed(place, Problem(message="no JSON object", file=place))
        for section in ("auths", "credHelpers"):
            if not isinstance(content.get(section), dict | None):
                raise _malformed(place, Problem(message="no JSON object", path=section, file=place))
        return cls(place=place, content=content)

    def keys(self, name: str) -> list[str]:
        """The keys of `auths` that are about a registry or a repository, docker's own spelling first."""
        return sorted((key for key in self._section("auths") if scope(key) == name), key=lambda key: key != server(name))

    def own_helper(self, registry: str) -> tuple[str, str] | None:
        """The name of the helper for just this registry, and how it is called there; empty: not even the common one."""
        found = self._section("credHelpers")
        keys = sorted((key for key in found if scope(key) == registry), key=lambda key: key != server(registry))
        return next(((str(found[key] or ""), key) for key in keys), None)

    def common_helper(self, registry: str) -> tuple[str, str] | None:
        """The name of the helper for every other registry, and how this one is called there."""
        name = self.content.get("credsStore")
        return (str(name), server(registry)) if name else None

    def helper(self, registry: str) -> tuple[str, str] | None:
        """The helper that keeps this registry's login."""
        return self.own_helper(registry) or self.common_helper(registry)

    def login(self, name: str) -> Login | None:
        """The login written in the file for exactly this registry or repository.

        Raises:
            ConfigError: what is written there is no login.
        """
        return next((login for key in self.keys(name) if (login := self._written(key))), None)

    def registries(self) -> Iterator[str]:
        """What `auths` has keys for: registries and repositories."""
        yield from sorted({scope(key) for key in self._section("auths")})

    def with_login(self, name: str, login: Login | None) -> LoginFile:
        """The file with this login instead of any for the same; None: with docker's note that a helper has it."""
        kept = self.without(name)
        return LoginFile(
            place=self.place, content={**kept.content, "auths": {**kept._section("auths"), server(name): _entry(login)}}
        )

    def without(self, name: str) -> LoginFile:
        """The file without any login for this registry."""
        gone = self.keys(name)
        if not gone:
            return self
        auths = {key: value for key, value in self._section("auths").items() if key not in gone}
        return LoginFile(place=self.place, content={**self.content, "auths": auths})

    def write(self, path: Path) -> None:
        """Put it there at once, for the owner's eyes only; a link stays a link."""
        path = path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self.content, stream, indent="\t", ensure_ascii=False)
                stream.write("\n")
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _section(self, name: str) -> dict[str, Any]:
        return self.content.get(name) or {}

    def _written(self, key: str) -> Login | None:
        try:
            login = _decode(self._section("auths")[key] or {})
        except (ValueError, TypeError, AttributeError):  # base64's and UTF-8's own errors are ValueErrors
            problem = Problem(message="'auth' is not the base64 of USER:PASSWORD", path=f"auths[{json.dumps(key)}]")
            raise _malformed(self.place, problem) from None
        return login if login.password or login.identity_token else None


def _decode(entry: Mapping[str, Any]) -> Login:
    user, password = entry.get("username") or "", entry.get("password") or ""
    if auth := entry.get("auth"):
        user, colon, password = base64.b64decode(auth, validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError("no colon")
        password = password.strip("\0")  # older docker padded with them
    token = entry.get("identitytoken") or ""
    if not all(isinstance(word, str) for word in (user, password, token)):
        raise TypeError("no text")
    return Login(user=user, password=password, identity_token=token)


def _entry(login: Login | None) -> dict[str, str]:
    if login is None:
        return {}
    auth = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return {"auth": auth, "identitytoken": login.identity_token} if login.identity_token else {"auth": auth}


def _malformed(place: str, problem: Problem) -> ConfigError:
    return ConfigError(
        f"{place} is not as docker and podman write it", [problem], hint="correct it, or move it away and log in again"
    )
