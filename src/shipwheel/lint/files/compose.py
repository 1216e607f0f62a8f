"""Compose files: services with what they extend, their images, commands, environment and volumes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import normpath

from shipwheel.lint.files.subjects import Compose, Node
from shipwheel.lint.files.yaml import items, pairs, read_yaml
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace

MAX_EXTENDS = 8
"""How many services may extend each other in a row."""

_NAMED = re.compile(r"(docker-)?compose[^/]*\.ya?ml", re.IGNORECASE)
_SERVICES = re.compile(r"^services[ \t]*:", re.MULTILINE)
_SERVICE_KEYS = frozenset({"image", "build", "extends", "command", "volumes", "ports", "environment", "deploy"})
_DEFAULT = re.compile(r"\$\{\w+:?-([^${}]*)\}")


def load_compose(source: Source, workspace: Workspace) -> Compose | None:
    """A compose file; None for any other YAML. One that is no YAML is told by its name or by its line `services:`."""
    named = _NAMED.fullmatch(source.name.rpartition("/")[2]) is not None
    if not named and not _SERVICES.search(source.text):
        return None
    documents = read_yaml(source)
    root = documents.roots[0] if documents.roots else None
    if documents.faults and root is None:
        empty = Node(value={}, span=(0, 0), key_span=(0, 0))
        return Compose(source=source, workspace=workspace, root=empty, faults=documents.faults)
    if root is None or not (named or _looks_like(root)) or not isinstance(root.value, dict):
        return None
    services = _services(root, source, workspace)
    return Compose(source=source, workspace=workspace, root=root, services=services, faults=documents.faults)


def _looks_like(root: Node) -> bool:
    """Whether `services` holds services: other programs have a key of that name."""
    if root.get("apiVersion") or root.get("kind"):
        return False
    services = [service for _, service in pairs(root.get("services"))]
    return bool(services) and all(_SERVICE_KEYS & dict(pairs(one)).keys() for one in services)


def _services(root: Node, source: Source, workspace: Workspace) -> dict[str, Node]:
    own = dict(pairs(root.get("services")))
    return {
        name: _extended(service, own, source, workspace, MAX_EXTENDS)
        for name, service in own.items()
        if isinstance(service.value, dict)
    }


def _extended(service: Node, own: dict[str, Node], source: Source, workspace: Workspace, left: int) -> Node:
    """A service with what it extends put in; `extends` stays in it where that is not known."""
    extends = service.get("extends")
    if extends is None or not left:
        return service
    name = extends.text or _text(extends.get("service"))
    file = _text(extends.get("file"))
    others, origin = own, source
    if file:
        found = workspace.read(source.path.parent / file) if "$" not in file else None
        roots = read_yaml(found).roots if found else ()
        others, origin = (dict(pairs(roots[0].get("services"))), found) if found and roots else ({}, source)
    base = others.get(name)
    if base is None:
        return service
    return _merged(_extended(base, others, origin, workspace, left - 1), service, origin is source)


def _merged(base: Node, service: Node, same: bool) -> Node:
    """The keys of both; a mapping of the base is added to, a list put before. Places in another file become the service's."""
    value = {
        key: node if same else replace(node, key_span=service.key_span) for key, node in pairs(base) if key != "depends_on"
    }
    for key, node in pairs(service):
        under = value.get(key)
        if under and isinstance(node.value, list) and isinstance(under.value, list):
            value[key] = replace(node, value=[*under.value, *node.value])
        elif under and isinstance(node.value, dict) and isinstance(under.value, dict):
            value[key] = replace(node, value={**under.value, **node.value})
        elif key != "extends":
            value[key] = node
    return replace(service, value=value)


def _text(node: Node | None) -> str:
    return node.text if node else ""


def filled(text: str) -> str:
    """A value with the defaults of its variables, `${NAME:-default}`; variables without one stay."""
    return _DEFAULT.sub(r"\1", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What a service is built from (Compose specification, "build"): its Dockerfile, context, and target in lower case."""

    service: Node
    dockerfile: Path
    context: Path
    target: str


def builds(compose: Compose) -> Iterator[Build]:
    """Of each service that is built from a folder of this machine."""
    for service in compose.services.values():
        build = service.get("build")
        if build is None:
            continue
        context = filled(build.text or _text(build.get("context"))) or "."
        if "://" in context or "$" in context:
            continue
        root = Path(normpath(compose.source.path.parent / context))
        name = filled(_text(build.get("dockerfile"))) or "Dockerfile"
        yield Build(
            service=service,
            dockerfile=Path(normpath(root / name)),
            context=root,
            target=filled(_text(build.get("target"))).lower(),
        )


def image_of(service: Node) -> str:
    """The image's name, defaults of variables put in; "" where it is only built."""
    return filled(_text(service.get("image")))


def environment(service: Node) -> tuple[tuple[str, Node], ...]:
    """Variables that a service or a container sets, each with its value's node: of a mapping, of a list of NAME=VALUE (the node
    is the whole item, its `raw` the value), or of Kubernetes' list of name and value."""
    node = service.get("environment") or service.get("env")
    return (*pairs(node), *(found for item in items(node) for found in _variable(item)))


def _variable(item: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(item.value, dict):
        name, value = item.get("name"), item.get("value")
        if name and value:
            yield name.text, value
    elif "=" in item.text:
        name_, _, text = item.text.partition("=")
        yield name_, replace(item, value=text, raw=text)


def words_of(node: Node | None) -> tuple[str, ...]:
    """A command as words: a list's items, or a text as a shell splits it."""
    if node is None:
        return ()
    if isinstance(node.value, list):
        return tuple(item.text for item in node.value)
    try:
        return tuple(shlex.split(node.text))
    except ValueError:
        return tuple(node.text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A mount of a service: `source` is a folder, a volume's name, or empty; `kind`: volume, bind, tmpfs ..."""

    source: str
    target: str
    kind: str
    node: Node


def volumes_of(service: Node) -> tuple[Volume, ...]:
    """Mounts of a service, both forms, and those of `tmpfs`."""
    mounts = [_volume(item) for item in items(service.get("volumes"))]
    tmpfs = service.get("tmpfs")
    memory = items(tmpfs) or ((tmpfs,) if tmpfs and tmpfs.text else ())
    mounts += [Volume(source="", target=item.text.partition(":")[0], kind="tmpfs", node=item) for item in memory]
    return tuple(mounts)


def _volume(item: Node) -> Volume:
    if isinstance(item.value, dict):
        source, target, kind = (_text(item.get(key)) for key in ("source", "target", "type"))
        return Volume(source=filled(source), target=filled(target), kind=kind or "volume", node=item)
    parts = filled(item.text).split(":")
    if len(parts) > 2 and re.fullmatch("[A-Za-z]", parts[0]) and parts[1].startswith(("\\", "/")):
        parts[:2] = [":".join(parts[:2])]
    source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
    kind = "bind" if source.startswith((".", "/", "~")) or "\\" in source else "volume"
    return Volume(source=source, target=target, kind=kind, node=item)
