"""A package index on loopback: the same wheels, from the same disk, for both sides of a comparison.

Serves a folder of wheels as an index (PEP 503 and PEP 691, with PEP 658 metadata) below /simple/, and Debian's archives
below /debian/ and /debian-security/, each file fetched from a mirror the first time and from disk ever after.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import threading
import urllib.error
import urllib.request
import zipfile
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


class Wheelhouse:
    """The server; use as a context. `wheels` holds the wheels, `debs` what was fetched from `mirror` so far."""

    def __init__(self, wheels: Path, debs: Path, mirror: str = "http://deb.debian.org") -> None:
        handler = type("Handler", (_Handler,), {"wheels": wheels, "debs": debs, "mirror": mirror})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

        self.mirror = mirror

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Wheelhouse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wheels: Path
    debs: Path
    mirror: str

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        if path.startswith("/simple/"):
            self._project(path.removeprefix("/simple/").strip("/"))
        elif path.startswith("/wheels/"):
            self._wheel(path.removeprefix("/wheels/"))
        elif path.startswith(("/debian/", "/debian-security/")):
            self._deb(path.lstrip("/"))
        else:
            self.send_error(404)

    def _project(self, name: str) -> None:
        files = [wheel for wheel in sorted(self.wheels.glob("*.whl")) if _normal(wheel.name.split("-")[0]) == _normal(name)]
        if not files:
            self.send_error(404)
        elif JSON_TYPE in self.headers.get("Accept", ""):
            self._send(_json_page(name, files), JSON_TYPE)
        else:
            self._send(_html_page(files), "text/html")

    def _wheel(self, name: str) -> None:
        wheel = self.wheels / Path(name.removesuffix(".metadata")).name
        if not wheel.is_file():
            self.send_error(404)
        elif name.endswith(".metadata"):
            self._send(_metadata(wheel), "text/plain")
        else:
            self._send_file(wheel)

    def _deb(self, path: str) -> None:
        kept = self.debs / path.replace("..", "")
        if not kept.is_file() and not _fetched(f"{self.mirror}/{path}", kept):
            self.send_error(404)
            return
        self._send_file(kept)

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _send_file(self, path: Path) -> None:
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]), size - 1) if asked and asked[2] else size - 1
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.flush()
            with path.open("rb") as file:
                self.connection.sendfile(file, offset=first, count=last - first + 1)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _sha256(wheel: Path) -> str:
    with wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


def _json_page(name: str, files: list[Path]) -> bytes:
    listed = [
        {
            "filename": wheel.name,
            "url": f"/wheels/{wheel.name.replace('+', '%2B')}",
            "hashes": {"sha256": _sha256(wheel)},
            "size": wheel.stat().st_size,
            "core-metadata": {"sha256": hashlib.sha256(_metadata(wheel)).hexdigest()},
        }
        for wheel in files
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": listed}).encode()


def _html_page(files: list[Path]) -> bytes:
    link = '<a href="/wheels/{url}#sha256={sha256}" data-core-metadata="true">{name}</a><br>'
    lines = (
        link.format(url=html.escape(wheel.name.replace("+", "%2B")), sha256=_sha256(wheel), name=html.escape(wheel.name))
        for wheel in files
    )
    return ("<!DOCTYPE html><html><body>" + "".join(lines) + "</body></html>").encode()


def _fetched(url: str, path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f"{path.suffix}.{threading.get_ident()}.part")
    try:
        with urllib.request.urlopen(url, timeout=120) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except urllib.error.HTTPError:
        return False
    part.replace(path)
    return True
