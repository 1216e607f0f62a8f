"""Where a server listens, and what EXPOSE and HEALTHCHECK say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.files.subjects import Compose
from shipwheel.lint.finding import Edit, Fix, Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.composed import started
from shipwheel.lint.serving.probes import probe_of
from shipwheel.lint.serving.start import Start, is_local, starts
from shipwheel.lint.source import Source
from shipwheel.lint.wording import listed

EXPOSE_MISMATCH = Rule(
    key="expose-mismatch",
    severity="warning",
    title="EXPOSE, the command and the health check name different ports",
    why="Whoever publishes the port that EXPOSE names, or trusts the health check, talks to a port on which nothing listens.",
    remedy="Write the same port in EXPOSE, in the command and in HEALTHCHECK",
    source="https://docs.docker.com/reference/dockerfile/#expose",
    dated="servers.toml",
)
BIND_LOCALHOST = Rule(
    key="bind-localhost",
    severity="error",
    title="The server listens inside the container alone",
    why="127.0.0.1 is the container's own loopback: no published port and no other container reaches the server.",
    remedy="Bind all addresses: --host 0.0.0.0",
    source="https://docs.docker.com/engine/network/#published-ports",
    fix="automatic",
    dated="servers.toml",
)

_ASKED = re.compile(r"\b(?:https?://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d+)")
_SEVERAL = frozenset({"tritonserver", "torchserve", "tensorflow_model_server", "mlserver"})
"""Servers that listen on several ports."""


@EXPOSE_MISMATCH.check(Dockerfile)
def _mismatches(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    for stage, start in starts(file):
        for step, message in _mismatch(file, stage, start):
            if step.span[0] not in seen:
                seen.add(step.span[0])
                yield Hit(span=step.span, message=message)


def _mismatch(file: Dockerfile, stage: Stage, start: Start) -> Iterator[tuple[Step, str]]:
    exposed = [step for step in stage.all_steps if step.keyword == "EXPOSE"]
    ports = _exposed(exposed)
    several = start.server is not None and start.server.name in _SEVERAL
    port = start.port.value if start.port and not several and not _proxied(stage) else ""
    if exposed and ports is not None and port and not _holds(ports, port):
        yield exposed[-1], f"EXPOSE names {listed(map(_shown, ports))}, and {_name(start)} listens on {port}"
    check = stage.last("HEALTHCHECK")
    asked = _ASKED.findall(" ".join(_texts(file, stage, check))) if check else []
    if not check or len(set(asked)) != 1:
        return
    if port and asked[0] != port:
        yield check, f"the health check asks port {asked[0]}, and {_name(start)} listens on {port}"
    elif not port and ports and not _holds(ports, asked[0]):
        yield check, f"the health check asks port {asked[0]}, and EXPOSE names {listed(map(_shown, ports))}"


def _name(start: Start) -> str:
    return start.server.name if start.server else start.file or start.program


def _exposed(steps: list[Step]) -> list[range] | None:
    """The TCP ports that are exposed; None where one is not known."""
    found: list[range] = []
    for word in (word for step in steps for word in step.words):
        ports, _, protocol = word.text.partition("/")
        first, _, last = ports.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return None
        if protocol.lower() in ("", "tcp"):
            found.append(range(int(first), int(last or first) + 1))
    return found


def _shown(ports: range) -> str:
    return str(ports.start) if len(ports) == 1 else f"{ports.start}-{ports.stop - 1}"


def _holds(ports: list[range], port: str) -> bool:
    return any(int(port) in one for one in ports)


def _texts(file: Dockerfile, stage: Stage, check: Step) -> list[str]:
    probe = probe_of(file, stage, check)
    return [word.text for command in probe.commands for word in command.words] + ([probe.code] if probe.code else [])


def _proxied(stage: Stage) -> bool:
    """Whether another server in the image may stand before it."""
    texts = (step.instruction.body.text for step in stage.all_steps if step.keyword in ("RUN", "COPY", "CMD", "ENTRYPOINT"))
    return any(
        re.search(r"nginx|caddy|haproxy|traefik|envoy|supervisor|apache2|cloudflared|ngrok|socat", text) for text in texts
    )


@BIND_LOCALHOST.check(Dockerfile)
def _local(file: Dockerfile) -> Iterator[Hit]:
    seen: set[int] = set()
    for stage, start in starts(file):
        host = start.host
        if host is None or not is_local(host.value) or _proxied(stage) or start.span[0] in seen:
            continue
        seen.add(start.span[0])
        if host.word or (start.server and not _appends(start)):
            yield _spoken(file.source, start, host.value)
        elif start.python and start.python.launch:
            launch = start.python.launch
            call = f"{start.file}, line {launch.line}, "
            said = f"binds {host.value}" if launch.given else f"gives no address, and {launch.library}'s is {host.value}"
            remedy = (
                f'Give {"server_name" if launch.library == "gradio" else "host"}="0.0.0.0" in {start.file}, line {launch.line}'
            )
            yield Hit(span=start.span, message=call + said, remedy=remedy)


@BIND_LOCALHOST.check(Compose)
def _local_services(file: Compose) -> Iterator[Hit]:
    for name, service, start in started(file):
        host = start.host
        if host and host.word and is_local(host.value) and service.get("ports") and not service.get("network_mode"):
            message = f"{name} publishes ports, and {start.program} binds {host.value}"
            yield Hit(span=host.word.span, message=message)


def _appends(start: Start) -> bool:
    """Whether an entrypoint stands before CMD that may add an address of its own."""
    step = start.entrypoint
    return bool(step and step is not start.step and step.words and step.words[0].text.endswith((".sh", "entrypoint", ".py")))


def _spoken(source: Source, start: Start, host: str) -> Hit:
    """The address that a command line gives, or leaves to the default."""
    assert start.server
    assert start.host
    word, name = start.host.word, start.server.name
    if word:
        return Hit(span=start.place(word), message=f"{name} binds {host}", fix=_rebound(source, start, host))
    option = (start.server.hosts or start.server.binds)[0]
    message = f"{name} gets no {option}, and binds {host} by default"
    remedy = f"Add {option} {_all(start)}"
    return Hit(span=start.place(start.words[0]), message=message, remedy=remedy, fix=_bound(source, start, option))


def _all(start: Start) -> str:
    assert start.server
    port = start.port.value if start.port else str(start.server.port)
    return "0.0.0.0" if start.server.hosts else f"0.0.0.0:{port}"


def _rebound(source: Source, start: Start, host: str) -> Fix | None:
    word = start.host.word if start.host else None
    if not word or not start.here:
        return None
    at = source.text.find(host, *word.span)
    if at < 0 or source.text.count(host, *word.span) > 1:
        return None
    return Fix(what="bind 0.0.0.0", edits=(Edit(at, at + len(host), "0.0.0.0"),))


def _bound(source: Source, start: Start, option: str) -> Fix | None:
    """The option at the end of the command line."""
    if not start.here or start.step is None:
        return None
    at = start.words[-1].span[1]
    inside_text = "sh -c" in start.command.inside
    if start.step.instruction.json and not inside_text:
        if source.text[at - 1 : at] != '"':
            return None
        return Fix(what=f"add {option}", edits=(Edit(at, at, f', "{option}", "{_all(start)}"'),))
    return Fix(what=f"add {option}", edits=(Edit(at, at, f" {option} {_all(start)}"),))
