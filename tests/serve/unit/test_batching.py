"""Requests that wait are joined, split again to the right callers, and fail alone."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from shipwheel_serve.batching import Batcher
from shipwheel_serve.errors import Busy, ServeError, TimedOut
from shipwheel_serve.settings import Settings


class Watch:
    def __init__(self) -> None:
        self.batches: list[int] = []
        self.depths: list[int] = []

    def phase(self, name: str, seconds: float) -> None:
        assert seconds >= 0

    def batch(self, rows: int) -> None:
        self.batches.append(rows)

    def queue(self, depth: int) -> None:
        self.depths.append(depth)


class Gate:
    """A model that doubles; the first call waits until it is let go, so that the rest piles up."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.calls: list[int] = []

    def __call__(self, arrays: Any) -> Any:
        self.calls.append(len(arrays["x"]))
        assert self.open.wait(10)
        if (arrays["x"] == 13).any():
            raise ValueError("thirteen")
        if (arrays["x"] == 14).any():
            raise SystemExit(3)
        return {"y": arrays["x"] * 2}


def run(test: Callable[[Callable[..., Batcher], Gate, Watch], Awaitable[None]]) -> Watch:
    watch, gate = Watch(), Gate()

    async def body() -> None:
        with ThreadPoolExecutor(4) as pool:

            def make(*, row_wise: bool = True, **settings: Any) -> Batcher:
                return Batcher(gate, pool, Settings(**settings), watch, row_wise=row_wise)

            try:
                await test(make, gate, watch)
            finally:
                gate.open.set()

    asyncio.run(body())
    return watch


def one(value: float, rows: int = 1) -> Any:
    return {"x": np.full((rows, 2), value)}


async def started(gate: Gate) -> None:
    while not gate.calls:
        await asyncio.sleep(0.001)


def test_what_is_queued_goes_together_and_comes_back_to_its_caller() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        batcher = make()
        first = batcher.submit(one(0), 1)
        await started(gate)
        rest = [batcher.submit(one(value, rows), rows) for value, rows in ((1, 1), (2, 3), (3, 2))]
        gate.open.set()
        assert (await first)["y"].tolist() == [[0, 0]]
        answers = await asyncio.gather(*rest)
        assert [answer["y"].tolist() for answer in answers] == [[[2, 2]], [[4, 4]] * 3, [[6, 6]] * 2]

    assert run(test).batches == [1, 6]


def test_what_comes_in_one_turn_of_the_loop_goes_together_without_delay() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make()
        await asyncio.gather(*(batcher.submit(one(value), 1) for value in range(5)))

    assert run(test).batches == [5]


def test_no_batch_is_larger_than_the_limit_and_a_larger_request_is_cut() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make(max_batch_size=4)
        answers = await asyncio.gather(*(batcher.submit(one(value, rows), rows) for value, rows in ((1, 3), (2, 3), (3, 9))))
        assert [len(answer["y"]) for answer in answers] == [3, 3, 9]
        assert set(answers[2]["y"].ravel()) == {6}

    assert run(test).batches == [3, 3, 4, 4, 1]


def test_a_model_that_is_not_row_wise_gets_each_request_as_it_came() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make(row_wise=False, max_batch_size=4)
        await asyncio.gather(*(batcher.submit(one(value, 6), 6) for value in range(3)))

    assert run(test).batches == [6, 6, 6]


def test_other_shapes_are_not_joined() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make()
        wide = {"x": np.ones((1, 5))}
        await asyncio.gather(batcher.submit(one(1), 1), batcher.submit(wide, 1), batcher.submit(wide, 1))

    assert run(test).batches == [1, 2]


@pytest.mark.parametrize("bad", [13, 14])
def test_one_bad_member_fails_alone(bad: int) -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make()
        results = await asyncio.gather(*(batcher.submit(one(value), 1) for value in (1, bad, 2)), return_exceptions=True)
        good, failed, other = results
        assert good["y"].tolist() == [[2, 2]]
        assert other["y"].tolist() == [[4, 4]]
        assert isinstance(failed, ServeError)
        assert failed.status == 500
        assert "the model failed" in failed.message

    run(test)


def test_outputs_with_other_rows_are_never_shared_out() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make()
        batcher._predict = lambda arrays: {"y": arrays["x"].mean(axis=0, keepdims=True)}
        answers = await asyncio.gather(*(batcher.submit(one(value), 1) for value in (1, 2, 3)))
        assert [answer["y"].tolist() for answer in answers] == [[[1, 1]], [[2, 2]], [[3, 3]]]
        assert not batcher.row_wise

    run(test)


def test_a_full_queue_is_refused_at_once_and_a_slow_answer_times_out() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        batcher = make(max_queue_size=2, request_timeout_s=0.2)
        futures = [batcher.submit(one(0), 1)]
        await started(gate)
        futures += [batcher.submit(one(value), 1) for value in (1, 2)]
        began = time.perf_counter()
        with pytest.raises(Busy):
            batcher.submit(one(3), 1)
        assert time.perf_counter() - began < 0.05
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(result, TimedOut) for result in results)
        gate.open.set()
        while batcher._running:
            await asyncio.sleep(0.001)
        assert (await batcher.submit(one(5), 1))["y"].tolist() == [[10, 10]]
        assert gate.calls == [1, 1]  # what timed out in the queue was never asked

    run(test)


def test_a_delay_fills_the_batch_only_where_it_is_asked_for() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        gate.open.set()
        batcher = make(max_batch_delay_ms=50.0, max_batch_size=3)
        futures = []
        for value in range(3):
            futures.append(batcher.submit(one(value), 1))
            await asyncio.sleep(0.005)
        await asyncio.gather(*futures)

    assert run(test).batches == [3]


def test_calls_at_the_same_time_stay_below_the_limit() -> None:
    async def test(make: Any, gate: Gate, watch: Watch) -> None:
        batcher = make(max_concurrency=2, max_batch_size=1)
        futures = [batcher.submit(one(value), 1) for value in range(4)]
        while len(gate.calls) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        assert len(gate.calls) == 2
        gate.open.set()
        assert [answer["y"][0, 0] for answer in await asyncio.gather(*futures)] == [0, 2, 4, 6]

    run(test)
