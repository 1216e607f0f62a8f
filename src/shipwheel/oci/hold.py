"""`Hold`: who builds shares a store, who prunes has it alone (flock(2); a killed process holds nothing)."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shipwheel.errors import StoreError


class Hold:
    """One process's share of the lock file at `path`; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._descriptor: int | None = None

    def share(self) -> None:
        """Keep pruners away until `release`, waiting for one that is at work. A store that cannot be written has none."""
        with self._mutex:
            if self._descriptor is not None:
                return
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self._descriptor = descriptor

    def release(self) -> None:
        """Let pruners in again."""
        with self._mutex:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the store to oneself.

        Raises:
            StoreError: someone builds.
        """
        self.release()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"cannot write {self._path}: {error.strerror}", hint="choose a folder that can be written", path=str(self._path)
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise StoreError("another shipwheel builds in this store", hint="prune when it has ended") from None
        finally:
            os.close(descriptor)

    def __del__(self) -> None:
        with suppress(OSError):
            self.release()
