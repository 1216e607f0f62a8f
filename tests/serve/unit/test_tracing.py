"""Traces: nothing where nobody asks; else spans of requests below the caller's, sent to a collector."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shipwheel_serve import tracing
from support.environments import environments


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    tracing._tracer.cache_clear()
    yield
    tracing._tracer.cache_clear()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "wine"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_traces_are_made_where_the_environment_asks_for_them(env: dict[str, str], expected: bool) -> None:
    assert tracing.asked(env) is expected


def test_without_traces_the_application_stays_as_it_is() -> None:
    app = object()
    assert tracing.wrap(app) is app
    assert tracing.span("predict", "wine") is tracing.span("predict", "wine")
    tracing.end()


def test_asked_for_and_not_installed_says_so_and_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    app = object()
    assert tracing.wrap(app) is app
    assert "shipwheel-serve[otel]" in caplog.text


CODE = """
import asyncio
from shipwheel_serve import tracing

async def app(scope, receive, send):
    with tracing.span("predict", "wine"):
        await send({"type": "http.response.start", "status": 201, "headers": []})

async def send(message): pass

parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"traceparent", parent)]}
asyncio.run(tracing.wrap(app)(scope, None, send))
tracing.end()
"""


@pytest.mark.network
def test_spans_reach_the_collector_below_the_callers(tmp_path: Path) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "OTEL_SERVICE_NAME": "wine-service"}
        python = environments(tmp_path)("opentelemetry-sdk>=1.20", "opentelemetry-exporter-otlp-proto-http>=1.20")
        done = subprocess.run([python, "-c", CODE], env=env, capture_output=True, text=True, check=False)
        server.shutdown()
        thread.join()
    assert (done.returncode, done.stderr) == (0, "")
    (path, body), *_ = got
    assert path == "/v1/traces"
    assert bytes.fromhex("0af7651916cd43dd8448eb211c80319c") in body
    assert body.count(b"predict") >= 1
    assert b"wine-service" in body
    assert b"http.response.status_code" in body
