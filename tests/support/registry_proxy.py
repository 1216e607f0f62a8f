"""A TCP proxy that breaks the first connection over which so many bytes went."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class Cut:
    """Break once, after so many bytes to the server or from it on one connection; 0: never. Counts those of all."""

    sent: int = 0
    received: int = 0
    all_sent: int = 0
    all_received: int = 0

    def reached(self, sent: int, received: int) -> bool:
        hit = bool(self.sent and sent >= self.sent) or bool(self.received and received >= self.received)
        if hit:
            self.sent = self.received = 0
        return hit


@contextmanager
def cutting(target: str, cut: Cut) -> Iterator[str]:
    """HOST:PORT that leads to `target`."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, _, port = target.partition(":")

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                _Pair(client, socket.create_connection((host, int(port))), cut).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


class _Pair:
    def __init__(self, client: socket.socket, server: socket.socket, cut: Cut) -> None:
        self.client, self.server, self.cut = client, server, cut
        self.sent = self.received = 0

    def start(self) -> None:
        for source, to in ((self.client, self.server), (self.server, self.client)):
            threading.Thread(target=self.pump, args=(source, to), daemon=True).start()

    def pump(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(16384):
                if source is self.client:
                    self.sent += len(data)
                    self.cut.all_sent += len(data)
                else:
                    self.received += len(data)
                    self.cut.all_received += len(data)
                to.sendall(data)
                if self.cut.reached(self.sent, self.received):
                    for end in (self.client, self.server):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close is a reset
                    break
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
