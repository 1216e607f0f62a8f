"""`Hosts`: mirrors and insecure registries that docker's daemon.json and podman's registries.conf name.

Only what is said of a whole registry is taken: no networks (10.0.0.0/8), wildcards, namespaces or other names for one.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipwheel.errors import ConfigError
from shipwheel.oci.reference import DOCKER_HUB
from shipwheel.registry.login_file import scope

_HOST = re.compile(r"[^/*\s@]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Registries that may be spoken to without TLS, and by registry what is read from before it; as `Access` has them."""

    insecure: frozenset[str] = frozenset()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __or__(self, other: Hosts) -> Hosts:
        """Both; this one's mirrors come first."""
        names = {**self.mirrors, **other.mirrors}
        mirrors = {name: (*self.mirrors.get(name, ()), *other.mirrors.get(name, ())) for name in names}
        return Hosts(
            insecure=self.insecure | other.insecure,
            mirrors={name: tuple(dict.fromkeys(several)) for name, several in mirrors.items()},
        )


def of_docker(*folders: Path) -> Hosts:
    """From daemon.json in the first folder that has one (rootless docker's is the user's own).

    Raises:
        ConfigError: it is malformed.
    """
    content = next((found for folder in folders if (found := _read(folder / "daemon.json", json.loads))), {})
    mirrors = tuple(mirror for text in _texts(content.get("registry-mirrors")) if (mirror := _mirror(text)))
    return Hosts(
        insecure=frozenset(host for text in _texts(content.get("insecure-registries")) if (host := _host(text))),
        mirrors={DOCKER_HUB: mirrors} if mirrors else {},
    )


def of_podman(env: Mapping[str, str], user: Path, system: Path) -> Hosts:
    """From registries.conf (containers-registries.conf(5), version 2) and the files of registries.conf.d.

    Raises:
        ConfigError: one is malformed.
    """
    chosen = env.get("CONTAINERS_REGISTRIES_CONF")
    main = [Path(chosen)] if chosen else [folder / "registries.conf" for folder in (user, system)]
    first = next((found for path in main if (found := _read(path, tomllib.loads))), {})
    parts = [folder / "registries.conf.d" for folder in (system, user)]
    more = [path for folder in parts if os.access(folder, os.R_OK | os.X_OK) for path in sorted(folder.glob("*.conf"))]
    tables = {
        str(table.get("prefix") or table.get("location") or ""): table
        for content in (first, *(_read(path, tomllib.loads) for path in more))
        for table in _tables(content.get("registry"))
    }
    hosts = Hosts()
    for prefix, table in tables.items():
        if registry := _host(prefix):
            hosts |= _of_table(registry, table)
    return hosts


def _of_table(registry: str, table: Mapping[str, Any]) -> Hosts:
    mirrors, insecure = [], {registry} if table.get("insecure") is True else set()
    for mirror in _tables(table.get("mirror")):
        location = str(mirror.get("location") or "").rstrip("/")
        host = _host(location.partition("/")[0])
        partly = table.get("mirror-by-digest-only") is True or mirror.get("pull-from-mirror", "all") not in ("all", "")
        if not host or partly:
            continue
        mirrors.append(location)
        if mirror.get("insecure") is True:
            insecure.add(host)
    return Hosts(insecure=frozenset(insecure), mirrors={registry: tuple(mirrors)} if mirrors else {})


def _read(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """A file of the engine; one that is absent, or not for this user to read, is empty."""
    try:
        content = parse(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except ValueError as error:  # of JSON, TOML and UTF-8
        raise ConfigError(f"{path} cannot be read: {error}", hint="correct it: registries are looked up in it") from None
    return content if isinstance(content, dict) else {}


def _texts(value: object) -> Iterable[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _tables(value: object) -> Iterable[Mapping[str, Any]]:
    return [table for table in value if isinstance(table, dict)] if isinstance(value, list) else []


def _host(text: str) -> str:
    """HOST[:PORT]; empty for anything else."""
    rest = re.sub(r"^https?://", "", text).rstrip("/")
    return scope(rest) if _HOST.fullmatch(rest) else ""


def _mirror(url: str) -> str:
    """As `Access` has it: http:// stays, https:// goes without saying."""
    host = _host(url)
    return f"http://{host}" if host and url.startswith("http://") else host
