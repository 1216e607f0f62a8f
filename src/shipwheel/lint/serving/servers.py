"""Servers by their command line, and where each listens, as `data/lint/servers.toml` says."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from shipwheel.lint.tables import table
from shipwheel.lint.word import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server; each field is explained at the top of the table."""

    name: str
    host: str = ""
    port: int = 0
    hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    host_env: str = ""
    port_env: str = ""
    elsewhere: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    develops: bool = False
    model: bool = False

    @property
    def python(self) -> bool:
        """Whether it is a Python program."""
        return self.name not in _NOT_PYTHON

    @property
    def package(self) -> str:
        """The program's name, which for Python's is that of the package it comes with."""
        return self.name.partition(" ")[0]


_NOT_PYTHON = frozenset(
    {"tritonserver", "tensorflow_model_server", "llama-server", "ollama serve", "text-generation-launcher", "torchserve"}
    | {"text-embeddings-router"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An address or a port; `word` is where it stands, None where it is a default or comes from a variable or a file."""

    value: str
    word: Word | None = None


@cache
def servers() -> Mapping[str, Server]:
    """All servers by name."""
    return {
        name: _server(name, {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()})
        for name, raw in table("servers.toml").items()
    }


def _server(name: str, fields: dict[str, Any]) -> Server:
    return Server(name=name, **fields)


@cache
def _modules() -> Mapping[str, Server]:
    return {module: server for server in servers().values() for module in server.modules}


def server_named(words: tuple[Word, ...]) -> Server | None:
    """The server that a command line starts: the program, and its subcommands; options between are skipped."""
    if not words:
        return None
    name = posixpath.basename(words[0].text)
    if is_django(words):
        return servers()["manage.py runserver"]
    if name in _modules():
        return _modules()[name]
    plain = [word.text for word in words[1:] if not word.text.startswith("-")]
    for count in (2, 1, 0):
        if found := servers().get(" ".join([name, *plain[:count]])):
            return found
    if "run" in plain[:3] and name in ("flask", "fastapi"):  # flask --app NAME run
        return servers()[f"{name} run"]
    return None


def is_django(words: tuple[Word, ...]) -> bool:
    """Whether it is `manage.py runserver`, with or without python before."""
    texts = [word.text for word in words[:6]]
    return "runserver" in texts and any(text.endswith(("manage.py", "django", "django-admin")) for text in texts)


def option_of(words: tuple[Word, ...], options: tuple[str, ...]) -> Setting | None:
    """The value of the last of these options (`--a b`, `--a=b`, `-ab`) and the word it stands in."""
    found = None
    for word, following in zip(words, (*words[1:], None), strict=True):
        name, equals, value = word.text.partition("=")
        if name in options and equals:
            found = Setting(value=value, word=word)
        elif word.text in options and following:
            found = Setting(value=following.text, word=following)
        elif short := next((one for one in options if len(one) == 2 and word.text.startswith(one) and len(word.text) > 2), ""):
            found = Setting(value=word.text[len(short) :].lstrip("="), word=word)
    return found


def given(words: tuple[Word, ...], options: tuple[str, ...]) -> Word | None:
    """The first word that is one of these options, or one with its value."""
    return next((word for word in words if word.text.partition("=")[0] in options), None)


def host_of(server: Server, words: tuple[Word, ...], env: Mapping[str, str]) -> Setting | None:
    """The address that it binds; None where it is not known."""
    if given(words, server.elsewhere):
        return None
    if found := option_of(words, server.binds) or option_of(words, server.hosts):
        host = _split(found.value)[0] if option_of(words, server.binds) else found.value
        return None if "$" in host else Setting(value=host or "0.0.0.0", word=found.word)
    if value := env.get(server.host_env):
        return None if "$" in value else Setting(value=value)
    if (server.name == "gunicorn" and "PORT" in env) or not server.host:
        return None
    return Setting(value=server.host)


def port_of(server: Server, words: tuple[Word, ...], env: Mapping[str, str]) -> Setting | None:
    """The port that it listens on; None where it is not known."""
    found = option_of(words, server.ports)
    if not found and (bind := option_of(words, server.binds)):
        found = Setting(value=_split(bind.value)[1] or str(server.port), word=bind.word)
    if not found and (given(words, server.elsewhere) or not server.port):
        return None
    value = found or Setting(value=env.get(server.port_env) or str(server.port))
    return value if value.value.isdecimal() else None


def _split(bind: str) -> tuple[str, str]:
    """Host and port of `HOST:PORT`, `:PORT` or `HOST`; "$" for a socket's path."""
    if bind.startswith(("unix:", "fd://", "/")):
        return "$", "$"
    bind = bind.rpartition("://")[2]
    host, colon, port = bind.rpartition(":")
    return (host, port) if colon and "]" not in port else (bind, "")
