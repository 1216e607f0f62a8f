"""Published ports without a bridge or firewall rules: a TCP proxy from the host's port into the container's network."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from shipwheel.engines.runc.linux import enter_network
from shipwheel.engines.spec import Port

PIECE = 1 << 16
"""Bytes moved at a time."""

BACKLOG = 1024


def listen(port: Port) -> socket.socket:
    """A socket that listens on the host, dual-stack where no address is given.

    Raises:
        OSError: the port is taken or not ours to take; its text is worded as engines word it.
    """
    try:
        if port.ip:
            family = socket.AF_INET6 if ":" in port.ip else socket.AF_INET
            return socket.create_server((port.ip, port.host), family=family, backlog=BACKLOG)
        if socket.has_dualstack_ipv6():
            with suppress(OSError):
                return socket.create_server(("", port.host), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        return socket.create_server(("", port.host), backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            error.errno, f"listen tcp {port.ip or '0.0.0.0'}:{port.host}: bind: {str(error.strerror).lower()}"
        ) from None


class Proxy:
    """Serves listening sockets from one thread whose new sockets belong to the container's network namespace."""

    def __init__(self, listeners: Sequence[tuple[socket.socket, int]], pid: int) -> None:
        """Connections to each socket go to the port beside it on the loopback of process `pid`'s network."""
        self._listeners = tuple(listeners)
        self._pid = pid
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            enter_network(self._pid)
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        servers = [await asyncio.start_server(self._forwarder(port), sock=listener) for listener, port in self._listeners]
        await asyncio.gather(*(server.serve_forever() for server in servers))

    def _forwarder(self, port: int):  # type: ignore[no-untyped-def]  # asyncio's callback type is private
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                writer.transport.abort()
                return
            await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))
            for each in (writer, back_writer):
                each.close()

        return forward


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends; its end is passed on, so that half-closed connections work."""
    with suppress(OSError):
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()
    with suppress(OSError):
        if sink.can_write_eof():
            sink.write_eof()
