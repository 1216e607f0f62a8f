"""What goes wrong in production, made to happen: slow models, signals, killed workers, full queues, masses of requests."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.serving import Serving, serving

pytestmark = pytest.mark.serving

MODEL = '''
import time

class Twice:
    """Doubles; a row of 13 fails, a negative one takes so many seconds (of Python, not of sleep)."""

    row_wise = True

    def predict(self, x):
        if (x == 13).any():
            raise ValueError("thirteen")
        end = time.monotonic() - min(0.0, float(x.min()))
        while time.monotonic() < end:
            sum(range(1000))
        return x[:, 0] * 2
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "twice.py").write_text(MODEL)
    return tmp_path


def predict(service: Serving, value: float) -> Any:
    return service.ask("/predict", {"inputs": [[value]]})


def test_health_answers_while_a_prediction_takes_ten_seconds(folder: Path) -> None:
    with serving(folder, "twice:Twice") as service, ThreadPoolExecutor(1) as pool:
        service.wait()
        slow = pool.submit(predict, service, -10)
        time.sleep(0.5)
        took = []
        while not slow.done():
            answer = service.ask("/health")
            assert answer.status == 200
            took.append(answer.seconds)
            time.sleep(0.05)
        assert slow.result().json() == {"predictions": [-20.0]}
        assert len(took) > 50
        assert sorted(took)[int(len(took) * 0.95)] < 0.1


def test_sigterm_under_load_loses_no_request_that_was_taken(folder: Path) -> None:
    with serving(folder, "twice:Twice", {"SHIPWHEEL_WORKERS": "2"}) as service:
        service.wait()
        began = time.monotonic()
        client = asyncio.run(_until_it_ends(service))
        assert service.process.wait(30) == 0
        assert time.monotonic() - began < 25, service.lines  # nobody waited for the time limits of 30 s
        assert client["lost"] == 0
        assert client["wrong"] == 0
        assert client["answered"] > 100
        assert client["closed"] > 0  # connections were told to go, not cut


async def _until_it_ends(service: Serving) -> dict[str, int]:
    """32 keep-alive clients; SIGTERM after a second; what became of requests that were sent."""
    counts = dict.fromkeys(("answered", "lost", "wrong", "closed"), 0)
    loop = asyncio.get_running_loop()
    loop.call_later(1.0, service.process.send_signal, signal.SIGTERM)

    async def client(number: int) -> None:
        value = 0
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            except OSError:
                return  # nobody listens any more: the request was not sent
            try:
                keep = True
                while keep:
                    value += 1
                    asked = (number + 1) * 100_000 + value
                    try:
                        await _send(writer, asked)
                        status, headers, body = await _read(reader)
                    except (asyncio.IncompleteReadError, ConnectionError):
                        # A connection that the server had not accepted when it stopped listening is reset as a whole.
                        counts["lost"] += value > 1 and keep
                        return
                    keep = headers.get("connection") != "close"
                    counts["closed"] += not keep
                    counts["answered"] += 1
                    counts["wrong"] += status != 200 or json.loads(body) != {"predictions": [asked * 2.0]}
            finally:
                writer.close()
            value = 0

    await asyncio.gather(*(client(number) for number in range(32)))
    return counts


async def _send(writer: asyncio.StreamWriter, value: float) -> None:
    body = json.dumps({"inputs": [[value]]}).encode()
    writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def test_a_second_sigterm_ends_at_once_and_the_log_says_so(folder: Path) -> None:
    with serving(folder, "twice:Twice") as service, ThreadPoolExecutor(1) as pool:
        service.wait()
        slow = pool.submit(predict, service, -20)
        time.sleep(0.5)
        began = time.monotonic()
        service.process.terminate()
        time.sleep(0.5)
        service.process.terminate()
        assert service.process.wait(10) == 0
        assert time.monotonic() - began < 8
        assert isinstance(slow.exception(), OSError)
    assert any(line["message"] == "ending at once: asked again" and line["workers"] == [0] for line in service.lines)


def test_a_killed_worker_is_replaced_and_only_its_requests_fail_at_once(folder: Path) -> None:
    with serving(folder, "twice:Twice", {"SHIPWHEEL_WORKERS": "2"}) as service:
        service.wait()
        victims, outcomes, stop = service.workers(), list[tuple[str, float]](), threading.Event()

        def client() -> None:
            while not stop.is_set():
                began = time.perf_counter()
                try:
                    answer = predict(service, 4)
                    outcomes.append(("ok" if answer.json() == {"predictions": [8.0]} else "bad", time.perf_counter() - began))
                except (OSError, ValueError):
                    outcomes.append(("cut", time.perf_counter() - began))

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        os.kill(victims[0], signal.SIGKILL)
        time.sleep(0.2)
        assert service.ask("/ready").status == 200  # the other one serves, and no connection reaches the new one too early
        time.sleep(3)
        stop.set()
        for thread in threads:
            thread.join(10)
        assert {kind for kind, _ in outcomes} <= {"ok", "cut"}
        assert sum(kind == "cut" for kind, _ in outcomes) <= 8
        assert max(seconds for kind, seconds in outcomes if kind == "cut" or seconds) < 2
        service.wait()
        assert set(service.workers()) != set(victims)
        assert service.ask("/ready").json()["workers"] == {"ready": 2}
        assert any("killed by SIGKILL" in line["message"] for line in service.lines)


def test_a_lone_worker_that_is_killed_comes_back(folder: Path) -> None:
    with serving(folder, "twice:Twice") as service:
        service.wait()
        os.kill(service.workers()[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if service.ask("/ready", timeout=5).status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
        assert predict(service, 1).json() == {"predictions": [2.0]}


def test_a_full_queue_is_refused_within_50_ms(folder: Path) -> None:
    with serving(folder, "twice:Twice", {"SHIPWHEEL_MAX_QUEUE_SIZE": "2", "SHIPWHEEL_MAX_BATCH_SIZE": "1"}) as service:
        service.wait()
        with ThreadPoolExecutor(3) as pool:
            waiting = []
            for _ in range(3):
                waiting.append(pool.submit(predict, service, -2))
                time.sleep(0.2)
            refused = [predict(service, 1) for _ in range(5)]
            assert [answer.status for answer in refused] == [429] * 5
            assert all(answer.headers["retry-after"] for answer in refused)
            assert sorted(answer.seconds for answer in refused)[2] < 0.05
            assert [each.result().status for each in waiting] == [200] * 3
        assert b'model_requests_rejected_total{reason="queue_full"} 5.0' in service.ask("/metrics").body


def test_a_prediction_over_the_time_limit_is_504_and_a_body_over_its_limit_413(folder: Path) -> None:
    with serving(
        folder, "twice:Twice", {"SHIPWHEEL_REQUEST_TIMEOUT_S": "0.3", "SHIPWHEEL_MAX_PAYLOAD_SIZE": "1000"}
    ) as service:
        service.wait()
        late = predict(service, -1)
        assert late.status == 504
        assert late.seconds < 0.9
        large = service.ask("/predict", b"[" + b"1," * 1000 + b"1]")
        assert large.status == 413
        time.sleep(1)
        assert predict(service, 3).json() == {"predictions": [6.0]}


@pytest.mark.slow
def test_a_hundred_thousand_requests_good_and_bad_leak_nothing_and_reach_their_callers(folder: Path) -> None:
    with serving(folder, "twice:Twice") as service:
        service.wait()
        asyncio.run(_mixed(service, 10_000))
        warm = _memory(service.workers()[0])
        counts = asyncio.run(_mixed(service, 90_000))
        grown = _memory(service.workers()[0]) - warm
        assert counts == {"right": counts["right"]}
        assert grown < 8 << 20, f"{grown >> 10} KiB more than after the first 10,000"
        assert service.stop() == 0


async def _mixed(service: Serving, count: int) -> dict[str, int]:
    """Good requests, ones that the schema refuses, ones at which the model raises, bodies that are no JSON."""
    counts, numbers, chance = dict[str, int](), iter(range(count)), random.Random(7)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        for number in numbers:
            kind = chance.randrange(10)
            value: Any = {0: "text", 1: 13, 2: None}.get(kind, number + 100)
            if kind == 3:
                writer.write(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n{[}")
            else:
                await _send(writer, value)
            status, _, body = await _read(reader)
            expected = {0: 400, 1: 500, 2: 400, 3: 400}.get(kind, 200)
            right = status == expected and (status != 200 or json.loads(body) == {"predictions": [value * 2.0]})
            verdict = "right" if right else f"{kind}: {status}"
            counts[verdict] = counts.get(verdict, 0) + 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(24)))
    return counts


def _memory(pid: int) -> int:
    """Bytes of memory that the process has of its own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("Private_Dirty:", "Private_Clean:")))


def test_a_model_that_kills_every_worker_ends_the_service(folder: Path) -> None:
    (folder / "twice.py").write_text("import os\nos.abort()\n")
    with serving(folder, "twice:Twice") as service:
        assert service.process.wait(60) == 1
        assert any("no worker starts: killed by SIGABRT" in line["message"] for line in service.lines)
