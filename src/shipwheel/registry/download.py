"""`Download`: the bytes of a blob as they come; one that breaks off goes on where it stopped (Range, RFC 9110 section 14)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING

from shipwheel.errors import IntegrityError, NetworkError
from shipwheel.http import Body, Client
from shipwheel.oci.blob import Descriptor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Open = Callable[[int], AbstractContextManager[Body]]
"""The body from an offset, in one attempt."""


class Download(io.RawIOBase):
    """A stream of a blob's bytes, no more than its descriptor says; connected at once, so that what is absent is told here."""

    def __init__(self, descriptor: Descriptor, open: Open, client: Client) -> None:
        super().__init__()
        self._descriptor, self._open, self._client = descriptor, open, client
        self._stack = ExitStack()
        self._chunks: Iterator[bytes] | None = None
        self._rest = memoryview(b"")
        self._at = 0
        client.retry(self._connect)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See `io.RawIOBase`.

        Raises:
            NetworkError: attempts are used up.
            IntegrityError: more bytes come than the blob has.
        """
        if not self._rest and self._at < self._descriptor.size:
            self._rest = memoryview(self._client.retry(self._next, lambda: self._at))
        target = memoryview(buffer).cast("B")
        taken = min(len(target), len(self._rest))
        target[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._disconnect()
        super().close()

    def _next(self) -> bytes:
        try:
            chunks = self._connect()
            chunk = next(chunks, b"")
            if not chunk:
                raise self._short()
        except NetworkError:
            self._disconnect()
            raise
        self._at += len(chunk)
        if self._at > self._descriptor.size or (self._at == self._descriptor.size and self._has_more(chunks)):
            raise IntegrityError(f"blob {self._descriptor.digest} has more than the {self._descriptor.size} bytes promised")
        return chunk

    def _connect(self) -> Iterator[bytes]:
        if self._chunks is None:
            body = self._stack.enter_context(self._open(self._at))
            self._chunks = _after(self._at - body.start, body.chunks)
        return self._chunks

    def _disconnect(self) -> None:
        self._chunks = None
        self._stack.close()

    def _has_more(self, chunks: Iterator[bytes]) -> bool:
        """Read to the end, without which the connection could not be used again."""
        with suppress(NetworkError):
            return bool(next(chunks, b""))
        return False

    def _short(self) -> NetworkError:
        size = self._descriptor.size
        return NetworkError(
            f"blob {self._descriptor.digest} ended after {self._at} of {size} bytes", method="GET", status=200, retryable=True
        )


def _after(count: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Without the first bytes: where a server takes no Range, it sends what is here already."""
    for chunk in chunks:
        if len(chunk) > count:
            yield chunk[count:]
        count = max(0, count - len(chunk))
