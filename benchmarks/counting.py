"""A TCP proxy that counts: every byte between a client and a registry, heads included, for all clients in the same way."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress

PIPE = 1 << 20
"""Bytes moved at a time, and the size of the pipe between two sockets: the bytes never enter this process."""


class CountingProxy:
    """Listens on loopback and passes everything on to `upstream` (HOST:PORT); use as a context.

    `sent` are bytes to the registry, `received` those from it.
    """

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.partition(":")
        self._upstream = (host, int(port))
        self._lock = threading.Lock()
        self.sent = self.received = 0

    def __enter__(self) -> CountingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def address(self) -> str:
        """Where it listens, as HOST:PORT."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):  # the end of the context closes the listener
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError), socket.create_connection(self._upstream) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pump, args=(server, client, self._count_received), daemon=True)
            back.start()
            _pump(client, server, self._count_sent)
            back.join()

    def _count_sent(self, size: int) -> None:
        with self._lock:
            self.sent += size

    def _count_received(self, size: int) -> None:
        with self._lock:
            self.received += size


def _pump(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    """Move bytes until the source ends, each counted before it goes on: who has had its answer has been counted."""
    read, write = os.pipe()
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
        while size := os.splice(source.fileno(), write, PIPE):
            count(size)
            while size:
                size -= os.splice(read, target.fileno(), size)
    except OSError:
        pass  # a side that is gone ends both directions
    finally:
        os.close(read)
        os.close(write)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
