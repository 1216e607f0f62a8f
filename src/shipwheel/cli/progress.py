"""Progress bars on a terminal, through rich; nothing is drawn for what ends within half a second."""

from __future__ import annotations

import threading
import time

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as RichProgress

QUIET_FOR = 0.5
"""Seconds before the first bar shows."""


class Bars:
    """`shipwheel.progress.Progress` on stderr."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(24), DownloadColumn(), TransferSpeedColumn())
        self._rich = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self._lock = threading.Lock()
        self._open = 0
        self._since = time.monotonic()

    def start(self, name: str, total: int) -> _Bar:
        """A bar; the display starts with the first that is advanced after half a second."""
        with self._lock:
            self._open += 1
        return _Bar(self, self._rich.add_task(name[:48], total=total or None))

    def advance(self, task: TaskID, amount: int) -> None:
        """Move a bar on."""
        if not self._rich.live.is_started and time.monotonic() - self._since > QUIET_FOR:
            with self._lock:
                self._rich.start()
        self._rich.advance(task, amount)

    def done(self, task: TaskID) -> None:
        """Take a bar away; the display ends with the last."""
        self._rich.remove_task(task)
        with self._lock:
            self._open -= 1
            if not self._open:
                self._rich.stop()


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task, self._ended = bars, task, False

    def advance(self, amount: int) -> None:
        """So many more bytes."""
        if not self._ended:
            self._bars.advance(self._task, amount)

    def done(self) -> None:
        """It ended."""
        if not self._ended:
            self._ended = True
            self._bars.done(self._task)
