"""Health checks: whether there is one, whether it waits for the model, and what it costs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipwheel.lint.context.running import beside
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.built import services_built
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.probes import HEALTHCHECK, HEAVY, modules_of, probes
from shipwheel.lint.serving.start import Start, holds_model, is_python, one_of_each, start_of
from shipwheel.lint.shell.command import SHELLS

NO_HEALTHCHECK = Rule(
    key="no-healthcheck",
    severity="warning",
    title="A server without a health check",
    why="A server that hangs, or never loaded its model, looks as healthy as one that answers.",
    remedy="Add HEALTHCHECK --start-period=60s CMD with what fails unless the server answers 200, such as "
    "python -c \"import urllib.request; urllib.request.urlopen('http://localhost:8000/health')\"",
    source=HEALTHCHECK,
)
START_PERIOD = Rule(
    key="healthcheck-start-period",
    severity="info",
    title="The health check of a model server has no start period",
    why="While the model loads, failed checks count: after three the container is unhealthy, and may be restarted for ever.",
    remedy="Add --start-period with the time that loading takes at most, such as --start-period=120s",
    source=HEALTHCHECK,
)
HEAVY_CHECK = Rule(
    key="healthcheck-heavy",
    severity="warning",
    title="The health check imports a framework",
    why="Each check is a process that loads libraries for seconds, takes memory beside the model and times out under load.",
    remedy="Ask the server that runs, by HTTP: urllib.request.urlopen('http://localhost:8000/health')",
    source=HEALTHCHECK,
)


@NO_HEALTHCHECK.check(Dockerfile)
def _servers_without(file: Dockerfile) -> Iterator[Hit]:
    composed = any(service.get("healthcheck") for service in services_built(file))
    shipped = [] if composed else [stage for stage in file.shipped if not beside(file, stage)]
    found = [stage for stage in shipped if _serves(file, stage) and not _checked(stage)]
    for stage in one_of_each(found):
        yield Hit(span=stage.span, message=f"the image serves {_served(file, stage)}, and nothing checks that it answers")


def _served(file: Dockerfile, stage: Stage) -> str:
    start = start_of(file, stage)
    if start is None or _only_options(stage):
        return f"as {stage.root_image} does"
    if start.serves:
        return f"({start.server.name if start.server else start.file})"
    return f"(EXPOSE {' '.join(sorted(_exposed(stage)))})" if _exposed(stage) else f"({_called(start)})"


def _serves(file: Dockerfile, stage: Stage) -> bool:
    """Whether a stage starts a server, itself or because its image does."""
    name = stage.root_image.repository if stage.root_image else ""
    start = start_of(file, stage)
    if start and not _only_options(stage):
        other = _OTHERS.search(name) or not _OTHER_PROGRAMS.isdisjoint(_start_words(stage))
        answers = bool(_exposed(stage)) or (_SERVER.search(_called(start)) and not _ASKED_INSIDE.search(_called(start)))
        return start.serves or bool(_unread(start) and answers and not other)
    own = stage.last("ENTRYPOINT") or (stage.last("CMD") and not _only_options(stage))
    return stage.facts.serves and not own and not _OTHERS.search(name)


def _only_options(stage: Stage) -> bool:
    """Whether CMD holds nothing but options, which go to the ENTRYPOINT of the base."""
    cmd = stage.last("CMD")
    return bool(cmd and cmd.words and cmd.words[0].text.startswith("-") and not stage.last("ENTRYPOINT"))


_ASIDE = frozenset({"22", "5678", "6006", "8888"})
"""Ports of sshd, debugpy, TensorBoard and Jupyter, which stand beside the work of an image."""
_IDLE = frozenset({"sleep", "tail", "cat", "echo", "pytest", "unittest", "tox", "nox"})
"""Programs that answer nothing, tests among them."""


def _exposed(stage: Stage) -> set[str]:
    """The ports that EXPOSE names, but for those of tools."""
    words = (word.text for step in stage.all_steps if step.keyword == "EXPOSE" for word in step.words)
    return {port for word in words if (port := word.partition("/")[0]) not in _ASIDE}


def _unread(start: Start) -> bool:
    """Whether it runs a program of its own that is not here to be read."""
    interpreter = start.program in SHELLS or is_python(start.program)
    named = not interpreter or any(not word.text.startswith("-") for word in start.arguments)
    return named and not start.file and start.program not in _IDLE


_SERVER = re.compile(r"(?:^|[._/-])(?:api)?server?(?:\.py|\.sh)?$", re.IGNORECASE)
_ASKED_INSIDE = re.compile(r"mcp|lsp|language", re.IGNORECASE)
"""Servers that answer on their standard output."""


def _called(start: Start) -> str:
    """What it runs by its name: the file or module behind an interpreter, else the program."""
    interpreted = start.program in SHELLS or is_python(start.program)
    words = start.arguments if interpreted else start.words[:1]
    return next((word.text for word in words if not word.text.startswith("-")), "")


_OTHERS = re.compile(
    r"^(nginx|httpd|caddy|traefik|haproxy|postgres|mysql|mariadb|mongo|redis|rabbitmq|registry|memcached)|/postgres"
)
"""Proxies and databases: their images come without a check on purpose."""
_OTHER_PROGRAMS = frozenset(
    (
        "nginx",
        "httpd",
        "httpd-foreground",
        "apache2-foreground",
        "caddy",
        "traefik",
        "haproxy",
        "postgres",
        "mysqld",
        "mariadbd",
        "mongod",
        "redis-server",
        "valkey-server",
        "rabbitmq-server",
        "memcached",
    )
)
"""The same, as images of them are made."""


def _start_words(stage: Stage) -> set[str]:
    steps = (stage.last("ENTRYPOINT"), stage.last("CMD"))
    return {posixpath.basename(word.text) for step in steps if step for word in step.words}


def _checked(stage: Stage) -> bool:
    return stage.last("HEALTHCHECK") is not None or _has_check(stage)


def _has_check(stage: Stage) -> bool:
    """Whether its base brings a health check: Jupyter's images do (jupyter/docker-stacks, images/base-notebook/Dockerfile)."""
    return bool(stage.root_image and re.match(r"(quay\.io/)?jupyter/", stage.root_image.repository))


@START_PERIOD.check(Dockerfile)
def _no_start_period(file: Dockerfile) -> Iterator[Hit]:
    for probe in probes(file):
        start = start_of(file, probe.stage)
        if probe.commands and start and holds_model(probe.stage, start) and not probe.step.instruction.flag("start-period"):
            yield Hit(span=probe.step.span, message="the health check counts failures while the model is still loading")


@HEAVY_CHECK.check(Dockerfile)
def _heavy(file: Dockerfile) -> Iterator[Hit]:
    for probe in probes(file):
        if heavy := sorted({name.partition(".")[0] for name in modules_of(probe.code)} & HEAVY):
            yield Hit(span=probe.place, message=f"each health check imports {' and '.join(heavy)} anew")
