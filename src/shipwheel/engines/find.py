"""Which engine: the one that was asked for, else the first that answers of docker, podman, runc."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shipwheel.engines.engine import Container, Engine
from shipwheel.errors import EngineAbsentError, EngineError, UsageError

KINDS = ("docker", "podman", "runc")
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What engines need to know of the caller: the folder for runc's state, and the environment that leads to the others."""

    home: Path
    environment: Mapping[str, str]


@contextmanager
def find_engine(kind: str | None, where: Surroundings) -> Iterator[Engine]:
    """The engine `kind`, or the first that answers, for as long as the block lasts.

    Raises:
        EngineAbsentError: it, or none of them, answers; says what was tried.
    """
    with ExitStack() as stack:
        yield stack.enter_context(_open(kind, where)) if kind else _first(where, stack)


@contextmanager
def find_container(name: str, kind: str | None, where: Surroundings) -> Iterator[Container]:
    """The container `name` that Shipwheel started, in whichever engine it runs.

    Raises:
        EngineError: there is none.
    """
    for each in (kind,) if kind else KINDS:
        with ExitStack() as stack:
            try:
                engine = stack.enter_context(_open(each, where))
            except EngineAbsentError:
                if kind:
                    raise
                continue
            found = next((container for container in engine.containers() if container.name == name), None)
            if found:
                yield found
                return
    raise EngineError(f"no container is named '{name}'", hint="'shipwheel ps --all' lists those that Shipwheel started")


@contextmanager
def present_engines(kind: str | None, where: Surroundings) -> Iterator[list[Engine]]:
    """All engines that answer, or just `kind`.

    Raises:
        EngineAbsentError: `kind` does not answer.
    """
    with ExitStack() as stack:
        if kind:
            yield [stack.enter_context(_open(kind, where))]
            return
        engines: list[Engine] = []
        for each in KINDS:
            try:
                engines.append(stack.enter_context(_open(each, where)))
            except EngineAbsentError:
                continue
        yield engines


def _first(where: Surroundings, stack: ExitStack) -> Engine:
    faults = []
    for kind in KINDS:
        try:
            return stack.enter_context(_open(kind, where))
        except EngineAbsentError as error:
            faults.append(f"  {error.message}")
    raise EngineAbsentError(
        "\n".join(["no engine to run images with:", *faults]),
        hint="install Docker, Podman, or just runc, which needs no service",
    )


@contextmanager
def _open(kind: str, where: Surroundings) -> Iterator[Engine]:
    if kind == "runc":
        from shipwheel.engines.runc.engine import runc_engine

        yield runc_engine(where.home, where.environment)
    elif kind in KINDS:
        from shipwheel.engines.docker import docker_engine

        with docker_engine(kind, where.environment) as engine:
            yield engine
    else:
        raise UsageError(f"'{kind}' is not an engine", hint=f"choose one of {', '.join(KINDS)}")
