"""Registries that pushes go to: each way to push has some of its own, and each of them sees every change once, in order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counting import CountingProxy
from engine import registry
from measure import log, seconds, stored
from projects import CHANGES, FIRST
from records import Pushed

PATIENCE = 20.0
"""Seconds: a way that took so long to push everything, all its runs together, gets no more runs."""

Push = Callable[[str], Callable[[], object]]
"""Gets ready to push the image that was built last to HOST:PORT/REPOSITORY:TAG; what it returns pushes, and is timed."""

TARGET = "bench/service:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A registry that was empty at first; `proxy` counts in front of it, where there is one."""

    folder: Path
    address: str
    proxy: CountingProxy | None

    def push(self, way: Push) -> dict[str, Any]:
        """One push: its seconds, the bytes that the registry stores more, and those that travelled where they are counted."""
        push = way(f"{self.address}/{TARGET}")
        stored_before = stored(self.folder)
        sent, received = (self.proxy.sent, self.proxy.received) if self.proxy else (0, 0)
        took = seconds(push)
        found: dict[str, Any] = {"seconds": took, "stored": stored(self.folder) - stored_before}
        if self.proxy:
            found |= {"sent": self.proxy.sent - sent, "received": self.proxy.received - received}
        return found


@contextmanager
def lane(folder: Path, *, counted: bool) -> Iterator[Lane]:
    """A new registry, with a proxy that counts in front of it or without."""
    shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as stack:
        address = stack.enter_context(registry(folder))
        proxy = stack.enter_context(CountingProxy(address)) if counted else None
        yield Lane(folder=folder / "blobs", address=proxy.address if proxy else address, proxy=proxy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way to build and the ways to push what it built. `build` applies a change, builds, and returns the seconds."""

    name: str
    build: Callable[[str], float]
    ways: Mapping[str, Push]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """What is pushed of one side of one example: the first lane of each way is counted, `runs` more are without a proxy."""

    example: str
    side: Side
    work: Path
    runs: int

    def measure(self) -> Iterator[Pushed]:
        """Build and push everything, then after each change."""
        with ExitStack() as stack:
            building = self.side.build(FIRST)
            lanes: dict[str, list[Lane]] = {}
            for way in self.side.ways:
                lanes[way] = []
                yield from self._first(way, building, stack, lanes[way])
            for change in CHANGES:
                building = self.side.build(change)
                for way, opened in lanes.items():
                    for run, each in enumerate(opened):
                        yield self._push(each, way, change=change, run=run, building=building)

    def _first(self, way: str, building: float, stack: ExitStack, opened: list[Lane]) -> Iterator[Pushed]:
        """Open one lane after the other and push everything there, while there is patience."""
        spent = 0.0
        while len(opened) <= self.runs and spent < PATIENCE:
            run = len(opened)
            folder = self.work / f"{way.replace(' ', '-')}-{run}"
            opened.append(stack.enter_context(lane(folder, counted=run == 0)))
            pushed = self._push(opened[-1], way, change=FIRST, run=run, building=building)
            spent += pushed.seconds
            yield pushed

    def _push(self, to: Lane, way: str, **where: Any) -> Pushed:
        found = Pushed(example=self.example, side=self.side.name, way=way, **where, **to.push(self.side.ways[way]))
        place = f"{found.example}: {found.side}, {found.way}, {found.change}"
        sent = "not counted" if found.sent is None else f"{found.sent / 1e3:.1f} KB"
        log(f"{place}: {found.seconds:.2f} s, {found.stored / 1e3:.1f} KB stored, sent {sent}")
        return found
