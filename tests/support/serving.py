"""A real `python -m shipwheel_serve` in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWERS_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Serving:
    """A running service; `lines` are its log so far."""

    process: subprocess.Popen[str]
    port: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, body: Any = None, timeout: float = 60.0, **headers: str) -> Answer:
        """One request on a connection of its own; GET without a body, else POST (bytes as they are, the rest as JSON)."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                "GET" if data is None else "POST", path, data, {k.replace("_", "-"): v for k, v in headers.items()}
            )
            response = connection.getresponse()
            got = response.read()
        finally:
            connection.close()
        return Answer(
            status=response.status,
            headers={key.lower(): value for key, value in response.getheaders()},
            body=got,
            seconds=time.perf_counter() - began,
        )

    def wait(self, state: str = "ready", within: float = ANSWERS_WITHIN) -> dict[str, Any]:
        """The body of /ready, once its state is this."""
        deadline = time.monotonic() + within
        while True:
            assert self.process.poll() is None, self.lines
            found = self.ask("/ready").json()
            if found["state"] == state:
                return dict(found)
            assert time.monotonic() < deadline, (found, self.lines)
            time.sleep(0.02)

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


@contextmanager
def serving(
    folder: Path,
    model: str,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
    arguments: Sequence[str] = ("--host", "127.0.0.1", "--port", "0"),
) -> Iterator[Serving]:
    """Serve `model` (empty: what the settings say) from `folder` on a free port, until the block ends."""
    command = [python, "-m", "shipwheel_serve", *(("--model", model) if model else ()), *arguments]
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    with subprocess.Popen(command, cwd=folder, env=surroundings, stderr=subprocess.PIPE, text=True) as process:
        service, ports = Serving(process=process), queue.Queue[int]()
        reader = threading.Thread(target=_read, args=(service, ports), daemon=True)
        reader.start()
        try:
            try:
                service.port = ports.get(timeout=ANSWERS_WITHIN)
            except queue.Empty:
                raise AssertionError(service.lines) from None
            yield service
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    for pid in service.workers():
                        os.kill(pid, signal.SIGKILL)
                    process.kill()
            reader.join(10)


def _read(service: Serving, ports: queue.Queue[int]) -> None:
    assert service.process.stderr
    for text in service.process.stderr:
        try:
            line = json.loads(text)
        except ValueError:
            line = {"message": text.rstrip()}
        service.lines.append(line)
        if line["message"].startswith("listening on "):
            ports.put(int(line["message"].rpartition(":")[2]))
