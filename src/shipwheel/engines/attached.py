"""A container in the foreground: its log to the caller's output, stopped and removed when the caller goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from shipwheel.engines.engine import Container, State
from shipwheel.engines.wait import Address, Look, answers, check_end, wait_until_answers
from shipwheel.errors import EngineError

DRAIN_WITHIN = 5.0
"""Seconds for the last log lines once the container has ended."""

POLL = 0.5
"""Seconds between looks at a container whose log is silent."""


class Attached:
    """As a context: whatever ends the block, the container is stopped, its log shown to the end, and it is removed."""

    def __init__(self, container: Container, write: Callable[[bytes], object]) -> None:
        """`write` gets the log's pieces, from another thread."""
        self._container = container
        self._write = write
        self._thread = threading.Thread(target=self._follow, name="log-follower", daemon=True)

    def __enter__(self) -> Attached:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._container.stop()
        except KeyboardInterrupt:  # a second Ctrl-C: no more patience
            self._container.stop(within=0)
        finally:
            self._thread.join(DRAIN_WITHIN)
            self._container.remove()

    def until_it_answers(self, where: tuple[Address, ...], look: Look = answers) -> State:
        """Wait until `look` sees the service.

        Raises:
            ContainerError: it died, or did not answer, or never will.
        """
        return wait_until_answers(self._container, where, look=look)

    def until_it_ends(self) -> State:
        """Wait for the end.

        Raises:
            ContainerError: it did not end with exit code 0.
        """
        while self._container.state().running:
            self._thread.join(POLL) if self._thread.is_alive() else time.sleep(POLL)
        return check_end(self._container)

    def _follow(self) -> None:
        with suppress(EngineError, BrokenPipeError):
            for piece in self._container.logs(follow=True):
                self._write(piece)
