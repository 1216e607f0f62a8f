"""Questions that may never be answered: each in a thread of its own, for as long as we care to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 6.0
"""Seconds for all answers together, counted from the first question; every one that is fine takes less than two."""


class Asking:
    """Asks in threads that nobody waits for at exit: a driver or a name server that hangs does not hold the program up."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._until = time.monotonic() + patience

    def ask(self, question: Callable[[], T], late: T) -> Callable[[], T]:
        """Begin, and return what gives the answer; `late` stands for one that does not come in time."""
        future: Future[T] = Future()
        threading.Thread(target=_run, args=(question, future), daemon=True).start()

        def answer() -> T:
            try:
                return future.result(max(0.0, self._until - time.monotonic()))
            except TimeoutError:
                return late

        return answer


def _run(question: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(question())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
        future.set_exception(error)
