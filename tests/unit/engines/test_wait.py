"""Whether a service answers."""

from __future__ import annotations

import http.server
import socket
import threading

from shipwheel.engines.engine import State
from shipwheel.engines.spec import Port
from shipwheel.engines.wait import Address, addresses, answers
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
