"""An in-process HTTP server for tests: files, a simple index over a folder of wheels, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Fault:
    """What goes wrong for one path, `times` times, then all is well.

    `status` answers with that status and `headers`; `cut` sends so many bytes of the body and closes; `stall` waits so many
    seconds in the middle of the body; `body` replaces the body.
    """

    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1
    stall: float = 0.0
    body: bytes | None = None


@dataclass
class FileServer:
    """Serves `folder` at /files/NAME, and a simple index of it (PEP 503 HTML, PEP 691 JSON) at /simple/ and at /whl/NAME/.

    `tls` makes it https. `auth` is USER:PASSWORD that every request must carry; `ranges=False` ignores Range; `json=False`
    offers HTML only.
    """

    folder: Path
    auth: str = ""
    ranges: bool = True
    json: bool = True
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    tls: ssl.SSLContext | None = None

    def paths(self, method: str = "GET") -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests if request.method == method]

    @property
    def simple(self) -> str:
        """The index's address."""
        return f"{self.url}/simple"

    def with_auth(self, auth: str) -> str:
        """The index's address with USER:PASSWORD in it."""
        return self.simple.replace("://", f"://{auth}@")


@contextmanager
def serve(server: FileServer) -> Iterator[FileServer]:
    """Run it on a free port of the loopback interface."""
    handler = type("Handler", (_Handler,), {"served": server})
    http = _Server(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    if server.tls:
        http.socket = server.tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"{'https' if server.tls else 'http'}://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    served: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def _answer(self) -> None:
        served = self.served
        served.requests.append(Request(self.command, self.path, {key.lower(): value for key, value in self.headers.items()}))
        wanted = "Basic " + base64.b64encode(served.auth.encode()).decode()
        if served.auth and self.headers.get("Authorization") != wanted:
            return self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="test"'})
        fault = served.faults.get(self.path)
        if fault and fault.times > 0 and self.command == "GET":
            fault.times -= 1
            if fault.status:
                return self._send(fault.status, fault.body or b"fault", fault.headers)
        else:
            fault = None
        found = self._find()
        if found is None:
            return self._send(404, b"no such thing", {})
        body, content_type = found
        return self._body(fault.body if fault and fault.body is not None else body, content_type, fault)

    def _body(self, body: bytes, content_type: str, fault: Fault | None) -> None:
        headers, status = {"Content-Type": content_type}, 200
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and self.served.ranges:
            start = int(match[1])
            if start >= len(body):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        return self._send(status, body, headers, fault)

    def _send(self, status: int, body: bytes, headers: dict[str, str], fault: Fault | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self._write(body, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _write(self, body: bytes, fault: Fault | None) -> None:
        if fault and fault.stall:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            time.sleep(fault.stall)
            body = body[len(body) // 2 :]
        if fault and fault.cut >= 0:
            body, self.close_connection = body[: fault.cut], True
        self.wfile.write(body)

    def _find(self) -> tuple[bytes, str] | None:
        if match := re.fullmatch(r"(?:/whl)?/files/([^/]+)", self.path.replace("%2B", "+")):
            path = self.served.folder / match[1]
            return (path.read_bytes(), "application/octet-stream") if path.is_file() else None
        if match := re.fullmatch(r"/(?:simple|whl/\w+)/([^/]+)/", self.path):
            files = [path for path in sorted(self.served.folder.iterdir()) if _project(path.name) == match[1]]
            as_json = self.served.json and "application/vnd.pypi.simple.v1+json" in self.headers.get("Accept", "")
            return (_json_page if as_json else _html_page)(match[1], files) if files else None
        return None


def _project(filename: str) -> str:
    stem = filename.partition("-")[0] if filename.endswith(".whl") else filename.removesuffix(".tar.gz").rpartition("-")[0]
    return re.sub(r"[-_.]+", "-", stem).lower()


def _json_page(name: str, files: list[Path]) -> tuple[bytes, str]:
    page = {
        "meta": {"api-version": "1.1"},
        "name": name,
        "versions": [],
        "files": [
            {
                "filename": path.name,
                "url": f"../../files/{path.name}",
                "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
                "size": path.stat().st_size,
            }
            for path in files
        ],
    }
    return json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json"


def _html_page(name: str, files: list[Path]) -> tuple[bytes, str]:
    del name
    line: Callable[[Path], str] = lambda path: (  # noqa: E731
        f'<a href="../../files/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a><br/>'
    )
    return ("<!DOCTYPE html><html><body>" + "".join(map(line, files)) + "</body></html>").encode(), "text/html"
