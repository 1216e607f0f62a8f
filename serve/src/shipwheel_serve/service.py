"""`Service`: one worker's model from its load, through its checks, to its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from shipwheel_serve import bundle, codec, download, environment, formats, golden, logs, tracing
from shipwheel_serve.batching import Batcher
from shipwheel_serve.board import Board
from shipwheel_serve.errors import ModelError, NotReady, ServeError
from shipwheel_serve.metrics import Metrics
from shipwheel_serve.model import Model, Report
from shipwheel_serve.schema import Arrays, Schema, rows
from shipwheel_serve.settings import Settings

LARGE = 256 << 10
"""Bytes of a body from which parsing it would hold up other requests: a thread does it then."""

T = TypeVar("T")


class Service:
    """The model of one worker; `report` is how it stands, written to the board as it changes."""

    def __init__(self, settings: Settings, board: Board, slot: int, metrics: Metrics) -> None:
        self._settings, self._board, self._slot, self._metrics = settings, board, slot, metrics
        self._pool = ThreadPoolExecutor(max(1, settings.max_concurrency), thread_name_prefix="model")
        self._parsers = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._batcher: Batcher | None = None
        self._counts = {"success": [0, 0.0], "fail": [0, 0.0]}
        self.model: Model | None = None
        self.described = {"name": _name(settings), "version": "1"}
        """Name and version; before the model is loaded what the settings say."""
        self.report = Report(state="starting")

    @property
    def sample(self) -> bytes:
        """A request that the model takes, made from its schema: golden rows are somebody's data, and stay inside."""
        return codec.sample(self.model.schema) if self.model else b""

    def loaded(self) -> Model:
        """The model.

        Raises:
            NotReady: it is not loaded.
        """
        if self.model is None:
            raise NotReady("; ".join(self.report.reasons) or f"the model is not loaded yet ({self.report.state})")
        return self.model

    async def start(self) -> Report:
        """Fetch, load, compare, check; what comes out is this worker's report, and the truth about it until it ends."""
        try:
            await self._start()
        except Exception as error:  # noqa: BLE001 - a library may raise anything while it loads; all of it is a reason
            known = isinstance(error, ServeError)
            reason = str(error) if known else f"the model cannot be loaded: {type(error).__name__}: {error}"
            logs.log("error", reason, None if known else error)
            self._say(state="failed", reasons=(*self.report.reasons, reason))
        self._metrics.ready(self.report.ready)
        self._metrics.golden(self.report)
        self._metrics.mismatches(self.report.mismatches)
        return self.report

    async def _start(self) -> None:
        began = perf_counter()
        loop = asyncio.get_running_loop()
        path = await loop.run_in_executor(self._pool, self._fetch)
        self._say(state="loading")
        self.model = model = await loop.run_in_executor(self._pool, _load, path, self._settings)
        self.described = {"name": model.name, "version": model.version}
        self._metrics.loaded(model, perf_counter() - began)
        notes = tuple(f"while loading: {warning}" for warning in model.warnings)
        mismatches, refusals = environment.compare(model.trained, self._settings, model.golden is not None)
        self._say(state="checking", mismatches=tuple(mismatches), notes=notes, model=_describe(model))
        joined = bool(model.row_wise) and self._settings.max_batch_size > 1
        self._batcher = Batcher(model.predict, self._pool, self._settings, self._metrics, row_wise=joined)
        self.report = replace(self.report, **await self._verify(model))
        seconds = perf_counter() - began
        likely = sorted(mismatches, key=lambda each: (each.package != model.library, not each.here))
        differing = tuple(str(each) for each in likely)
        for note in (*differing, *self.report.notes):
            logs.log("warning", note)
        refused = tuple(refusals)
        if self.report.reasons and self._settings.golden == "strict":
            refused = (*refusals, *self.report.reasons, *(each for each in differing if not any(each in r for r in refusals)))
        for reason in self.report.reasons:
            logs.log("error" if reason in refused else "warning", reason)
        kept = tuple(reason for reason in self.report.reasons if reason not in refused)
        self._say(state="failed" if refused else "ready", reasons=refused, notes=(*self.report.notes, *kept))
        what = "ready" if self.report.ready else "not ready"
        logs.log("info", f"{what}: {model.name} {model.version}", golden=self.report.golden, seconds=round(seconds, 3))

    def _fetch(self) -> Path:
        """Where the model is, brought here first where the settings say so."""
        settings = self._settings
        if settings.delivery == "download":
            self._say(state="downloading")
            return download.fetch(settings, lambda line: logs.log("info", line))
        return download.mounted(settings) if settings.delivery == "mount" else settings.root / settings.model

    async def _verify(self, model: Model) -> dict[str, Any]:
        """The golden inputs through everything that a request goes through; fields of the report."""
        notes = self.report.notes
        if self._settings.golden == "off":
            return {"golden": "absent", "notes": (*notes, "golden answers are not compared: the settings say so")}
        if model.golden is None:
            return {
                "golden": "absent",
                "notes": (*notes, "the model has no golden answers: nothing says that it answers as in training"),
            }
        request = model.golden.request
        try:
            answer = await self._ask(model, request, lambda schema: codec.decode(request, schema), lambda outputs, _: outputs)
        except ServeError as error:
            logs.log("error", error.message, error.__cause__)
            return {"golden": "failed", "reasons": (f"the golden inputs get no answer: {error.message}",)}
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(self._pool, _compared, model, answer)
        return {
            "golden": "passed" if verdict.passed else "failed",
            "reasons": verdict.reasons,
            "max_error": verdict.max_error,
            "rows": verdict.rows,
        }

    async def answer(self, body: bytes, decode: Callable[[Schema], Arrays], encode: Callable[[Arrays, Schema], T]) -> T:
        """One request: `decode` makes arrays of its body, `encode` an answer of what the model gives.

        Raises:
            NotReady: the model is not, and why.
            ServeError: any of its kinds.
        """
        model = self.model
        if model is None or not self.report.ready:
            reasons = self.report.reasons or (f"the model is not ready yet ({self.report.state})",)
            raise NotReady("; ".join(reasons))
        began, status = perf_counter(), "fail"
        try:
            with tracing.span("predict", model.name):
                answer = await self._ask(model, body, decode, encode)
            status = "success"
            return answer
        finally:
            count = self._counts[status]
            count[0] += 1
            count[1] += perf_counter() - began
            self._metrics.infer(status)

    async def _ask(
        self, model: Model, body: bytes, decode: Callable[[Schema], Arrays], encode: Callable[[Arrays, Schema], T]
    ) -> T:
        assert self._batcher
        loop, metrics = asyncio.get_running_loop(), self._metrics
        began = perf_counter()
        large = len(body) > LARGE
        arrays = await loop.run_in_executor(self._parsers, decode, model.schema) if large else decode(model.schema)
        count = rows(arrays)
        metrics.phase("preprocess", perf_counter() - began)
        outputs = await self._batcher.submit(arrays, count)
        began = perf_counter()
        large = sum(array.nbytes for array in outputs.values()) > LARGE
        answer = (
            await loop.run_in_executor(self._parsers, encode, outputs, model.schema) if large else encode(outputs, model.schema)
        )
        metrics.phase("postprocess", perf_counter() - began)
        return answer

    def statistics(self) -> dict[str, Any]:
        """Counts and nanoseconds of this worker (Triton's statistics extension)."""
        counts = {name: {"count": count, "ns": int(seconds * 1e9)} for name, (count, seconds) in self._counts.items()}
        return {**self.described, "inference_count": counts["success"]["count"], "inference_stats": counts}

    def drain(self) -> None:
        """Say that the end is near; requests are still answered."""
        self._board.drain()
        self._metrics.ready(False)

    def _say(self, **changes: Any) -> None:
        self.report = replace(self.report, **changes)
        self._board.write(self._slot, self.report)


def _name(settings: Settings) -> str:
    return settings.name or Path(settings.model.rpartition(":")[0] or settings.model).stem or "model"


def _load(path: Path, settings: Settings) -> Model:
    model = bundle.load(path, settings) if (path / bundle.FILE).is_file() else formats.load_file(path, settings)
    if model.schema.layout == "frame" and not find_spec("pandas"):
        raise ModelError("the model takes a DataFrame, and pandas is not installed", hint="add pandas to the requirements")
    return model


def _describe(model: Model) -> dict[str, str]:
    return {"name": model.name, "version": model.version, "library": model.library, "format": model.format}


def _compared(model: Model, answer: Arrays) -> golden.Verdict:
    """The golden answers, and what the model's own feature step makes of the golden inputs."""
    assert model.golden
    features = None
    if model.features and model.golden.features:
        features = model.features(codec.decode(model.golden.request, model.schema))
    return golden.compare(model.golden, golden.expected(model.golden, model.schema), answer, features, model.schema)
