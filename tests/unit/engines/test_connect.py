"""Finding the service of an engine that is started for us."""

import gc
import http.server
import socket
import socketserver
import sys
import threading
from pathlib import Path

import pytest
import requests

from shipwheel.engines.connect import _service, docker_client
from shipwheel.errors import EngineAbsentError


def test_podmans_own_service_counts_as_started_only_when_it_listens(tmp_path: Path) -> None:
    program = tmp_path / "podman"
    program.write_text(
        f"""#!{sys.executable}
import socket, sys, time
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[-1].removeprefix("unix://"))
    time.sleep(0.3)
    listener.listen()
    time.sleep(60)
"""
    )
    program.chmod(0o755)
    with _service(str(program), {}) as url, socket.socket(socket.AF_UNIX) as probe:
        probe.connect(url.removeprefix("unix://"))


def test_certificates_that_are_not_there_are_told_as_an_engine_that_is_not(tmp_path: Path) -> None:
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:9", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "none")}
    with (
        pytest.raises(EngineAbsentError, match=r"Docker cannot be asked: .*/none lacks ca\.pem, cert\.pem or key\.pem"),
        docker_client(environment),
    ):
        pass


class _Engine(http.server.BaseHTTPRequestHandler):
    """Docker's API as far as a client asks when it begins: which version."""

    def do_GET(self) -> None:
        said = b'{"ApiVersion": "1.44"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_words: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


def test_no_socket_stays_open_when_the_engine_went_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "docker.sock"
    left: list[object] = []
    with socketserver.UnixStreamServer(str(path), _Engine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with docker_client({"DOCKER_HOST": f"unix://{path}"}) as client:
                assert client.version() == client.version() == {"ApiVersion": "1.44"}
                server.shutdown()
                server.server_close()
                gc.collect()  # what others left is not ours
                monkeypatch.setattr(sys, "unraisablehook", left.append)
                with pytest.raises(requests.ConnectionError):
                    client.version()
        finally:
            server.shutdown()
            thread.join()
    gc.collect()
    assert not left
