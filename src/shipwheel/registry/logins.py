"""`Logins`: who we are at which registry, from the files that docker and podman keep (docker config.json, podman auth.json)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.errors import ConfigError
from shipwheel.registry.helpers import TOKEN_USER, Helper
from shipwheel.registry.login_file import Login, LoginFile, scope

__all__ = ["Login", "Logins", "Place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a login is kept: a file, or the helper (docker-credential-NAME) that the file names."""

    file: str
    helper: str = ""

    def __str__(self) -> str:
        return f"{self.helper} (named in {self.file})" if self.helper else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """`given` comes first, by registry; then `text`, the content of such a file (DOCKER_AUTH_CONFIG has one); then
    `files` in this order, the first that knows a registry wins; `store` and `erase` write the first of them.

    `helpers` is the search path (PATH) for programs docker-credential-NAME. Files are read and helpers are asked once.
    Safe to use from several threads.
    """

    files: tuple[Path, ...] = ()
    helpers: str = ""
    given: Mapping[str, Login] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)
    _read: list[LoginFile] = field(default_factory=list, init=False, repr=False, compare=False)
    _asked: dict[tuple[str, str], Login | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    def find(self, registry: str, repository: str = "") -> Login | None:
        """The login for a registry (docker.io, HOST:PORT), or for one of its repositories where the file has one.

        Raises:
            ConfigError: a file is malformed, or a helper fails.
        """
        found = self.locate(registry, repository)
        return found[0] if found else None

    def locate(self, registry: str, repository: str = "") -> tuple[Login, Place] | None:
        """As `find`, with where it is kept."""
        registry = scope(registry)
        with self._lock:
            if registry in self.given:
                return self.given[registry], Place(file="memory")
            for file in self._files():
                if found := next(self._search(file, registry, repository), None):
                    return found
        return None

    def store(self, registry: str, login: Login) -> Place:
        """Keep a login where docker keeps its own, in place of any for the registry; everything else in the file stays.

        Raises:
            ConfigError: as `find`.
        """
        registry, path = scope(registry), self._own_file()
        with self._lock:
            file = LoginFile.read(path)
            helper = self._helper(file, file.helper(registry))
            if helper:
                user, secret = (TOKEN_USER, login.identity_token) if login.identity_token else (login.user, login.password)
                helper[0].store(helper[1], user, secret)
            file.with_login(registry, None if helper else login).write(path)
            self._forget()
        return Place(file=str(path), helper=helper[0].program if helper else "")

    def erase(self, registry: str) -> bool:
        """Remove the login that `store` would replace; False where there is none.

        Raises:
            ConfigError: as `find`.
        """
        registry, path = scope(registry), self._own_file()
        with self._lock:
            file = LoginFile.read(path)
            keys, helper = file.keys(registry), self._helper(file, file.helper(registry))
            known = bool(keys)
            if helper:
                known = known or helper[0].get(helper[1]) is not None
                for name in {helper[1], *keys}:
                    helper[0].erase(name)
            if keys:
                file.without(registry).write(path)
            self._forget()
        return known

    def registries(self) -> tuple[str, ...]:
        """Everything that the file which `store` writes, and its common helper, have logins for."""
        file = LoginFile.read(self._own_file())
        helper = self._helper(file, file.common_helper(""))
        return tuple(sorted({*file.registries(), *(scope(name) for name in (helper[0].list() if helper else ()))}))

    def _search(self, file: LoginFile, registry: str, repository: str) -> Iterator[tuple[Login, Place]]:
        """What one file has, best first: a registry's own helper, then the longest path, then the common helper."""
        own, plain = file.own_helper(registry), Place(file=file.place)
        yield from self._ask(file, own)
        while repository:
            if login := file.login(f"{registry}/{repository}"):
                yield login, plain
            repository = repository.rpartition("/")[0]
        if not own:
            yield from self._ask(file, file.common_helper(registry))
        if login := file.login(registry):
            yield login, plain

    def _ask(self, file: LoginFile, named: tuple[str, str] | None) -> Iterator[tuple[Login, Place]]:
        if found := self._helper(file, named):
            helper, name = found
            if (helper.name, name) not in self._asked:
                self._asked[helper.name, name] = _login(helper.get(name))
            if login := self._asked[helper.name, name]:
                yield login, Place(file=file.place, helper=helper.program)

    def _helper(self, file: LoginFile, named: tuple[str, str] | None) -> tuple[Helper, str] | None:
        name, server = named or ("", "")
        return (Helper(name=name, path=self.helpers, named_in=file.place), server) if name else None

    def _files(self) -> Iterator[LoginFile]:
        """Each is read when the ones before it have nothing."""
        if self.text:
            yield LoginFile.parse("DOCKER_AUTH_CONFIG", self.text)
        for at, path in enumerate(self.files):
            if at == len(self._read):
                self._read.append(LoginFile.read(path))
            yield self._read[at]

    def _own_file(self) -> Path:
        if not self.files:
            raise ConfigError("there is no file to keep logins in", hint="set HOME, or DOCKER_CONFIG to a folder")
        return self.files[0]

    def _forget(self) -> None:
        self._read.clear()
        self._asked.clear()


def _login(answer: tuple[str, str] | None) -> Login | None:
    if answer is None:
        return None
    user, secret = answer
    return Login(user="", identity_token=secret) if user == TOKEN_USER else Login(user=user, password=secret)
