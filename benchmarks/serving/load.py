"""A server's life, the load that wrk puts on it, and the CPU time that this takes of its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_WITHIN = 60.0
"""Seconds that a server has until it answers."""

REFUSE_WITHIN = 30.0
"""Seconds after which a status of 4xx is taken for a refusal: some give one as long as their model loads."""

END_WITHIN = 10.0
"""Seconds that it has to end."""

_TICK = os.sysconf("SC_CLK_TCK")

_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nBENCH {"requests":%d,"seconds":%.6f,"bad":%d,"broken":%d,"p50":%.1f,"p99":%.1f}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
"""wrk's own numbers as JSON; latencies in microseconds."""


class UnfitError(Exception):
    """A contender that cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A POST: path, a file with its body, headers, and the numbers that must come back."""

    path: str
    body: Path
    headers: Mapping[str, str]
    answer: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of wrk: CPU seconds of all the server's processes, requests, wall seconds, latencies in microseconds."""

    cpu: float
    requests: int
    seconds: float
    p50: float
    p99: float
    processes: int

    @property
    def cpu_each(self) -> float:
        """Microseconds of CPU a request."""
        return self.cpu / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def server(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[int]:
    """A server's process id while the context lasts; its output is in `folder`/server.log."""
    with ExitStack() as stack:
        output = stack.enter_context((folder / "server.log").open("w"))
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        stack.callback(_end, process)
        yield process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it, then all of its session that is left, to end."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def first_answer(pid: int, port: int, question: Question, log: Path) -> None:
    """Wait until the server answers, and look whether it is right.

    Raises:
        UnfitError: it ended, answers nothing or something else.
    """
    began, told = time.monotonic(), "nothing"
    while time.monotonic() - began < START_WITHIN:
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                raise UnfitError(f"ended at its start: {_last_line(log)}")
        try:
            with urllib.request.urlopen(_request(port, question), timeout=20) as answer:
                got = numbers(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            told = f"HTTP {error.code}: {error.read()[:200].decode(errors='replace')}"
            if error.code < 500 and time.monotonic() - began > REFUSE_WITHIN:
                break
        except (OSError, ValueError) as error:
            told = str(error)
        else:
            if not _close(got, question.answer):
                raise UnfitError(f"answers wrong: {got[:4]} instead of {question.answer[:4]}")
            return
        time.sleep(0.1)
    raise UnfitError(f"no answer: {told}")


def _request(port: int, question: Question) -> urllib.request.Request:
    url = f"http://127.0.0.1:{port}{question.path}"
    return urllib.request.Request(url, question.body.read_bytes(), dict(question.headers), method="POST")


def numbers(answer: Any) -> list[float]:
    """The predictions in an answer of any of the protocols, flat."""
    if isinstance(answer, dict):
        return numbers(answer["predictions"] if "predictions" in answer else answer["outputs"][0]["data"])
    if isinstance(answer, list):
        return [number for each in answer for number in numbers(each)]
    return [float(answer)]


def _close(got: list[float], wanted: tuple[float, ...]) -> bool:
    return len(got) == len(wanted) and all(abs(a - b) <= 1e-4 * (1 + abs(b)) for a, b in zip(got, wanted, strict=True))


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if len(line.strip()) > 1]
    faults = [line for line in lines if "Error" in line]
    return (faults or lines or ["it said nothing"])[-1][:300]


def wrk(port: int, question: Question, connections: int, seconds: float, pid: int) -> Measured:
    """Load it with `connections` requests at a time from one thread.

    Raises:
        UnfitError: an answer was no 2xx, or did not come.
    """
    script = question.body.with_suffix(".lua")
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in question.headers.items())
    reading = f'local file = io.open("{question.body}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n'
    script.write_text(f'wrk.method = "POST"\n{reading}{headers}{_REPORT}')
    url = f"http://127.0.0.1:{port}{question.path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script), url]
    before, _ = cpu_seconds(pid)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after, processes = cpu_seconds(pid)
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("BENCH "))[6:])
    if found["bad"] or found["broken"]:
        raise UnfitError(f"of {found['requests']} answers {found['bad']} were errors and {found['broken']} did not come")
    kept = {name: found[name] for name in ("requests", "seconds", "p50", "p99")}
    return Measured(cpu=after - before, processes=processes, **kept)


def cpu_seconds(root: int) -> tuple[float, int]:
    """CPU time of a process, of all below it, and of those that have ended there; and how many live."""
    parents, used = dict[int, int](), dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parts = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)], used[int(folder.name)] = int(parts[1]), sum(map(int, parts[11:15]))
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree and pid not in tree}:
        tree |= more
    return sum(used.get(pid, 0) for pid in tree) / _TICK, len(tree)
