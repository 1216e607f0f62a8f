"""An in-process registry for tests (OCI distribution-spec 1.1): push, pull, mount, referrers, tokens, and faults on demand.

    with registry() as served:                       # http://127.0.0.1:PORT, which clients may speak to without TLS
        served.faults.append(Fault(method="PUT", path=r"/blobs/uploads/", status=503, times=2))
        ... Registries().repository(Reference.parse(f"{served.host}/team/app:1.0")) ...
        assert served.said("POST", "PUT") == [...]

`served.elsewhere` is a second server, the storage that some registries redirect to; it must never see an Authorization.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from support.registry_state import Answer, Exchange, Fault, Served, refuse

__all__ = ["Exchange", "Fault", "Served", "registry"]

INDEX = "application/vnd.oci.image.index.v1+json"
REALM = "/token"


@contextmanager
def registry(served: Served | None = None) -> Iterator[Served]:
    """Run it, and the storage beside it, on free ports of the loopback interface."""
    served = served or Served()
    servers = []
    for name, attribute in (("host", _Registry), ("elsewhere", _Elsewhere)):
        server = _Server(("127.0.0.1", 0), type("Handler", (attribute,), {"served": served}))
        server.daemon_threads = True
        if served.tls:
            server.socket = served.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        setattr(served, name, f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
    try:
        yield served
    finally:
        for server, thread in servers:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are part of the tests; so is a ClientHello where there is no TLS."""


class _CutError(Exception):
    """The connection is to break here."""


class _Handler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def handle_one_request(self) -> None:
        self.received, self.taken = 0, False
        super().handle_one_request()

    def respond(self) -> None:
        knock = (self.command, self.path) == ("GET", "/v2/") and "Authorization" not in self.headers  # is anyone there?
        fault = (None if knock else self.served.take_fault(self.command, self.path)) or Fault()
        status = 0
        try:
            fault.action()
            if fault.cut_upload >= 0:
                self.partial(fault.cut_upload)
                raise _CutError
            answer = Answer(fault.status, fault.body or b"", fault.headers) if fault.status else self.answer()
            if fault.drop:
                raise _CutError
            if fault.body is not None:
                answer.body = fault.body
            if not self.taken:
                self.read()
            status = answer.status
            if not knock:
                self.record(status)
            self.send(answer, fault)
        except _CutError:
            self.record(status)
            self.close_connection = True
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = respond  # noqa: N815

    def answer(self) -> Answer:
        raise NotImplementedError

    def partial(self, count: int) -> None:
        """Take so much of the request's body before the connection breaks."""
        raise NotImplementedError

    def record(self, status: int) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.trail().append(Exchange(self.command, self.path, headers, self.received, status, self.client_address))

    def trail(self) -> list[Exchange]:
        return self.served.log

    def read(self, most: int = 1 << 40) -> bytes:
        """The request's body."""
        self.taken = True
        length = self.headers.get("Content-Length")
        if length is not None:
            data = self.rfile.read(min(int(length), most))
        else:
            data = b""
            while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
                data += self.rfile.read(size)
                self.rfile.readline()
        self.received += len(data)
        return data

    def send(self, answer: Answer, fault: Fault) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        body = answer.body
        if fault.stall:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            time.sleep(fault.stall)
            body = body[len(body) // 2 :]
        if fault.cut >= 0:
            body, self.close_connection = body[: fault.cut], True
        step = 4096 if fault.drip else len(body) or 1
        for start in range(0, len(body), step):
            time.sleep(fault.drip)
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
        self.wfile.flush()

    def ranged(self, data: bytes) -> Answer:
        headers = {"Content-Type": "application/octet-stream"}
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match:
            return Answer(200, data, headers)
        start = int(match[1])
        if start >= len(data):
            return Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        return Answer(206, data[start:], headers | {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    # uploads, which may lie here or elsewhere

    def upload(self, repository: str, name: str) -> Answer:
        held = self.served.uploads.get(name)
        if held is None:
            return refuse(404, "BLOB_UPLOAD_UNKNOWN")
        if self.command == "GET":
            return self.progress(204, repository, name)
        if self.command == "DELETE":
            del self.served.uploads[name]
            return Answer(204)
        if self.command == "PATCH" and not self.served.pieces:
            return refuse(405, "UNSUPPORTED")
        span = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        if span and int(span[1]) != len(held):
            return Answer(416, b"", {"Range": f"0-{max(0, len(held) - 1)}"})
        held += self.read()
        return self.finish(repository, name, held) if self.command == "PUT" else self.progress(202, repository, name)

    def finish(self, repository: str, name: str, held: bytearray) -> Answer:
        digest = parse_qs(urlsplit(self.path).query)["digest"][0]
        del self.served.uploads[name]
        if digest != f"sha256:{sha256(held).hexdigest()}":
            return refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.served.put_blob(repository, bytes(held))
        return Answer(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest})

    def progress(self, status: int, repository: str, name: str) -> Answer:
        end = max(0, len(self.served.uploads[name]) - 1)
        if self.served.lags and self.command != "POST":
            end, status = min(end, self.served.lags - 1), 201 if self.command == "PATCH" else status
        return Answer(status, b"", {"Location": self.location(repository, name), "Range": f"0-{end}"})

    def location(self, repository: str, name: str) -> str:
        path = f"/v2/{repository}/blobs/uploads/{name}?_state=abc%3D"
        if self.served.uploads_elsewhere:
            return f"http://{self.served.elsewhere}{path}"
        return f"http://{self.served.host}{path}" if self.served.absolute else path

    def partial_upload(self, count: int) -> None:
        data = self.read(count)
        match = re.search(r"/blobs/uploads/([0-9a-f]+)", self.path)
        if match and match[1] in self.served.uploads:
            if self.served.keeps_broken:
                self.served.uploads[match[1]] += data
            else:
                del self.served.uploads[match[1]]


class _Elsewhere(_Handler):
    """Storage on another host: knows blobs by their digest, and uploads."""

    partial = _Handler.partial_upload

    def trail(self) -> list[Exchange]:
        return self.served.elsewhere_log

    def answer(self) -> Answer:
        if match := re.match(r"/v2/(.+)/blobs/uploads/([0-9a-f]+)", self.path):
            return self.upload(match[1], match[2])
        digest = urlsplit(self.path).path.removeprefix("/storage/")
        found = next((blobs[digest] for blobs in self.served.blobs.values() if digest in blobs), None)
        return Answer(404) if found is None else self.ranged(found)


class _Registry(_Handler):
    """The API itself."""

    partial = _Handler.partial_upload

    def answer(self) -> Answer:
        path = urlsplit(self.path).path
        if path == REALM:
            return self.token()
        match = re.fullmatch(r"/v2/(?:(.+)/(manifests|blobs|referrers)/(.+)|(.+)/blobs/uploads/)?", path)
        if not match:
            return Answer(404, b"page not found")
        repository = match[1] or match[4] or ""
        refused = self.authorize(repository)
        if refused:
            return refused
        if not repository:
            return Answer(200, b"{}")
        with self.served.lock:
            return self.dispatch(repository, match[2] or "blobs", match[3] or "uploads/")

    def dispatch(self, repository: str, kind: str, rest: str) -> Answer:
        if kind == "manifests":
            return self.write_manifest(repository, rest) if self.command == "PUT" else self.read_manifest(repository, rest)
        if kind == "referrers":
            return self.list_referrers(repository, rest)
        if rest == "uploads/":
            return self.begin(repository)
        if rest.startswith("uploads/"):
            return self.upload(repository, rest.removeprefix("uploads/"))
        return self.read_blob(repository, rest)

    # who asks

    def authorize(self, repository: str) -> Answer | None:
        served = self.served
        if not served.auth:
            return None
        given = self.headers.get("Authorization", "")
        if served.scheme == "Basic":
            if given == "Basic " + base64.b64encode(served.auth.encode()).decode():
                return None
            return self.challenge('Basic realm="registry"')
        actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
        wanted = {f"repository:{repository}:{action}" for action in actions.split(",")} if repository else set()
        scopes, ends = served.tokens.get(given.removeprefix("Bearer "), (set(), -1.0))
        if time.monotonic() < ends and wanted <= scopes:
            return None
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        return self.challenge(f'Bearer realm="http://{served.host}{REALM}",service="test"{scope}')

    def challenge(self, header: str) -> Answer:
        answer = refuse(401, "UNAUTHORIZED", "authentication required")
        answer.headers["WWW-Authenticate"] = header
        return answer

    def token(self) -> Answer:
        served, body = self.served, self.read().decode()
        asked = parse_qsl(urlsplit(self.path).query) + parse_qsl(body)
        user = self.headers.get("Authorization", "") == "Basic " + base64.b64encode(served.auth.encode()).decode()
        user = user or (bool(served.identity) and ("refresh_token", served.identity) in asked)
        if not user and (not served.anonymous or "Authorization" in self.headers):
            return refuse(401, "UNAUTHORIZED", "incorrect username or password")
        scopes = set()
        for scope in " ".join(value for key, value in asked if key == "scope").split():
            resource, _, actions = scope.rpartition(":")
            scopes |= {f"{resource}:{action}" for action in actions.split(",") if user or action == "pull"}
        value = secrets.token_hex(8)
        served.tokens[value] = (scopes, time.monotonic() + served.token_life)
        key = "access_token" if self.command == "POST" else "token"
        return Answer(200, json.dumps({key: value, "expires_in": served.token_life}).encode())

    # blobs

    def read_blob(self, repository: str, digest: str) -> Answer:
        data = self.served.blobs.get(repository, {}).get(digest)
        if data is None:
            return refuse(404, "BLOB_UNKNOWN")
        if self.served.redirects:
            return Answer(307, b"", {"Location": f"http://{self.served.elsewhere}/storage/{digest}?signature=secret"})
        return self.ranged(data)

    def begin(self, repository: str) -> Answer:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        source, digest = asked.get("from", ""), asked.get("mount", "")
        data = self.served.blobs.get(source, {}).get(digest) if self.served.mounts else None
        if data is not None and self.may_read(source):
            self.served.put_blob(repository, data)
            return Answer(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}"})
        name = secrets.token_hex(8)
        self.served.uploads[name] = bytearray()
        answer = self.progress(202, repository, name)
        if self.served.piece_least:
            answer.headers["OCI-Chunk-Min-Length"] = str(self.served.piece_least)
        return answer

    def may_read(self, repository: str) -> bool:
        if not self.served.auth or self.served.scheme == "Basic":
            return True
        scopes, _ = self.served.tokens[self.headers["Authorization"].removeprefix("Bearer ")]
        return f"repository:{repository}:pull" in scopes

    # manifests

    def read_manifest(self, repository: str, reference: str) -> Answer:
        found = self.served.manifests.get(repository, {}).get(reference)
        if found is None:
            return refuse(404, "MANIFEST_UNKNOWN" if repository in self.served.manifests else "NAME_UNKNOWN")
        media_type, data = found
        digest = f"sha256:{sha256(data).hexdigest()}"
        return Answer(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def write_manifest(self, repository: str, reference: str) -> Answer:
        data = self.read()
        if len(data) > self.served.manifest_limit:
            return refuse(413, "SIZE_INVALID", "manifest is too large")
        digest, value = f"sha256:{sha256(data).hexdigest()}", json.loads(data)
        if reference.startswith("sha256:") and reference != digest:
            return refuse(400, "DIGEST_INVALID")
        blobs, manifests = self.served.blobs.get(repository, {}), self.served.manifests.get(repository, {})
        needed = [each["digest"] for each in (value.get("layers") or []) + ([value["config"]] if "config" in value else [])]
        if any(each not in blobs for each in needed):
            return refuse(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        if any(each["digest"] not in manifests for each in value.get("manifests") or []):
            return refuse(400, "MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry")
        tag = "" if reference.startswith("sha256:") else reference
        self.served.put_manifest(repository, tag, self.headers["Content-Type"], data)
        headers = {"Location": f"/v2/{repository}/manifests/{digest}", "Docker-Content-Digest": digest}
        if self.served.referrers and "subject" in value:
            headers["OCI-Subject"] = value["subject"]["digest"]
        return Answer(201, b"", headers)

    def list_referrers(self, repository: str, digest: str) -> Answer:
        if not self.served.referrers:
            return Answer(404, b"404 page not found\n")
        found = {}
        for media_type, data in self.served.manifests.get(repository, {}).values():
            value = json.loads(data)
            if (value.get("subject") or {}).get("digest") == digest:
                own = f"sha256:{sha256(data).hexdigest()}"
                kind = value.get("artifactType") or (value.get("config") or {}).get("mediaType")
                entry = {"mediaType": media_type, "digest": own, "size": len(data), "artifactType": kind}
                found[own] = entry | ({"annotations": value["annotations"]} if "annotations" in value else {})
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(found.values())}).encode()
        return Answer(200, body, {"Content-Type": INDEX})
