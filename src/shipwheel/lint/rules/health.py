"""Health checks: whether there is one, whether it can run, and whether it says the truth."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipwheel.lint.context.running import beside
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.files.subjects import Compose
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.images.built import services_built
from shipwheel.lint.packages.programs import lacks_package, lacks_program, python_name
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.probes import HEAVY, REQUESTS, Asked, Probe, call_end, modules_of, probe_of, probe_of_test
from shipwheel.lint.serving.start import Start, holds_model, is_python, one_of_each, start_of
from shipwheel.lint.shell.command import SHELLS, Command

_REFERENCE = "https://docs.docker.com/reference/dockerfile/#healthcheck"

NO_HEALTHCHECK = Rule(
    key="no-healthcheck",
    severity="warning",
    title="A server without a health check",
    why="A server that hangs, or never loaded its model, looks as healthy as one that answers.",
    remedy="Add HEALTHCHECK --start-period=60s CMD with what fails unless the server answers 200, such as "
    "python -c \"import urllib.request; urllib.request.urlopen('http://localhost:8000/health')\"",
    source=_REFERENCE,
)
MISSING_BINARY = Rule(
    key="healthcheck-missing-binary",
    severity="error",
    title="The health check runs a program that the image does not have",
    why="Every check fails with `not found`: the container is called unhealthy for ever, and what waits for it never starts.",
    remedy="Ask with Python, which is there: python -c \"import urllib.request; urllib.request.urlopen('http://localhost:8000/health')\"",
    source=_REFERENCE,
    fix="automatic",
    dated="images.toml",
)
MISSING_MODULE = Rule(
    key="healthcheck-missing-module",
    severity="error",
    title="The health check imports a Python package that the image does not have",
    why="Every check fails with ModuleNotFoundError: the container is called unhealthy for ever.",
    remedy="Use urllib.request.urlopen of the standard library; it raises on a status of 400 and above",
    source="https://docs.python.org/3/library/urllib.request.html#urllib.request.urlopen",
    fix="automatic",
    dated="plain.toml",
)
IGNORES_STATUS = Rule(
    key="healthcheck-ignores-status",
    severity="error",
    title="The health check calls errors healthy",
    why="A server that answers every request with an error counts as healthy, and traffic goes on to it.",
    remedy="Let the command fail: curl -f, raise_for_status(), and no `|| true` behind it",
    source=_REFERENCE,
    fix="automatic",
)
START_PERIOD = Rule(
    key="healthcheck-start-period",
    severity="info",
    title="The health check of a model server has no start period",
    why="While the model loads, failed checks count: after three the container is unhealthy, and may be restarted for ever.",
    remedy="Add --start-period with the time that loading takes at most, such as --start-period=120s",
    source=_REFERENCE,
)
HEAVY_CHECK = Rule(
    key="healthcheck-heavy",
    severity="warning",
    title="The health check imports a framework",
    why="Each check is a process that loads libraries for seconds, takes memory beside the model and times out under load.",
    remedy="Ask the server that runs, by HTTP: urllib.request.urlopen('http://localhost:8000/health')",
    source=_REFERENCE,
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
    if start is None:
        return f"as {stage.root_image} does"
    if start.serves:
        return f"({start.server.name if start.server else start.file})"
    return f"(EXPOSE {' '.join(sorted(_exposed(stage)))})"


def _serves(file: Dockerfile, stage: Stage) -> bool:
    """Whether a stage starts a server, itself or because its image does."""
    name = stage.root_image.repository if stage.root_image else ""
    if start := start_of(file, stage):
        other = _OTHERS.search(name) or not _OTHER_PROGRAMS.isdisjoint(_start_words(stage))
        return start.serves or (_unread(start) and bool(_exposed(stage)) and not other)
    own = stage.last("ENTRYPOINT") or stage.last("CMD")
    return stage.facts.serves and not own and not _OTHERS.search(name)


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


def _probes(file: Dockerfile) -> Iterator[Probe]:
    """The health checks that count, of stages that are shipped, each once."""
    steps: dict[int, tuple[Stage, Step]] = {}
    for stage in file.shipped:
        if step := stage.last("HEALTHCHECK"):
            steps.setdefault(step.span[0], (stage, step))
    return (probe_of(file, stage, step) for stage, step in steps.values())


@MISSING_BINARY.check(Dockerfile)
def _missing_binaries(file: Dockerfile) -> Iterator[Hit]:
    for probe in _probes(file):
        for command in probe.commands:
            if command.words and lacks_program(probe.stage, command.program):
                message = f"{command.program} is not in {probe.stage.root_image}, and nothing installs it"
                yield Hit(span=command.words[0].span, message=message, fix=_asked_by_python(probe, command))
                break


_URL = re.compile(r"https?://[^\s'\"\\]+")
_QUIET = re.compile(r"-[fsSkLqI4]+|--(fail|silent|show-error|quiet|spider|no-verbose|location|tries=\d+)|-nv|-O-")
_PAIRED = ("-o", "--output", "-O", "--tries", "-t", "--retry")
_SECONDS = ("-m", "--max-time", "-T", "--timeout", "--connect-timeout")


def _asked_by_python(probe: Probe, command: Command) -> Fix | None:
    """The same question asked with urllib, where the command asks nothing but whether an address answers."""
    python = python_name(probe.stage)
    asked = _question(command)
    if not python or not asked or command.redirects or command.after == "|" or command.wrappers:
        return None
    url, seconds = asked
    code = f"import urllib.request; urllib.request.urlopen('{url}'{f', timeout={seconds}' if seconds else ''})"
    text = f'"{python}", "-c", "{code}"' if probe.json and "sh -c" not in command.inside else f'{python} -c "{code}"'
    if probe.json and "sh -c" in command.inside:
        return None
    return Fix(what="ask with Python's urllib", edits=(Edit(command.words[0].span[0], command.words[-1].span[1], text),))


def _question(command: Command) -> tuple[str, str] | None:
    """Address and timeout of a curl or wget that does nothing else."""
    url, seconds, words = "", "", iter(word.text for word in command.arguments)
    for text in words:
        if _URL.fullmatch(text) and not url:
            url = text
        elif text in _SECONDS:
            seconds = next(words, "")
        elif text.startswith(tuple(f"{name}=" for name in _SECONDS if name.startswith("--"))):
            seconds = text.partition("=")[2]
        elif text in _PAIRED:
            next(words, "")
        elif not _QUIET.fullmatch(text):
            return None
    return (url, seconds) if url and command.program in ("curl", "wget") and (not seconds or seconds.isdecimal()) else None


@MISSING_MODULE.check(Dockerfile)
def _missing_modules(file: Dockerfile) -> Iterator[Hit]:
    for probe in _probes(file):
        for name in sorted(modules_of(probe.code) & {"requests", "httpx", "aiohttp"}):
            if lacks_package(probe.stage, name):
                message = f"the health check imports {name}, which nothing installs in the image"
                yield Hit(span=probe.place, message=message, fix=_without_requests(file, probe))


_ONLY_REQUESTS = re.compile(
    r"import requests;\s*requests\.get\(\s*(?P<url>f?'[^']*'|\\?\"[^\"\\]*\\?\")\s*(?P<timeout>,\s*timeout\s*=\s*\d+)?\s*\)"
    r"(\.raise_for_status\(\))?(?=\s*;?\s*$)"
)


def _without_requests(file: Dockerfile, probe: Probe) -> Fix | None:
    if probe.word is None:
        return None
    start, end = probe.word.span
    quoted = file.source.text[start:end]
    found = _ONLY_REQUESTS.search(quoted[1:-1])
    if not found or found.start() or "\\\n" in quoted:
        return None
    text = f"import urllib.request; urllib.request.urlopen({found['url']}{found['timeout'] or ''})"
    return Fix(what="use urllib", edits=(Edit(start + 1, start + 1 + found.end(), text),))


@IGNORES_STATUS.check(Dockerfile)
def _ignored(file: Dockerfile) -> Iterator[Hit]:
    for probe in _probes(file):
        yield from _ignores(file.source.text, probe)


def _ignores(text: str, probe: Asked) -> Iterator[Hit]:
    if hit := _swallowed(probe) or _curl(text, probe) or _unchecked(text, probe):
        yield hit


def _swallowed(probe: Asked) -> Hit | None:
    """`|| true`, `|| exit 0`, `; exit 0` at the end."""
    for before, last in zip(probe.commands[-2:-1], probe.commands[-1:], strict=False):
        says = [word.text for word in last.words]
        if says in (["true"], [":"], ["exit", "0"], ["echo"]) and last.before in ("||", ";") and before.words:
            fix = Fix(what="fail with exit 1", edits=(Edit(before.span[1], last.span[1], " || exit 1"),))
            return Hit(span=last.span, message=f"`{last.before} {' '.join(says)}` makes every check succeed", fix=fix)
    return None


@IGNORES_STATUS.check(Compose)
def _ignored_in_compose(file: Compose) -> Iterator[Hit]:
    for name, service in file.services.items():
        test = service.get("healthcheck", "test")
        if test:
            yield from (
                Hit(span=test.span, message=f"{name}: {hit.message}")
                for hit in _ignores(file.source.text, probe_of_test(file, test))
            )


_FAILS = ("-f", "--fail", "--fail-with-body", "-w", "--write-out")


def _curl(text: str, probe: Asked) -> Hit | None:
    for command in probe.commands:
        web = any(word.text.startswith(("http://", "https://", "localhost", "127.0.0.1", "$")) for word in command.arguments)
        asked = {"substitution", "if"}.isdisjoint(command.inside) or "if" in command.inside
        if command.program != "curl" or not web or command.has(*_FAILS) or command.after in ("|", "|&") or not asked:
            continue
        end = command.words[0].span[1]
        quote = text[end - 1] if probe.json and text[end - 1] in "\"'" and "sh -c" not in command.inside else ""
        fix = Fix(what="add -f", edits=(Edit(end, end, f", {quote}-f{quote}" if quote else " -f"),))
        return Hit(span=command.words[0].span, message="curl without -f succeeds whatever status the server answers", fix=fix)
    return None


_CHECKED = re.compile(r"raise_for_status|\.ok\b|status|is_success|\bassert\b|\bexit\(")


def _unchecked(text: str, probe: Asked) -> Hit | None:
    """requests and httpx raise on no status by themselves."""
    call = REQUESTS.search(probe.code)
    if not call or _CHECKED.search(probe.code):
        return None
    fix = None
    if probe.word and (end := call_end(text, *probe.word.span)):
        fix = Fix(what="add raise_for_status()", edits=(Edit(end, end, ".raise_for_status()"),))
    return Hit(span=probe.place, message=f"{call[0].rstrip('(')} raises nothing when the server answers 500", fix=fix)


@START_PERIOD.check(Dockerfile)
def _no_start_period(file: Dockerfile) -> Iterator[Hit]:
    for probe in _probes(file):
        start = start_of(file, probe.stage)
        if probe.commands and start and holds_model(probe.stage, start) and not probe.step.instruction.flag("start-period"):
            yield Hit(span=probe.step.span, message="the health check counts failures while the model is still loading")


@HEAVY_CHECK.check(Dockerfile)
def _heavy(file: Dockerfile) -> Iterator[Hit]:
    for probe in _probes(file):
        if heavy := sorted({name.partition(".")[0] for name in modules_of(probe.code)} & HEAVY):
            yield Hit(span=probe.place, message=f"each health check imports {' and '.join(heavy)} anew")
