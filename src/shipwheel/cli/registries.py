"""From the environment to the registries: docker's and podman's login files, certificates, mirrors, insecure hosts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from shipwheel.cli.engine_hosts import Hosts, of_docker, of_podman
from shipwheel.cli.home import user_home
from shipwheel.errors import UsageError
from shipwheel.registry.login_file import scope
from shipwheel.registry.logins import Logins
from shipwheel.registry.registries import Access

SYSTEM = Path("/etc")

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def access(env: Mapping[str, str], system: Path = SYSTEM) -> Access:
    """How this user reaches registries: own variables first, then what docker and podman are configured to do.

    Raises:
        UsageError: a variable has what cannot mean anything.
        ConfigError: a file of docker or podman is malformed.
    """
    home, config = _homes(env)
    own = Hosts(insecure=frozenset(_insecure(env)), mirrors=_mirrors(env))
    hosts = own | of_docker(config / "docker", system / "docker") | of_podman(env, config / "containers", system / "containers")
    folders = (config / "containers", home / ".docker", config / "docker", system / "containers", system / "docker")
    return Access(
        logins=logins(env),
        insecure=hosts.insecure,
        mirrors=hosts.mirrors,
        certificates=tuple(folder / "certs.d" for folder in folders),
    )


def logins(env: Mapping[str, str]) -> Logins:
    """What docker and podman know of this user; the first file is the one that `shipwheel login` writes.

    podman's REGISTRY_AUTH_FILE comes first, since someone set it, then docker's file, then podman's usual places.
    """
    home, config = _homes(env)
    explicit = env.get("REGISTRY_AUTH_FILE")
    docker = Path(env.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    session = env.get("XDG_RUNTIME_DIR")
    running = Path(session) / "containers" if session else Path("/run/containers") / str(os.getuid())
    podman = (running / "auth.json", config / "containers" / "auth.json")
    files = (*([Path(explicit)] if explicit else []), docker, *podman)
    return Logins(files=files, helpers=env.get("PATH", ""), text=env.get("DOCKER_AUTH_CONFIG", ""))


def registry_name(text: str) -> str:
    """HOST[:PORT] of a registry as users write it; Docker Hub is docker.io by all its names.

    Raises:
        UsageError: it is no registry; the hint has the nearest that is.
    """
    host, _, path = re.sub(r"^https?://", "", text.lower()).partition("/")
    if not _HOST.fullmatch(host) or path.strip("/") not in ("", "v1", "v2"):
        near = f": {scope(host)}" if _HOST.fullmatch(host) else ", as in ghcr.io or localhost:5000"
        raise UsageError(f"'{_shown(text)}' is not a registry", hint=f"HOST or HOST:PORT{near}")
    return scope(host)


def _insecure(env: Mapping[str, str]) -> Iterator[str]:
    for text in _listed(env, "SHIPWHEEL_INSECURE_REGISTRIES"):
        yield _checked("SHIPWHEEL_INSECURE_REGISTRIES", text, text)


def _mirrors(env: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    name = "SHIPWHEEL_REGISTRY_MIRRORS"
    for text in _listed(env, name):
        registry, equals, mirror = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"{name} has '{_shown(text)}'", hint="REGISTRY=MIRROR, as in docker.io=https://mirror.example.com")
        plain = "http://" if mirror.lower().startswith("http://") else ""
        host, _, path = re.sub(r"^https?://", "", mirror).partition("/")
        place = "/".join(filter(None, (_checked(name, host, text), path.strip("/"))))
        registry = _checked(name, registry, text)
        found[registry] = (*found.get(registry, ()), plain + place)
    return found


def _listed(env: Mapping[str, str], name: str) -> list[str]:
    return [text.strip() for text in env.get(name, "").split(",") if text.strip()]


def _checked(name: str, host: str, text: str) -> str:
    try:
        return registry_name(host)
    except UsageError as error:
        raise UsageError(f"{name} has '{_shown(text)}': {error.message}", hint=error.hint) from None


def _shown(text: str) -> str:
    """Without the user and password that someone wrote before a host."""
    return text.rpartition("@")[2]


def _homes(env: Mapping[str, str]) -> tuple[Path, Path]:
    """The user's folder, and that of the user's settings."""
    home = user_home(env)
    return home, Path(env.get("XDG_CONFIG_HOME") or home / ".config")
