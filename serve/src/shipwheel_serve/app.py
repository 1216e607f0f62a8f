"""The HTTP side: from a path to an answer (ASGI 3, "HTTP Connection Scope"), with nothing between uvicorn and the service."""

from __future__ import annotations

import itertools
import secrets
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from shipwheel_serve import codec, logs, oip, openapi
from shipwheel_serve.board import Board
from shipwheel_serve.errors import BadRequest, Busy, NotFound, NotReady, ServeError, TooLarge
from shipwheel_serve.metrics import Metrics
from shipwheel_serve.schema import Arrays, Schema
from shipwheel_serve.service import Service
from shipwheel_serve.settings import Settings

JSON, HTML = (b"content-type", b"application/json"), (b"content-type", b"text/html; charset=utf-8")
HEADER_LENGTH = b"inference-header-content-length"
MAX_REQUEST_ID = 128
"""Characters of a caller's X-Request-ID that are kept."""

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True, kw_only=True)
class Request:
    """What came in; `parts` are the path's pieces."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    receive: Callable[[], Awaitable[dict[str, Any]]]
    id: str

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What goes out; `route` is the path's pattern, for metrics."""

    body: bytes = b""
    status: int = 200
    headers: Headers = (JSON,)
    route: str = ""


Handler = Callable[[Request], Awaitable[Response]]


def as_json(value: Any, status: int = 200) -> Response:
    """A value as a JSON response."""
    return Response(body=orjson.dumps(value), status=status)


class App:
    """The ASGI application of one worker."""

    def __init__(self, service: Service, board: Board, settings: Settings, metrics: Metrics) -> None:
        self.service, self.board, self.settings, self.metrics = service, board, settings, metrics
        self._prefix, self._numbers = secrets.token_hex(4), itertools.count(1)
        health, ready = ("GET", self.health), ("GET", self.ready)
        predict, started = ("POST", self.predict), ("GET", self.started)
        self.routes: dict[str, tuple[str, Handler]] = {
            **dict.fromkeys(("/health", "/healthz", "/livez", "/v2/health/live"), health),
            **dict.fromkeys(("/ready", "/readyz", "/ping", "/v2/health/ready"), ready),
            "/startupz": started,
            "/predict": predict,
            "/invocations": predict,
            "/metrics": ("GET", self.scrape),
            "/openapi.json": ("GET", self.document),
            **dict.fromkeys(("/", "/docs"), ("GET", self.page)),
            "/v2": ("GET", self.server_metadata),
            "/v2/repository/index": ("POST", self.repository_index),
            "/v1/models": ("GET", self.models),
        }
        self._below_model: dict[str, tuple[str, Handler]] = {
            "": ("GET", self.model_metadata),
            "ready": ("GET", self.model_ready),
            "infer": ("POST", self.infer),
            "config": ("GET", self.model_config),
            "stats": ("GET", self.model_stats),
        }
        for route, handler in ((settings.health_route, ready), (settings.predict_route, predict)):
            if route:
                self.routes["/" + route.strip("/")] = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # neither lifespan nor websockets
            return
        began = perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")[:MAX_REQUEST_ID]
        request = Request(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            receive=receive,
            id=given if given.isprintable() and given else f"{self._prefix}-{next(self._numbers):x}",
        )
        self.metrics.active(1)
        try:
            response = await self._respond(request)
        finally:
            self.metrics.active(-1)
        more: Headers = ((b"x-request-id", request.id.encode("latin-1")), (b"content-length", b"%d" % len(response.body)))
        if self.board.draining:
            more = (*more, (b"connection", b"close"))
        seconds = perf_counter() - began
        # Counted before it is sent: who has an answer finds it in the metrics of any worker.
        self.metrics.request(request.method, response.route, response.status, seconds)
        await send({"type": "http.response.start", "status": response.status, "headers": [*response.headers, *more]})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})
        if self.settings.access_log:
            logs.log(
                "info",
                f"{request.method} {request.path} {response.status}",
                request_id=request.id,
                status=response.status,
                seconds=round(seconds, 6),
            )

    async def _respond(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        method, handler, route = (*self.routes[path], path) if path in self.routes else self._of_model(path)
        try:
            if not method:
                raise NotFound(f"there is nothing at {request.path}", hint="/openapi.json lists what there is")
            if request.method != method and not (method == "GET" and request.method == "HEAD"):
                allow = ((b"allow", b"GET, HEAD" if method == "GET" else method.encode()),)
                return replace(_error(f"{request.path} takes {method}", 405), headers=(JSON, *allow), route=route)
            response = await handler(request)
        except ServeError as error:
            response = self._refused(request, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the connection without an answer
            logs.log("error", "a request failed", error, request_id=request.id, path=request.path)
            response = _error("the server failed; its log says more", 500)
        return replace(response, route=route)

    def _refused(self, request: Request, error: ServeError) -> Response:
        text = str(error)
        if error.status in (429, 413, 504):
            self.metrics.rejected({429: "queue_full", 413: "too_large", 504: "timeout"}[error.status])
        elif error.status == 503:
            self.metrics.rejected("not_ready")
        if error.status >= 500 and error.status != 503:
            logs.log("error", text, error.__cause__, request_id=request.id, path=request.path)
        headers: Headers = (JSON, (b"retry-after", b"1")) if isinstance(error, (Busy, NotReady)) else (JSON,)
        return replace(_error(text, error.status), headers=headers)

    # paths below a model's name

    def _of_model(self, path: str) -> tuple[str, Handler, str]:
        """Method, handler and pattern; no method: there is nothing."""
        parts = path.split("/")[1:]
        if parts[0] == "v1" and len(parts) == 3 and parts[1] == "models":
            if parts[2].endswith(":predict"):
                return "POST", self.predict_v1, "/v1/models/{name}:predict"
            return "GET", self.model_v1, "/v1/models/{name}"
        if parts[:3] == ["v2", "models", "stats"]:
            return "GET", self.model_stats, "/v2/models/stats"
        if parts[:3] == ["v2", "repository", "models"] and parts[4:] in (["load"], ["unload"]):
            return "POST", self.repository_change, f"/v2/repository/models/{{name}}/{parts[4]}"
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            rest = parts[5:] if parts[3:4] == ["versions"] and len(parts) > 4 else parts[3:]
            name = rest[0] if len(rest) == 1 else "" if not rest else "?"
            if name in self._below_model:
                return (*self._below_model[name], f"/v2/models/{{name}}/{name}".rstrip("/"))
        return "", self.page, "other"

    def _named(self, request: Request) -> None:
        """That the name and the version in the path are this model's.

        Raises:
            NotFound: they are not.
        """
        parts = request.path.split("/")
        model = self.service.described
        name = parts[4] if parts[2] == "repository" else parts[3].removesuffix(":predict")
        version = parts[5] if len(parts) > 5 and parts[4] == "versions" else model["version"]
        if name not in (model["name"], "stats") or version != model["version"]:
            raise NotFound(f"this service has the model '{model['name']}', version {model['version']}")

    # how the service is

    async def health(self, request: Request) -> Response:
        """The process lives."""
        return Response(body=b'{"live":true}')

    async def ready(self, request: Request) -> Response:
        """What the workers found out at their start."""
        answer = self.board.answer()
        return as_json(answer, 200 if answer["ready"] else 503)

    async def started(self, request: Request) -> Response:
        """Loading and checking have ended, well or not."""
        state = self.board.standing().state
        return as_json({"state": state}, 200 if state in ("ready", "failed", "draining") else 503)

    async def scrape(self, request: Request) -> Response:
        """Metrics of all workers, for Prometheus."""
        body, kind = self.metrics.render(request.headers.get(b"accept", b"").decode("latin-1"))
        return Response(body=body, headers=((b"content-type", kind.encode()),))

    async def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        model = self.service.model
        described = self.service.described
        document = openapi.document(
            described["name"], described["version"], model.schema if model else None, self.service.sample
        )
        return as_json(document)

    async def page(self, request: Request) -> Response:
        """A page to look at the model and to try it."""
        return Response(body=self._page, headers=(HTML, (b"cache-control", b"no-cache")))

    @cached_property
    def _page(self) -> bytes:
        return (Path(__file__).parent / "page.html").read_bytes()

    # predictions

    async def predict(self, request: Request) -> Response:
        """Records, columns or tensors in, predictions out."""
        body, kind = await self._body(request), request.content_type
        answer = await self.service.answer(body, lambda schema: codec.decode(body, schema, kind), codec.encode)
        return Response(body=answer)

    async def predict_v1(self, request: Request) -> Response:
        """KServe's V1 protocol: instances in, predictions out."""
        self._named(request)
        return await self.predict(request)

    async def infer(self, request: Request) -> Response:
        """The Open Inference Protocol."""
        self._named(request)
        body = await self._body(request)
        length = _whole(request.headers.get(HEADER_LENGTH))
        asked: list[oip.InferRequest] = []

        def decode(schema: Schema) -> Arrays:
            asked.append(oip.decode_infer(body, length, schema))
            return asked[0].arrays

        def encode(outputs: Arrays, schema: Schema) -> tuple[bytes, int | None]:
            model = self.service.described
            return oip.encode_infer(asked[0], outputs, schema, model["name"], model["version"])

        answer, header = await self.service.answer(body, decode, encode)
        if header is None:
            return Response(body=answer)
        kind = (b"content-type", b"application/octet-stream")
        return Response(body=answer, headers=(kind, (HEADER_LENGTH, b"%d" % header)))

    async def _body(self, request: Request) -> bytes:
        """The whole body, decompressed.

        Raises:
            TooLarge: over the limit; nothing beyond it is kept.
        """
        most = self.settings.max_payload_size
        if (_whole(request.headers.get(b"content-length")) or 0) > most:
            raise TooLarge(f"the body is over {most} bytes")
        pieces, size, more = list[bytes](), 0, True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the caller left in the middle of the body")
            pieces.append(message.get("body", b""))
            size, more = size + len(pieces[-1]), message.get("more_body", False)
            if size > most:
                raise TooLarge(f"the body is over {most} bytes")
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        encoding = request.headers.get(b"content-encoding")
        return _decompressed(body, encoding.lower(), most) if encoding else body

    # the Open Inference Protocol's other paths

    async def server_metadata(self, request: Request) -> Response:
        """Name, version and extensions."""
        return as_json(oip.server_metadata())

    async def model_metadata(self, request: Request) -> Response:
        """Inputs and outputs."""
        self._named(request)
        model = self.service.loaded()
        return as_json(oip.model_metadata(model.name, model.version, model.schema, model.library))

    async def model_config(self, request: Request) -> Response:
        """The same, as Triton's configuration has it."""
        self._named(request)
        model = self.service.loaded()
        return as_json(oip.model_config(model.name, model.version, model.schema, model.library))

    async def model_ready(self, request: Request) -> Response:
        """As `/ready`, with the model's name."""
        self._named(request)
        answer = {"name": self.service.described["name"], **self.board.answer()}
        return as_json(answer, 200 if answer["ready"] else 503)

    async def model_stats(self, request: Request) -> Response:
        """Counts and times of this worker, as Triton's statistics extension has them."""
        self._named(request)
        return as_json({"model_stats": [self.service.statistics()]})

    async def repository_index(self, request: Request) -> Response:
        """The one model."""
        standing, model = self.board.standing(), self.service.described
        return as_json(oip.repository_index(model["name"], model["version"], standing.ready, "; ".join(standing.reasons)))

    async def repository_change(self, request: Request) -> Response:
        """The model is loaded at start: asking for it again is fine, unloading it is not."""
        self._named(request)
        if request.path.endswith("/unload"):
            raise BadRequest("this service has one model, which stays loaded", hint="stop the service instead")
        self.service.loaded()
        return as_json({})

    async def models(self, request: Request) -> Response:
        """KServe V1: the names."""
        return as_json({"models": [self.service.described["name"]]})

    async def model_v1(self, request: Request) -> Response:
        """KServe V1: whether it is ready."""
        self._named(request)
        standing = self.board.standing()
        return as_json({"name": self.service.described["name"], "ready": standing.ready}, 200 if standing.ready else 503)


def _error(text: str, status: int) -> Response:
    return as_json({"error": text}, status)


def _whole(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise BadRequest("a length in the headers is not a whole number")
    return int(value)


def _decompressed(body: bytes, encoding: bytes, most: int) -> bytes:
    """gzip and deflate (RFC 9110, 8.4.1)."""
    windows = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15, b"identity": 0}
    if encoding not in windows:
        raise BadRequest(f"content-encoding '{encoding.decode('latin-1')}' is not known", hint="gzip or deflate")
    if encoding == b"identity":
        return body
    machine = zlib.decompressobj(windows[encoding])
    try:
        out = machine.decompress(body, most + 1)
    except zlib.error as error:
        raise BadRequest(f"the body is not {encoding.decode()}: {error}") from None
    if len(out) > most:
        raise TooLarge(f"the body is over {most} bytes")
    if not machine.eof:
        raise BadRequest(f"the body ends before its {encoding.decode()} does")
    return out
