"""Waiting for a started container: until it answers, or until it is clear that it will not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shipwheel.engines.death import LAST_LINES, died
from shipwheel.engines.engine import Container, State
from shipwheel.errors import ContainerError

ANSWER_WITHIN = 600.0
"""Seconds: a large model loads for minutes; one that takes longer is stuck more often than slow."""

SETTLE = 1.0
"""Seconds that a container without a port must run to count as started."""

POLL_FROM, POLL_TO = 0.02, 0.5
"""Seconds between looks: short at first, for services that start in a moment."""

_PIECES = 64
"""Pieces of 64 KiB read of an answer that nobody looks at: more is a download, and may be broken off."""

_REQUEST = b"GET / HTTP/1.0\r\nHost: localhost\r\nUser-Agent: shipwheel\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the service should answer, seen from here."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def addresses(state: State) -> tuple[Address, ...]:
    """Of the published ports."""
    everywhere = ("", "0.0.0.0", "::")
    return tuple(
        Address(host=state.host if port.ip in everywhere else port.ip, port=port.host) for port in state.ports if port.host
    )


def answers(where: Address) -> bool:
    """Whether something there speaks HTTP; the status does not matter, a bare TCP connection is not enough.

    Engines' proxies accept before the container listens and then hang up: only a response counts.
    """
    try:
        with socket.create_connection((where.host, where.port), timeout=2) as connection:
            connection.sendall(_REQUEST)
            answered = connection.recv(5, socket.MSG_WAITALL) == b"HTTP/"
            _read_out(connection)
            return answered
    except OSError:
        return False


Look = Callable[[Address], bool | None]
"""Whether a service is there; None: not yet, but it is getting on, so the time begins anew."""


def wait_until_answers(
    container: Container, where: tuple[Address, ...], within: float = ANSWER_WITHIN, look: Look = answers
) -> State:
    """Return when `look` sees the service at the first address; with none, when the container has run a second or ended well.

    Raises:
        ContainerError: it died, or did not answer in time, or `look` saw that it never will.
    """
    deadline = time.monotonic() + (within if where else SETTLE)
    pause = POLL_FROM
    while True:
        seen = look(where[0]) if where else False
        if seen:
            return container.state()
        if seen is None:
            deadline = time.monotonic() + within
        state = container.state()
        if not state.running:
            return _ended(container, state, waiting=bool(where))
        if time.monotonic() > deadline:
            if not where:
                return state
            raise _silent(container, where[0], within)
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_TO)


class Readiness:
    """Looks at `/ready` of a service of the runtime, and tells `say` what a person should know once it is ready."""

    def __init__(self, name: str, say: Callable[[str], object]) -> None:
        """`name` is the container's, for the error."""
        self._name = name
        self._say = say
        self._state = ""

    def __call__(self, where: Address) -> bool | None:
        """Whether it is ready; None while its model is downloaded, however long that takes.

        Raises:
            ContainerError: it never will be, and the message says why.
        """
        status, told = _ask_ready(where)
        before, self._state = self._state, str(told.get("state") or "")
        if status not in (0, 200, 503):  # something else serves there: any answer is one
            return True
        if status == 200:
            for note in told.get("notes") or ():
                self._say(str(note))
            return True
        if self._state == "failed":
            reasons = [str(each) for each in told.get("reasons") or ()] or ["it gave no reason"]
            raise ContainerError(
                "\n".join([f"container '{self._name}' will not be ready", *(f"  {each}" for each in reasons)]),
                hint="mend what is named and build again; shipwheel.lock pins the versions",
            )
        if self._state == "downloading":
            if before != self._state:
                self._say("downloading the model")
            return None
        return False


def _ask_ready(where: Address) -> tuple[int, Mapping[str, Any]]:
    """The status of `/ready` and what its body says; 0 where nothing answers."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(where.host, where.port, timeout=2)
    try:
        connection.request("GET", "/ready", headers={"User-Agent": "shipwheel"})
        answer = connection.getresponse()
        body = answer.read(_PIECES << 16)
    except (OSError, HTTPException):
        return 0, {}
    finally:
        connection.close()
    with suppress(ValueError):
        found = json.loads(body)
        return answer.status, found if isinstance(found, dict) else {}
    return answer.status, {}


def _read_out(connection: socket.socket) -> None:
    """Take the rest of a short answer: a connection that is reset in the middle is an error in the service's log."""
    with suppress(OSError):
        for _ in range(_PIECES):
            if not connection.recv(1 << 16):
                return


def check_end(container: Container) -> State:
    """The state of a container that has ended.

    Raises:
        ContainerError: it did not end with exit code 0.
    """
    return _ended(container, container.state(), waiting=False)


def _ended(container: Container, state: State, *, waiting: bool) -> State:
    if state.exit_code == 0 and not state.error and not waiting:
        return state
    raise died(state, _tail(container), while_waiting=waiting)


def _silent(container: Container, where: Address, within: float) -> ContainerError:
    return ContainerError(
        f"container '{container.name}' runs, but nothing answers at {where} after {within:.0f} s",
        hint="does it listen on 0.0.0.0, and on the port given with -p? 'shipwheel logs' shows what it says",
        log=_tail(container),
    )


def _tail(container: Container) -> str:
    return b"".join(container.logs(tail=LAST_LINES)).decode(errors="replace")
