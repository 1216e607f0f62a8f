"""Commands of health checks: whether they can run in the image, and whether they say the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.compose import image_of
from shipwheel.lint.files.subjects import Compose
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.images.names import facts_of, parse_image
from shipwheel.lint.packages.programs import lacks_package, lacks_program, python_name
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.probes import HEALTHCHECK, REQUESTS, Asked, Probe, call_end, modules_of, probes, probes_of_services
from shipwheel.lint.serving.services import stage_of
from shipwheel.lint.shell.command import Command

MISSING_BINARY = Rule(
    key="healthcheck-missing-binary",
    severity="error",
    title="The health check runs a program that the image does not have",
    why="Every check fails with `not found`: the container is called unhealthy for ever, and what waits for it never starts.",
    remedy="Ask with Python, which is there: python -c \"import urllib.request; urllib.request.urlopen('http://localhost:8000/health')\"",
    source=HEALTHCHECK,
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
    source=HEALTHCHECK,
    fix="automatic",
)


@MISSING_BINARY.check(Dockerfile)
def _missing_binaries(file: Dockerfile) -> Iterator[Hit]:
    for probe in probes(file):
        for command in probe.commands:
            if command.words and lacks_program(probe.stage, command.program):
                message = f"{command.program} is not in {probe.stage.root_image}, and nothing installs it"
                yield Hit(span=command.words[0].span, message=message, fix=_asked_by_python(probe, command))
                break


@MISSING_BINARY.check(Compose)
def _missing_binaries_in_compose(file: Compose) -> Iterator[Hit]:
    for name, service, probe in probes_of_services(file):
        stage, image = stage_of(file, service), parse_image(image_of(service))
        for command in probe.commands:
            if stage is not None:
                lacks = lacks_program(stage, command.program)
            else:
                lacks = not service.get("build") and command.program in facts_of(image).lacks
            if command.words and lacks:
                where = f"{stage.root_image}, and nothing installs it" if stage else image
                yield Hit(span=command.words[0].span, message=f"{name}: {command.program} is not in {where}")
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


_CLIENTS = frozenset({"requests", "httpx", "aiohttp"})


@MISSING_MODULE.check(Dockerfile)
def _missing_modules(file: Dockerfile) -> Iterator[Hit]:
    for probe in probes(file):
        for name in sorted(modules_of(probe.code) & _CLIENTS):
            if lacks_package(probe.stage, name):
                message = f"the health check imports {name}, which nothing installs in the image"
                yield Hit(span=probe.place, message=message, fix=_without_requests(file, probe))


@MISSING_MODULE.check(Compose)
def _missing_modules_in_compose(file: Compose) -> Iterator[Hit]:
    for name, service, probe in probes_of_services(file):
        stage = stage_of(file, service)
        for module in sorted(modules_of(probe.code) & _CLIENTS) if stage else ():
            if stage and lacks_package(stage, module):
                message = f"{name}: the health check imports {module}, which nothing installs in the image"
                yield Hit(span=probe.place, message=message)


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
    for probe in probes(file):
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
    for name, _, probe in probes_of_services(file):
        yield from (Hit(span=probe.span, message=f"{name}: {hit.message}") for hit in _ignores(file.source.text, probe))


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
