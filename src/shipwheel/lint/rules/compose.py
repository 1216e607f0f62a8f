"""Compose files: GPUs, memory, what waits for what, and where databases keep their data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shipwheel.lint.dockerfile.instructions import Fault
from shipwheel.lint.files.compose import environment, image_of, volumes_of
from shipwheel.lint.files.subjects import Compose, Manifest, Node, Workflow
from shipwheel.lint.files.yaml import items, pairs
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.images.databases import Database, database_of
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.services import command_of, has_room, is_whole, shares_memory
from shipwheel.lint.source import Source
from shipwheel.lint.wording import listed

YAML_SYNTAX = Rule(
    key="yaml-syntax",
    severity="error",
    title="The file is no YAML",
    why="What reads the file stops here, or drops what stands twice.",
    remedy="Mend the line; the reason may stand a little above it",
    source="https://yaml.org/spec/1.2.2/",
)

COMPOSE_VERSION_KEY = Rule(
    key="compose-version-key",
    severity="info",
    title="The key `version` is obsolete",
    why="Compose ignores it and warns each time; it says nothing of the file's format any more.",
    remedy="Remove the line",
    source="https://docs.docker.com/reference/compose-file/version-and-name/",
    fix="automatic",
)

DEPENDS_WITHOUT_HEALTH = Rule(
    key="depends-without-health",
    severity="warning",
    title="A service waits for a start, not for health",
    why="depends_on waits until a container runs, not until what is in it answers: the first connections fail.",
    remedy="Give the database a healthcheck and write `condition: service_healthy`",
    source="https://docs.docker.com/compose/how-tos/startup-order/",
)

SHM_MISSING = Rule(
    key="shm-missing",
    severity="warning",
    title="torch has 64 MB of shared memory",
    why="Workers of a DataLoader and NCCL pass tensors through /dev/shm; 64 MB end in bus errors amid training.",
    remedy="Add `shm_size: 8gb` to the service (or `ipc: host`)",
    source="https://github.com/pytorch/pytorch#docker-image",
)

NO_LIMITS = Rule(
    key="no-limits",
    severity="info",
    title="A service may take all memory",
    why="Without a limit one service that grows takes the memory of all others, and the kernel chooses whom to end.",
    remedy="Set `deploy.resources.limits.memory` (or `mem_limit`)",
    source="https://docs.docker.com/reference/compose-file/deploy/#resources",
)

DB_PATH_OUTSIDE_VOLUME = Rule(
    key="db-path-outside-volume",
    severity="warning",
    title="A database keeps its data in the container",
    why="What lies in the container's own layer, or in a volume without a name, is left behind when the container is removed.",
    remedy="Mount a named volume where the data lies",
    source="https://docs.docker.com/engine/storage/volumes/",
    dated="databases.toml",
)

_STACK = re.compile(r"stack|swarm", re.IGNORECASE)
_TESTS = re.compile(r"(?:^|[/._-])(?:tests?|ci|e2e)(?:[/._-]|$)", re.IGNORECASE)
_WAITS = re.compile(r"wait[-_]?for|wait4|dockerize|wait_for|pg_isready|until |nc -z")
_LATER = re.compile(
    r"adminer|pgadmin|phpmyadmin|mongo-express|redis-?(?:commander|insight)|attu|grafana|kafka-ui|kibana"
    r"|prom/|prometheus|nginx|traefik|caddy|haproxy|logstash|beats/|wordpress|yourls"
)
"""What connects only when somebody asks it, and tries again the next time."""
_TRACKING = re.compile(r"\bmlflow (?:server|ui)\b")
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(/?[^?]*)")


@YAML_SYNTAX.check(Compose)
def compose_syntax(compose: Compose) -> Iterator[Hit]:
    """A compose file that is no YAML."""
    return _faults(compose.faults)


@YAML_SYNTAX.check(Manifest)
def manifest_syntax(manifest: Manifest) -> Iterator[Hit]:
    """A manifest that is no YAML."""
    return _faults(manifest.faults)


@YAML_SYNTAX.check(Workflow)
def workflow_syntax(workflow: Workflow) -> Iterator[Hit]:
    """A workflow that is no YAML."""
    return _faults(workflow.faults)


def _faults(faults: Iterable[Fault]) -> Iterator[Hit]:
    return (Hit(span=fault.span, message=fault.message) for fault in faults)


@COMPOSE_VERSION_KEY.check(Compose)
def compose_version_key(compose: Compose) -> Iterator[Hit]:
    """`version:` at the top; files for `docker stack deploy` may need it."""
    version = compose.root.get("version")
    if version and compose.services and not _STACK.search(compose.source.name):
        hit = f"version: {version.text} is ignored"
        yield Hit(span=(version.key_span[0], version.span[1]), message=hit, fix=_without_line(compose.source, version))


def _without_line(source: Source, node: Node) -> Fix | None:
    """Remove the line of a key; with it an empty line that would then stand at the top or be the second in a row."""
    start = source.text.rfind("\n", 0, node.key_span[0]) + 1
    end = source.text.find("\n", node.span[1]) + 1 or len(source.text)
    if source.text[node.span[1] : end].strip() or source.text[start : node.key_span[0]].strip("\ufeff"):
        return None
    start = node.key_span[0]
    blank = re.compile(r"[ \t]*\r?\n").match(source.text, end)
    if blank and (not source.text[:start].strip("\ufeff") or source.text[:start].endswith(("\n\n", "\n\r\n"))):
        end = blank.end()
    return Fix(what="remove the line", edits=(Edit(start, end, ""),))


@DEPENDS_WITHOUT_HEALTH.check(Compose)
def depends_without_health(compose: Compose) -> Iterator[Hit]:
    """A service is started as soon as a database, queue or model server is started."""
    for service in compose.services.values():
        depends = service.get("depends_on")
        if depends is None or _WAITS.search(" ".join(command_of(service))) or _LATER.search(image_of(service)):
            continue
        early = [name for name, condition in _conditions(depends) if _answers_late(compose, name, condition)]
        healthless = [name for name, condition in _conditions(depends) if _has_no_health(compose, name, condition)]
        if early:
            message = f"depends_on waits only for the start of {listed(early)}"
            yield Hit(span=depends.key_span, message=message, remedy=_remedy(compose, early[0]))
        if healthless:
            message = f"service_healthy is asked of {listed(healthless)}, without a healthcheck there: Compose refuses to start"
            yield Hit(span=depends.key_span, message=message, remedy=_remedy(compose, healthless[0]))


def _conditions(depends: Node) -> Iterator[tuple[str, str]]:
    """Services that one depends on, each with its condition; "service_started" in the list form."""
    yield from ((item.text, "service_started") for item in items(depends) if item.text)
    for name, node in pairs(depends):
        condition = node.get("condition")
        yield name, condition.text if condition else "service_started"


def _answers_late(compose: Compose, name: str, condition: str) -> bool:
    other = compose.services.get(name)
    if other is None or condition != "service_started":
        return False
    return _database(other) is not None or _checked(other) or bool(_TRACKING.search(" ".join(command_of(other))))


def _has_no_health(compose: Compose, name: str, condition: str) -> bool:
    """Whether Compose will say that the dependency has no healthcheck."""
    other = compose.services.get(name)
    if other is None or condition != "service_healthy":
        return False
    database = _database(other)
    bare = database is not None and database.bare and not other.get("build")
    return not _checked(other) and (bare or other.get("healthcheck") is not None)


def _checked(service: Node) -> bool:
    """Whether the file gives it a healthcheck that is not switched off."""
    disabled = service.get("healthcheck", "disable")
    return service.get("healthcheck") is not None and not (disabled and disabled.value is True)


def _database(service: Node) -> Database | None:
    return database_of(parse_image(image_of(service)))


def _remedy(compose: Compose, name: str) -> str:
    service = compose.services[name]
    database = _database(service)
    check = f", and in {name} a healthcheck such as `test: {database.test}`" if database and not _checked(service) else ""
    return f"Write `{name}: {{condition: service_healthy}}`{check}"


@SHM_MISSING.check(Compose)
def shm_missing(compose: Compose) -> Iterator[Hit]:
    """A service trains, or has torch and GPUs, with the shared memory of every container."""
    for name, service in compose.services.items():
        if is_whole(service) and not has_room(service) and shares_memory(compose, service):
            yield Hit(span=service.key_span, message=f"{name} has the 64 MB of /dev/shm that every container has")


@NO_LIMITS.check(Compose)
def no_limits(compose: Compose) -> Iterator[Hit]:
    """Services without a limit of memory, all of a file at the first one."""
    free = [
        (name, service)
        for name, service in compose.services.items()
        if is_whole(service) and not (service.get("deploy", "resources", "limits", "memory") or service.get("mem_limit"))
    ]
    if free:
        message = f"{listed([name for name, _ in free])} {'has' if len(free) == 1 else 'have'} no memory limit"
        yield Hit(span=free[0][1].key_span, message=message)


@DB_PATH_OUTSIDE_VOLUME.check(Compose)
def db_path_outside_volume(compose: Compose) -> Iterator[Hit]:
    """No volume holds the folder where a database writes; not said of files for tests."""
    if _TESTS.search(compose.source.name):
        return
    for name, service in compose.services.items():
        volumes = volumes_of(service)
        if not is_whole(service) or service.get("volumes_from") or any("$" in volume.target for volume in volumes):
            continue
        paths = _data_paths(service)
        if paths and not any(_holds(volume.target, path, _database(service)) for volume in volumes for path in paths):
            yield _outside(name, service, paths)


def _outside(name: str, service: Node, paths: tuple[str, ...]) -> Hit:
    """What is wrong: no volume, or one at another folder."""
    volumes = service.get("volumes")
    targets = [volume.target for volume in volumes_of(service) if volume.kind == "volume"]
    where = f"; its volume is mounted at {targets[0]}" if targets else ""
    place = paths[0] if paths[0].startswith("/") else f"/data, and write to /data/{paths[0]}"
    remedy = f"Mount a named volume: `- {name}-data:{place}`" if place == paths[0] else f"Mount a named volume at {place}"
    span = volumes.key_span if volumes and targets else service.key_span
    return Hit(span=span, message=f"{name} keeps its data in {paths[0]}, which no named volume holds{where}", remedy=remedy)


def _data_paths(service: Node) -> tuple[str, ...]:
    """Folders of which one must be in a volume; none where that is not known."""
    words = command_of(service)
    database = _database(service)
    tracking = _tracking_folder(service, words)
    if tracking:
        return (tracking,)
    if database is None or not database.keeps(words):
        return ()
    moved = dict(environment(service)).get(database.setting) if database.setting else None
    if moved:
        return (moved.text,) if moved.text.startswith("/") else ()
    told = _argument(words, database.argument_after) if database.argument_after else None
    if told is not None:
        return (told,) if told.startswith("/") else ()
    return database.paths


def _argument(words: tuple[str, ...], name: str) -> str | None:
    """What stands behind a word, or behind it and =."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _tracking_folder(service: Node, words: tuple[str, ...]) -> str:
    """Where MLflow keeps its runs on disk: the folder of SQLite's file, mlruns by default; "" where that is not known.

    A path that begins in the working folder is told only where no volume at all is mounted.
    """
    settings = dict(environment(service))
    uris = [*words, *(settings[name].text for name in ("MLFLOW_BACKEND_STORE_URI", "BACKEND_STORE_URI") if name in settings)]
    text = " ".join(words)
    if "mlflow" not in f"{image_of(service)} {text}" or "$" in text:
        return ""
    found = next(filter(None, map(_SQLITE.search, uris)), None)
    alone = not service.get("volumes")
    if found:
        folder = found[1].rpartition("/")[0]
        return folder if folder.startswith("/") else found[1] * alone
    return "mlruns" if _TRACKING.search(text) and alone and "store-uri" not in text and len(uris) == len(words) else ""


def _holds(target: str, path: str, database: Database | None) -> bool:
    """Whether a mount holds a folder; one below it may, unless the folder is new with a version."""
    folder, path = f"{target.rstrip('/')}/", f"{path.rstrip('/')}/"
    below = folder.startswith(path) and not (database and database.since)
    return path.startswith(folder) or below
