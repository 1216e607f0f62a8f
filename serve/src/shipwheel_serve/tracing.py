"""OpenTelemetry traces, where the extra is installed and OTEL_* variables ask for them; else nothing, at no cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from shipwheel_serve import logs

_OFF: AbstractContextManager[Any] = nullcontext()


def asked(env: Mapping[str, str]) -> bool:
    """Whether an exporter or its address is named (OpenTelemetry, "Environment Variable Specification")."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    names = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(env.get(name) for name in names)


def span(name: str, model: str) -> AbstractContextManager[Any]:
    """A span around a piece of work, below the request's where there is one."""
    tracer = _tracer()
    return _OFF if tracer is None else tracer.start_as_current_span(name, attributes={"model.name": model})


def wrap(app: Any) -> Any:
    """The ASGI application with a span around each request, below the caller's (W3C traceparent); without traces itself."""
    tracer = _tracer()
    if tracer is None:
        return app
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with tracer.start_as_current_span(scope["method"], extract(headers), SpanKind.SERVER, attributes) as current:

            async def watched(message: Any) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await app(scope, receive, watched)

    return traced


def end() -> None:
    """Send what is left; before the process ends."""
    tracer = _tracer()
    if tracer is not None:
        from opentelemetry import trace

        trace.get_tracer_provider().shutdown()


@cache
def _tracer() -> Any:
    """The tracer of this process, made after it was forked: the exporter has a thread."""
    if not asked(os.environ):
        return None
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logs.log("warning", "OTEL_* asks for traces, and OpenTelemetry is not installed: add shipwheel-serve[otel]")
        return None
    provider = TracerProvider()  # its resource comes from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("shipwheel_serve")
