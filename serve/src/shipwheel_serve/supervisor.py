"""The first process: opens the port, starts workers, replaces those that die, and ends them in order. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from shipwheel_serve import limits, logs
from shipwheel_serve.board import Board
from shipwheel_serve.errors import ModelError
from shipwheel_serve.settings import Settings

BACKLOG = 2048
"""Connections that wait in the kernel."""

BRIEF = 5.0
"""Seconds: a worker that lived for less is started again with a growing pause."""

PAUSES = (0.0, 0.2, 1.0, 5.0, 10.0)
"""Seconds before the first, second, ... restart in a row."""

HOPELESS = 4
"""Brief lives in a row, of every worker and with none ever ready, after which the container itself should end."""

KILL_AFTER = 2.0
"""Seconds beyond all time limits that a worker has to end."""


@dataclass(slots=True)
class _Worker:
    slot: int
    pid: int = 0
    since: float = 0.0
    brief: int = 0
    due: float = 0.0


class Supervisor:
    """`run` returns the exit status when everything has ended."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self._settings, self._env = settings, env
        self._gpus = limits.gpu_ids(env)
        count = limits.worker_count(settings, self._gpus)
        self._board = Board(count)
        self._workers = [_Worker(slot) for slot in range(count)]
        self._metrics: Path | None = None
        self._signals: list[int] = []
        self._ending = 0.0
        self._status = 0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, then drain; a second signal ends at once.

        Raises:
            ModelError: the port cannot be had.
        """
        listener = _listen(self._settings)
        woken, waker = os.pipe()
        for end in (woken, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._note)
        mine, theirs = os.pipe()  # when we are gone, however, its other end says so
        host, port = listener.getsockname()[:2]
        logs.log("info", f"listening on http://{host}:{port}", workers=len(self._workers), pid=os.getpid())
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, theirs)
            self._metrics = stack.enter_context(_metrics_folder(self._env, len(self._workers)))
            while not self._ending or any(worker.pid for worker in self._workers):
                for worker in self._workers:
                    if not worker.pid and not self._ending and time.monotonic() >= worker.due:
                        self._start(worker, listener, mine, (woken, waker, theirs))
                select.select([woken], [], [], self._pause())
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4096)
                self._reap()
                self._heed(listener)
        return self._status

    def _note(self, number: int, _: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _pause(self) -> float | None:
        """Seconds until something is due."""
        due = [worker.due for worker in self._workers if not worker.pid and not self._ending]
        if self._ending:
            due.append(self._ending)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _start(self, worker: _Worker, listener: socket.socket, parent: int, close: tuple[int, ...]) -> None:
        self._board.clear(worker.slot)
        sys.stdout.flush()
        worker.pid = os.fork()
        worker.since = time.monotonic()
        if worker.pid:
            return
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for each in close:
                os.close(each)
            os.environ.update(limits.thread_environment(self._settings, self._env, len(self._workers)))
            if self._gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = self._gpus[worker.slot % len(self._gpus)]
            from shipwheel_serve.metrics import Metrics
            from shipwheel_serve.worker import Seat, run

            metrics = Metrics(worker.slot, self._metrics)
            run(self._settings, self._board, Seat(slot=worker.slot, listener=listener, parent=parent, metrics=metrics))
        except BaseException as error:  # noqa: BLE001 - the child must never return into the supervisor's loop
            logs.log("error", "a worker failed", error)
        finally:
            os._exit(1)

    def _reap(self) -> None:
        """Take the status of every process that ended; as process 1 that is also those of others."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for worker in self._workers:
                if worker.pid == pid:
                    self._ended(worker, status)

    def _ended(self, worker: _Worker, status: int) -> None:
        worker.pid = 0
        self._board.clear(worker.slot)
        for gauge in self._metrics.glob(f"gauge_live*_{worker.slot}.db") if self._metrics else ():
            gauge.unlink(missing_ok=True)  # what a dead worker said of itself
        if self._ending:
            return
        now = time.monotonic()
        worker.brief = worker.brief + 1 if now - worker.since < BRIEF else 0
        pause = PAUSES[min(worker.brief, len(PAUSES) - 1)]
        worker.due = now + pause
        if not self._board.settled and all(each.brief >= HOPELESS for each in self._workers):
            logs.log("critical", f"no worker starts: {_why(status)}", worker=worker.slot)
            self._status, self._ending = 1, now
            return
        logs.log("error", f"worker {worker.slot} ended: {_why(status)}; a new one starts", worker=worker.slot, pause=pause)

    def _heed(self, listener: socket.socket) -> None:
        if self._signals and not self._ending:
            self._signals.clear()
            settings = self._settings
            self._ending = time.monotonic() + settings.drain_delay_s + settings.graceful_timeout_s + KILL_AFTER
            logs.log("info", "ending: requests that were taken are answered first")
            self._board.drain()
            listener.close()  # the workers have their own; ours would keep connections waiting for nobody
            self._signal(signal.SIGTERM)
        elif self._ending and (self._signals or time.monotonic() > self._ending):
            why = "asked again" if self._signals else "time is up"
            self._signals.clear()
            self._ending = time.monotonic() + KILL_AFTER
            slots = [worker.slot for worker in self._workers if worker.pid]
            logs.log("warning", f"ending at once: {why}", workers=slots)
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)


@contextlib.contextmanager
def _metrics_folder(env: Mapping[str, str], workers: int) -> Iterator[Path | None]:
    """An empty folder in which the workers' metrics meet; one worker alone needs none. Ours is removed at the end."""
    if given := env.get("PROMETHEUS_MULTIPROC_DIR"):
        folder = Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.db"):
            old.unlink()
        yield folder
    elif workers == 1:
        yield None
    else:
        with tempfile.TemporaryDirectory(prefix="shipwheel-metrics-", ignore_cleanup_errors=True) as made:
            yield Path(made)


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ModelError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", "choose another port") from None


def _why(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        more = ", perhaps for want of memory" if number == signal.SIGKILL else ""
        return f"killed by {signal.Signals(number).name}{more}"
    return f"exit status {os.WEXITSTATUS(status)}"
