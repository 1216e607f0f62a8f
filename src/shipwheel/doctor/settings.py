"""What the environment and files of this user say: proxies, certificates, logins, programs."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shipwheel.credentials import redact
from shipwheel.doctor.finding import Finding, error, ok
from shipwheel.doctor.where import Where
from shipwheel.errors import ConfigError
from shipwheel.registry.login_file import LoginFile

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
SCHEMES = ("http", "https", "socks5", "socks5h")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

CONNECT_WITHIN = 2.0
"""Seconds for a proxy, which stands in the same network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy of the environment, without its password; `problem`: it cannot be used, and why."""

    variable: str
    url: str
    problem: str = ""


def read_proxies(env: Mapping[str, str]) -> tuple[Proxy, ...]:
    """Those that are set, small letters first, as httpx and curl have it; each is connected to."""
    named = {name: env.get(name.lower()) or env.get(name) for name in PROXIES}
    found = {name: url if "://" in url else f"http://{url}" for name, url in named.items() if url}  # as httpx and curl take it
    return tuple(Proxy(variable=name, url=redact(url), problem=_unusable(url)) for name, url in found.items())


def _unusable(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError:
        return "it is no URL"
    if parts.scheme not in SCHEMES or not parts.hostname:
        return f"it is none of {', '.join(f'{scheme}://HOST:PORT' for scheme in SCHEMES)}"
    try:
        socket.create_connection((parts.hostname, port), CONNECT_WITHIN).close()
    except OSError as fault:
        return f"it does not answer: {fault.strerror or fault}"
    return ""


def check_proxies(found: Sequence[Proxy]) -> Iterator[Finding]:
    """That each can be used."""
    for proxy in found:
        if proxy.problem:
            yield error(
                "proxy",
                f"the proxy {proxy.url} of {proxy.variable} cannot be used: {proxy.problem}",
                "correct or unset the variable",
            )
        else:
            yield ok("proxy", f"{proxy.variable}: {proxy.url}")


def check_certificates(env: Mapping[str, str]) -> Iterator[Finding]:
    """That files of certificates are there: without them no server is trusted."""
    for name in CERTIFICATES:
        if (path := env.get(name)) and not os.access(path, os.F_OK):
            yield error(
                "proxy", f"{name} names {path}, which is not there: no server is trusted", "correct or unset the variable"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPlace:
    """A login file: registries that it has logins for, helpers that it names and those of them that are absent."""

    path: str
    registries: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    problem: str = ""
    hint: str = ""


def read_logins(files: Sequence[Path], where: Where) -> tuple[LoginPlace, ...]:
    """Of docker's and podman's files, those that exist. No helper is asked: it may ask its user."""
    return tuple(_login_place(path, where) for path in files if os.access(path, os.F_OK))


def _login_place(path: Path, where: Where) -> LoginPlace:
    try:
        file = LoginFile.read(path)
    except ConfigError as fault:
        return LoginPlace(path=str(path), problem=fault.message.replace("\n ", ":"), hint=fault.hint)
    common, own = file.content.get("credsStore"), file.content.get("credHelpers") or {}
    names = [f"docker-credential-{name}" for name in dict.fromkeys([common, *own.values()]) if name]
    absent = tuple(name for name in names if not where.program(name))
    return LoginPlace(path=str(path), registries=tuple(file.registries()), absent=absent)


def check_logins(found: Sequence[LoginPlace]) -> Iterator[Finding]:
    """That they can be read, and that the programs which they name are there."""
    for place in found:
        if place.problem:
            yield error("logins", place.problem, place.hint)
        for name in place.absent:
            yield error(
                "logins", f"{name}, which {place.path} names for logins, is not there",
                "install it, or take its name out of credsStore or credHelpers in that file",
            )  # fmt: skip
        if not place.problem and not place.absent:
            yield ok("logins", f"{place.path}: {', '.join(place.registries) or 'none'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Versions of Python and uv; `problem`: uv cannot be run."""

    python: str
    uv: str = ""
    problem: str = ""


def read_tools(where: Where) -> Tools:
    """The Python that runs us, and the uv that came with us."""
    from uv import find_uv_bin

    python = platform.python_version()
    try:
        program = find_uv_bin()
    except FileNotFoundError:
        return Tools(python=python, problem="it is not where its package puts it")
    status, out, said = where.says([program, "--version"])
    return (
        Tools(python=python, problem=said.strip() or f"status {status}") if status else Tools(python=python, uv=out.split()[1])
    )


def check_tools(found: Tools) -> Iterator[Finding]:
    """That uv runs."""
    if found.problem:
        yield error("tools", f"uv, which chooses versions, cannot be run: {found.problem}", "pip install --force-reinstall uv")
    else:
        yield ok("tools", f"Python {found.python}, uv {found.uv}")
