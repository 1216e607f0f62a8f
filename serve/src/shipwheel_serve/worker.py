"""One worker process: an event loop with the HTTP server, and a thread with the model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
import uvloop

from shipwheel_serve import logs, tracing
from shipwheel_serve.app import App
from shipwheel_serve.board import Board
from shipwheel_serve.metrics import Metrics
from shipwheel_serve.model import Report
from shipwheel_serve.service import Service
from shipwheel_serve.settings import Settings


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: SIGTERM has to wait for load balancers first."""
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What the supervisor gives to a worker: its number, the port, and a pipe that ends when the supervisor does."""

    slot: int
    listener: socket.socket
    parent: int
    metrics: Metrics


async def serve(settings: Settings, board: Board, seat: Seat) -> None:
    """Load, check and answer until SIGTERM, or until the supervisor is gone."""
    service = Service(settings, board, seat.slot, seat.metrics)
    config = uvicorn.Config(
        tracing.wrap(App(service, board, settings, seat.metrics)),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=int(settings.graceful_timeout_s),
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    def end() -> None:
        if not ending:
            ending.append(loop.create_task(_drain(service, server, settings)))

    loop.add_signal_handler(signal.SIGTERM, end)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal sends it to all: the supervisor decides
    loop.add_reader(seat.parent, end)
    if board.settled:  # others serve: connections come here only when they can be served, too
        await service.start()
        await server.serve(sockets=[seat.listener])
    else:
        starting = loop.create_task(service.start())
        await server.serve(sockets=[seat.listener])
        starting.cancel()


async def _drain(service: Service, server: uvicorn.Server, settings: Settings) -> None:
    service.drain()
    await asyncio.sleep(settings.drain_delay_s)
    server.should_exit = True


def run(settings: Settings, board: Board, seat: Seat) -> None:
    """The worker's whole life."""
    logs.setup(settings, seat.slot)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve(settings, board, seat))
    tracing.end()
    os._exit(0)  # threads of a model that still runs, or of its library, must not hold the end up


def check(settings: Settings) -> Report:
    """Load and check as a worker does, and answer nothing; for `shipwheel build`."""
    board = Board(1)

    async def once() -> Report:
        return await Service(settings, board, 0, Metrics()).start()

    return asyncio.run(once())
