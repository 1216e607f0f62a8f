"""`Board`: what every worker says of itself, in memory that they share, so that any of them can answer for all."""

from __future__ import annotations

import json
import mmap
import struct
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from shipwheel_serve.model import Mismatch, Report

SLOT = 16 << 10
"""Bytes for one worker's report; longer ones lose their last reasons."""

_LENGTH = struct.Struct("<I")
_SETTLED, _DRAINING = 0, 1


class Board:
    """One slot a worker. A slot is written by its worker, or by the supervisor when that one is dead; all read."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._map = mmap.mmap(-1, mmap.PAGESIZE + SLOT * workers)  # anonymous and shared: forked workers see one memory

    def write(self, slot: int, report: Report) -> None:
        """Replace a slot; a reader that comes in between sees a worker that is starting."""
        data = _dump(report)
        at = mmap.PAGESIZE + slot * SLOT
        self._map[at : at + 4] = _LENGTH.pack(0)
        self._map[at + 4 : at + 4 + len(data)] = data
        self._map[at : at + 4] = _LENGTH.pack(len(data))
        if all(each.ready for each in self.reports()):
            self._map[_SETTLED] = 1

    def clear(self, slot: int) -> None:
        """Its worker is dead, the next one starts."""
        at = mmap.PAGESIZE + slot * SLOT
        self._map[at : at + 4] = _LENGTH.pack(0)

    def drain(self) -> None:
        """From now on nothing is ready."""
        self._map[_DRAINING] = 1

    @property
    def draining(self) -> bool:
        """Whether the service ends."""
        return bool(self._map[_DRAINING])

    @property
    def settled(self) -> bool:
        """Whether all workers were ready at the same time once."""
        return bool(self._map[_SETTLED])

    def reports(self) -> list[Report]:
        """Every worker's, in the order of their slots."""
        return [self._read(slot) for slot in range(self.workers)]

    def standing(self) -> Report:
        """The service's own report: ready when its workers are, and never because there are none.

        A worker that is replaced later does not take readiness away: it takes no connection before it is ready itself.
        """
        reports = self.reports()
        if self.draining:
            return replace(_worst(reports), state="draining", reasons=("the service is ending",))
        failed = [each for each in reports if each.state == "failed"]
        if failed:
            return failed[0]
        waiting = [each for each in reports if not each.ready]
        if len(waiting) < len(reports) and (not waiting or self.settled):
            return next(each for each in reports if each.ready)
        worst = _worst(waiting)
        return replace(
            worst,
            reasons=worst.reasons or (f"{worst.state}: {len(reports) - len(waiting)} of {len(reports)} workers are ready",),
        )

    def answer(self) -> dict[str, Any]:
        """What `/ready` says, as JSON."""
        standing = self.standing()
        return {"ready": standing.ready, **asdict(standing), "workers": Counter(each.state for each in self.reports())}

    def _read(self, slot: int) -> Report:
        at = mmap.PAGESIZE + slot * SLOT
        (length,) = _LENGTH.unpack(self._map[at : at + 4])
        try:
            table = json.loads(self._map[at + 4 : at + 4 + length]) if length else {}
        except ValueError:  # caught in the middle of a change
            table = {}
        table["mismatches"] = tuple(Mismatch(**each) for each in table.get("mismatches", ()))
        return Report(
            **{"state": "starting", **table, "reasons": tuple(table.get("reasons", ())), "notes": tuple(table.get("notes", ()))}
        )


def _worst(reports: list[Report]) -> Report:
    """The one that is furthest from being ready."""
    order = ("starting", "downloading", "loading", "checking", "ready")
    return min(
        reports, key=lambda each: order.index(each.state) if each.state in order else 0, default=Report(state="starting")
    )


def _dump(report: Report) -> bytes:
    while len(data := json.dumps(asdict(report)).encode()) > SLOT - 4:
        longest = max(("reasons", "notes", "mismatches"), key=lambda name: len(json.dumps(asdict(report)[name])))
        report = replace(report, **{longest: getattr(report, longest)[:-1]})
    return data
