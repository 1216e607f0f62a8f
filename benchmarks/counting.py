"""Proxies that count every byte of TCP payload, heads and TLS included: in front of one server, or for all hosts."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress

PIECE = 1 << 18


class CountingProxy:
    """Listens on loopback and passes everything on to `upstream`, HOST:PORT; use as a context.

    Without an upstream it is an HTTP proxy for all hosts: CONNECT tunnels (RFC 9110 section 9.3.6) and plain requests.
    `sent` are bytes to the servers, `received` those from them.
    """

    def __init__(self, upstream: str = "") -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port)) if upstream else None
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
        with closing(client), suppress(OSError):
            head = b"" if self._upstream else client.recv(PIECE)
            with socket.create_connection(self._upstream or _wanted(head)) as server:
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if head.startswith(b"CONNECT "):
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    self._count_sent(len(head))
                    server.sendall(head)
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


def _wanted(head: bytes) -> tuple[str, int]:
    """The host and port that a request's first line asks a proxy for; 80 where it says none."""
    match = re.match(rb"[A-Z]+ (?:http://)?(\[[^]]+\]|[^/: ]+)(?::(\d+))?", head)
    if not match:
        raise OSError("no request of HTTP")
    return match[1].decode().strip("[]"), int(match[2] or 80)


def _pump(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    """Move bytes until the source ends, each counted before it goes on: who has had its answer has been counted."""
    with suppress(OSError):  # a side that is gone ends both directions
        while data := source.recv(PIECE):
            count(len(data))
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
