"""Whether a service answers."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shipwheel.engines.engine import State
from shipwheel.engines.spec import Port
from shipwheel.engines.wait import Address, Readiness, addresses, answers
from shipwheel.errors import ContainerError
from support.engines import free_port


class Refuses(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


def test_any_status_is_an_answer() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert answers(Address(host="127.0.0.1", port=server.server_port))


def test_a_connection_that_is_hung_up_is_none() -> None:
    def hang_up(server: socket.socket) -> None:
        server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        assert not answers(Address(host="127.0.0.1", port=server.getsockname()[1]))
        thread.join()
    assert not answers(Address(host="127.0.0.1", port=free_port()))


def test_addresses_are_as_seen_from_here() -> None:
    ports = (Port(container=1, host=80, ip="0.0.0.0"), Port(container=2, host=81, ip="127.0.0.2"), Port(container=3))
    state = State(name="a", image="a", running=True, ports=ports, host="engine.example")
    assert [str(each) for each in addresses(state)] == ["http://engine.example:80", "http://127.0.0.2:81"]
    assert str(Address(host="::1", port=1)) == "http://[::1]:1"


@contextmanager
def telling(status: int, **told: object) -> Iterator[Address]:
    """A service whose /ready always says the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Address(host="127.0.0.1", port=server.server_port)
        server.shutdown()
        thread.join()


def test_a_model_is_there_when_it_is_ready_and_its_notes_are_said() -> None:
    said: list[str] = []
    with telling(200, state="ready", notes=["no golden answers"]) as where:
        assert Readiness("wine", said.append)(where)
    assert said == ["no golden answers"]


@pytest.mark.parametrize("state", ["starting", "loading", "checking", ""])
def test_a_model_that_is_not_ready_yet_is_waited_for(state: str) -> None:
    with telling(503, state=state) as where:
        assert Readiness("wine", print)(where) is False
    assert Readiness("wine", print)(Address(host="127.0.0.1", port=free_port())) is False


def test_a_download_may_take_long_and_is_said_once() -> None:
    said: list[str] = []
    look = Readiness("wine", said.append)
    with telling(503, state="downloading") as where:
        assert [look(where), look(where)] == [None, None]
    assert said == ["downloading the model"]


def test_a_model_that_failed_its_check_is_not_waited_for() -> None:
    reasons = ["pandas is 2.0.3, training had 1.5.3"]
    with telling(503, state="failed", reasons=reasons) as where, pytest.raises(ContainerError) as caught:
        Readiness("wine", print)(where)
    assert caught.value.message == f"container 'wine' will not be ready\n  {reasons[0]}"


def test_another_service_behind_that_label_only_has_to_answer() -> None:
    with telling(404) as where:
        assert Readiness("wine", print)(where)
