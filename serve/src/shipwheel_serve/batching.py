"""`Batcher`: requests that wait go to the model together; nothing is delayed for it unless the settings say so."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

import numpy as np

from shipwheel_serve.errors import Busy, ServeError, TimedOut
from shipwheel_serve.model import Predict
from shipwheel_serve.schema import Arrays
from shipwheel_serve.settings import Settings


class Watch(Protocol):
    """What is told about batches."""

    def phase(self, name: str, seconds: float) -> None:
        """A phase of a request took so long."""

    def batch(self, rows: int) -> None:
        """A call of the model got so many rows."""

    def queue(self, depth: int) -> None:
        """So many requests wait."""


@dataclass(slots=True, eq=False)
class _Item:
    arrays: Arrays
    rows: int
    future: asyncio.Future[Arrays]
    queued: float = field(default_factory=perf_counter)
    timer: asyncio.TimerHandle | None = None


class Batcher:
    """A queue before the model; all methods belong to the event loop, only `_run` is in a thread of `pool`.

    `row_wise`: requests may be joined. `watch` is told of phases, sizes and depth.
    """

    def __init__(self, predict: Predict, pool: Executor, settings: Settings, watch: Watch, *, row_wise: bool) -> None:
        self._predict, self._pool, self._settings, self._watch = predict, pool, settings, watch
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Item] = deque()
        self._running = 0
        self._scheduled = False
        self.row_wise = row_wise

    def submit(self, arrays: Arrays, rows: int) -> asyncio.Future[Arrays]:
        """Queue one request; the future has its own rows of the answer, or its own error.

        Raises:
            Busy: the queue is full.
        """
        if len(self._waiting) >= max(1, self._settings.max_queue_size):
            raise Busy(f"{len(self._waiting)} requests are waiting already", hint="try again in a moment")
        item = _Item(arrays, rows, self._loop.create_future())
        item.timer = self._loop.call_later(self._settings.request_timeout_s, self._expire, item)
        self._waiting.append(item)
        self._schedule()
        return item.future

    def _schedule(self) -> None:
        """Start a call soon: whatever else came in this turn of the loop goes with it."""
        if self._scheduled or not self._waiting or self._running >= self._settings.max_concurrency:
            return
        self._scheduled = True
        wait = self._settings.max_batch_delay_ms / 1000
        if wait and self.row_wise:
            due = self._waiting[0].queued + wait - perf_counter()
            if due > 0 and sum(item.rows for item in self._waiting) < self._settings.max_batch_size:
                self._loop.call_later(due, self._start)
                return
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        batch = self._take()
        self._watch.queue(len(self._waiting))
        if batch:
            self._running += 1
            self._pool.submit(self._run, batch)
            self._schedule()

    def _take(self) -> list[_Item]:
        """The first request, and those behind it that fit with it into one call."""
        batch: list[_Item] = []
        rows, shape = 0, None
        while self._waiting:
            item = self._waiting[0]
            if item.future.done():  # it waited too long
                self._waiting.popleft()
                continue
            if batch and (not self.row_wise or rows + item.rows > self._settings.max_batch_size or _shape(item) != shape):
                break
            shape = shape or _shape(item)
            rows += item.rows
            batch.append(self._waiting.popleft())
        return batch

    def _run(self, batch: list[_Item]) -> None:
        """In a thread: one call for all; where that fails, one for each, so that only the culprit gets the error."""
        started = perf_counter()
        results: Sequence[Arrays | ServeError]
        try:
            results = self._together(batch)
        except BaseException as error:  # noqa: BLE001 - whatever a model raises, SystemExit too, is that request's answer
            results = [_failure(error)] if len(batch) == 1 else [self._alone(item) for item in batch]
        self._loop.call_soon_threadsafe(self._done, batch, results, started, perf_counter())

    def _together(self, batch: list[_Item]) -> list[Arrays]:
        first = batch[0]
        if len(batch) == 1:
            return [self._call(first.arrays, first.rows)]
        joined = {name: np.concatenate([item.arrays[name] for item in batch]) for name in first.arrays}
        total = sum(item.rows for item in batch)
        outputs = self._call(joined, total)
        if any(len(array) != total for array in outputs.values()):
            self.row_wise = False
            raise ServeError("the model does not answer row by row")
        return list(_split(outputs, batch))

    def _call(self, arrays: Arrays, rows: int) -> Arrays:
        """The model, never with more rows than it may have at a time."""
        most = self._settings.max_batch_size
        if rows <= most or not self.row_wise:
            self._watch.batch(rows)
            return self._predict(arrays)
        parts = []
        for start in range(0, rows, most):
            piece = {name: array[start : start + most] for name, array in arrays.items()}
            self._watch.batch(min(most, rows - start))
            parts.append(self._predict(piece))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _alone(self, item: _Item) -> Arrays | ServeError:
        try:
            return self._call(item.arrays, item.rows)
        except BaseException as error:  # noqa: BLE001 - as above
            return _failure(error)

    def _done(self, batch: list[_Item], results: Sequence[Arrays | ServeError], started: float, ended: float) -> None:
        self._running -= 1
        self._schedule()
        self._watch.phase("predict", ended - started)
        for item, result in zip(batch, results, strict=True):
            self._watch.phase("queue", started - item.queued)
            if item.timer:
                item.timer.cancel()
            if item.future.done():  # it timed out meanwhile
                continue
            if isinstance(result, ServeError):
                item.future.set_exception(result)
            else:
                item.future.set_result(result)

    def _expire(self, item: _Item) -> None:
        if not item.future.done():
            item.future.set_exception(TimedOut(f"no answer within {self._settings.request_timeout_s:g} s"))


def _shape(item: _Item) -> tuple[object, ...]:
    """What must be equal for arrays to be joined."""
    return tuple((name, array.dtype, array.shape[1:]) for name, array in item.arrays.items())


def _failure(error: BaseException) -> ServeError:
    """As the caller sees it; the original, with its traceback, is the cause, for the log."""
    if isinstance(error, ServeError):
        return error
    failure = ServeError(f"the model failed: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _split(outputs: Arrays, batch: Sequence[_Item]) -> list[Arrays]:
    at, parts = 0, list[Arrays]()
    for item in batch:
        parts.append({name: array[at : at + item.rows] for name, array in outputs.items()})
        at += item.rows
    return parts
