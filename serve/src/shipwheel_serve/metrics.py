"""`Metrics`: what Prometheus reads, right with one worker and with several; and GPUs where there are any."""

from __future__ import annotations

import os
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from shipwheel_serve import limits
from shipwheel_serve.model import Mismatch, Model, Report

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of durations: from a small model's answer to the default time limit."""

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class _Histogram(Histogram):
    """prometheus_client's, finding the bucket by bisection: a request makes six observations."""

    def observe(self, amount: float, exemplar: Any = None) -> None:
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


class Metrics:
    """The metrics of the worker in `slot`, counted from 0; `folder` is where several workers' values meet (None: it is alone).

    Files there are named by slot, not by process: a new worker goes on with its predecessor's counts, and however often
    workers are replaced, there are no more files. Gauges of a dead worker are taken away by its successor.
    """

    def __init__(self, slot: int = 0, folder: Path | None = None) -> None:
        given = os.environ.get(FOLDER)
        self._folder, self._own = folder or (Path(given) if given else None), CollectorRegistry()
        if self._folder:
            os.environ[FOLDER] = str(self._folder)
            values.ValueClass = values.MultiProcessValue(lambda: slot)  # users' metrics as well
            mark_process_dead(slot, str(self._folder))
        self._gpus = _Gpus()
        names = ("http_request_method", "http_route", "http_response_status_code")
        self._requests = self._histogram("http_server_request_duration_seconds", "Time to answer a request", names)
        active = self._gauge("http_server_active_requests", "Requests that are being answered", "livesum")
        self._up, self._down = active.inc, active.dec
        self._infers = self._counter("model_infer_requests", "Requests for predictions", ("model", "version", "status"))
        phases = self._histogram("model_infer_duration_seconds", "Time of a request's phases", ("phase",))
        self._phases = {name: phases.labels(name).observe for name in ("queue", "preprocess", "predict", "postprocess")}
        batches = self._histogram("model_batch_size", "Rows of one call of the model", (), ROWS)
        self.batch: Callable[[int], None] = batches.observe
        self.queue: Callable[[int], None] = self._gauge("model_queue_depth", "Requests that wait for the model", "livesum").set
        self._rejected = self._counter("model_requests_rejected", "Requests refused", ("reason",))
        for reason in ("queue_full", "too_large", "timeout", "not_ready"):
            self._rejected.labels(reason)  # 0 from the start: a rate needs a first value
        self._ready = self._gauge("model_ready", "Whether every worker is ready: 1 or 0", "livemin")
        self._checks = self._counter("model_golden_checks", "Comparisons with golden answers", ("result",))
        self._mismatch = self._gauge("model_env_mismatch", "1: this differs from training", "livemax", ("package",))
        self._info = self._gauge("model_info", "The model that is served", "livemax", ("model", "version", "library"))
        self._by_route: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._by_status: dict[str, Callable[[], None]] = {}
        self._model = ("", "")

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is a path's pattern, never a path that a caller made up."""
        observe = self._by_route.get((method, route, status))
        if observe is None:
            known = method if method in METHODS else "_OTHER"
            observe = self._by_route[method, route, status] = self._requests.labels(known, route, status).observe
        observe(seconds)

    def active(self, change: int) -> None:
        """A request came (1) or went (-1)."""
        if change > 0:
            self._up()
        else:
            self._down()

    def infer(self, status: str) -> None:
        """A prediction ended: ok, or how it failed."""
        count = self._by_status.get(status)
        if count is None:
            count = self._by_status[status] = self._infers.labels(*self._model, status).inc
        count()

    def phase(self, name: str, seconds: float) -> None:
        """A request's queue, preprocess, predict or postprocess took so long."""
        self._phases[name](seconds)

    def rejected(self, reason: str) -> None:
        """A request was refused: queue_full, too_large, timeout, not_ready."""
        self._rejected.labels(reason).inc()

    def ready(self, ready: bool) -> None:
        """Whether this worker is ready."""
        self._ready.set(1 if ready else 0)

    def loaded(self, model: Model, seconds: float) -> None:
        """The model was loaded in so many seconds."""
        self._model = (model.name, model.version)
        self._info.labels(model.name, model.version, model.library).set(1)
        self._gauge("model_load_duration_seconds", "Time to load the model", "livemax").set(seconds)

    def golden(self, report: Report) -> None:
        """The golden answers were compared, or there were none: then there is no error to show."""
        self._checks.labels(report.golden or "absent").inc()
        if report.golden in ("passed", "failed"):
            name = "model_golden_max_abs_error"
            self._gauge(name, "Largest error of a golden number", "livemax").set(report.max_error)

    def mismatches(self, mismatches: Iterable[Mismatch]) -> None:
        """What differs from training."""
        for each in mismatches:
            self._mismatch.labels(each.package).set(1)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All workers' values and the GPUs', as text or OpenMetrics, and its content type."""
        registry = CollectorRegistry()
        if self._folder:
            registry.register(_Workers(str(self._folder)))
        else:
            registry.register(self._own)
            registry.register(REGISTRY)  # the process's memory, CPU and files, and metrics of the user's own code
        registry.register(self._gpus)
        encode, kind = choose_encoder(accept)
        return encode(registry), kind

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self._own)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...] = SECONDS) -> Histogram:
        return _Histogram(name, text, labels, buckets=buckets, registry=self._own)

    def _gauge(self, name: str, text: str, mode: Any, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, multiprocess_mode=mode, registry=self._own)


class _Workers(MultiProcessCollector):
    """The values of all workers; a file that one of them is just making or taking away is read again."""

    def __init__(self, path: str) -> None:
        super().__init__(None, path)  # type: ignore[no-untyped-call]

    def collect(self) -> Any:
        for _ in range(10):
            with suppress(OSError, struct.error):
                return super().collect()  # type: ignore[no-untyped-call]
        return super().collect()  # type: ignore[no-untyped-call]


GPU_GAUGES: tuple[tuple[str, str, Callable[[Any, Any], float]], ...] = (
    (
        "gpu_utilization_ratio",
        "Share of time with a kernel running",
        lambda nvml, d: nvml.nvmlDeviceGetUtilizationRates(d).gpu / 100,
    ),
    ("gpu_memory_used_bytes", "GPU memory in use", lambda nvml, d: nvml.nvmlDeviceGetMemoryInfo(d).used),
    ("gpu_memory_total_bytes", "GPU memory", lambda nvml, d: nvml.nvmlDeviceGetMemoryInfo(d).total),
    ("gpu_power_watts", "Power drawn", lambda nvml, d: nvml.nvmlDeviceGetPowerUsage(d) / 1000),
)


class _Gpus:
    """Gauges of all GPUs that NVML shows, asked at every scrape; nothing where there is none."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, ask in GPU_GAUGES if self._devices else ():
            family = GaugeMetricFamily(name, text, labels=("gpu", "uuid"))
            for index, (device, uuid) in enumerate(self._devices):
                with suppress(self._nvml.NVMLError):  # a divided GPU has no utilisation, some have no power
                    family.add_metric((str(index), uuid), ask(self._nvml, device))
            if family.samples:
                yield family

    @cached_property
    def _nvml(self) -> Any:
        return limits.nvml()

    @cached_property
    def _devices(self) -> list[tuple[Any, str]]:
        """Handles with UUIDs."""
        nvml = self._nvml
        devices = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())] if nvml else []
        return [(device, str(nvml.nvmlDeviceGetUUID(device))) for device in devices]
