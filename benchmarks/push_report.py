"""Measured pushes as Markdown tables, with the goals beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from measure import Summary
from projects import CHANGES, CODE, FIRST, NOTHING, SMALL_ADDED
from records import Pushed
from report import OURS, size, spread
from services import Stored

SMALL_BYTES, SMALL_SECONDS = 500_000, 1.0
"""The goal for a small requirement that is added."""

QUARTER = 0.25
"""The goal for services on one torch: what they store, of what theirs store."""

OWN_SHARE = 1.5
"""A layer has the bytecode besides what its wheel has."""

NAMES = {FIRST: "everything new"}


@dataclass(frozen=True, slots=True)
class Group:
    """All pushes of one way after one change; times are of those without the proxy, where there are any."""

    pushes: Sequence[Pushed]

    @property
    def times(self) -> list[float]:
        """Seconds of those that count."""
        return [each.seconds for each in self.pushes if not each.counted] or [each.seconds for each in self.pushes]

    @property
    def time(self) -> float:
        """Their median."""
        return Summary.of(self.times).median

    @property
    def counted(self) -> Pushed:
        """The one that went through the proxy."""
        return next(each for each in self.pushes if each.counted)

    @property
    def sent(self) -> int:
        """Bytes, heads included."""
        return self.counted.sent or 0


def tables(pushes: Sequence[Pushed], moved: Mapping[str, int], services: Sequence[Stored], number: int) -> str:
    """Everything that is known of each example, then of the services; `moved` has the bytes of the heavy wheel that moves."""
    lines: list[str] = []
    for example in dict.fromkeys(each.example for each in pushes):
        mine = [each for each in pushes if each.example == example]
        lines += [f"### {example}", "", *_goals(mine, moved[example]), "", "Every way", "", *_all(mine), ""]
    if services:
        lines += [f"### {number} services on one torch", "", *_services(services, number), ""]
    return "\n".join(lines)


def _goals(pushes: Sequence[Pushed], moved: int) -> Iterator[str]:
    """For each change: ours, each Dockerfile's fastest way, and whether the goal is reached."""
    sides = [side for side in dict.fromkeys(each.side for each in pushes) if side != OURS]
    yield f"| change | ours | sent | {' | '.join(f'{side}, fastest | sent | times ours' for side in sides)} | goal | reached |"
    yield "|---" * (5 + 3 * len(sides)) + "|"
    for change in (FIRST, *CHANGES):
        ours = _groups(pushes, OURS, change)[0]
        theirs = [_groups(pushes, side, change)[0] for side in sides]
        cells = [NAMES.get(change, change), spread(ours.times), size(ours.sent)]
        for each in theirs:
            cells += [f"{spread(each.times)} {each.counted.way}", size(each.sent), f"{each.time / ours.time:.1f}"]
        goal, reached = _goal(change, ours, theirs, moved)
        yield f"| {' | '.join([*cells, goal, 'yes' if reached else 'no'])} |"


def _goal(change: str, ours: Group, theirs: Sequence[Group], moved: int) -> tuple[str, bool]:
    """What is asked for, and whether it is so."""
    fast = all(ours.time <= each.time for each in theirs)
    few = all(ours.sent <= each.sent for each in theirs)
    if change in (FIRST, NOTHING):
        return "no slower", fast
    if change == CODE:
        return "no more bytes, no slower", fast and few
    if change == SMALL_ADDED:
        return "under 500 KB and 1 s", ours.sent < SMALL_BYTES and ours.time < SMALL_SECONDS
    return f"its own bytes; the wheel has {size(moved)}", fast and ours.sent <= OWN_SHARE * moved


def _all(pushes: Sequence[Pushed]) -> Iterator[str]:
    yield "| side | way | change | seconds | through the proxy | sent | received | stored | build before |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for change in (FIRST, *CHANGES):
        for side in dict.fromkeys(each.side for each in pushes):
            for group in _groups(pushes, side, change):
                one = group.counted
                seconds = [spread(group.times), f"{one.seconds:.2f} s"]
                bytes_ = [size(one.sent or 0), size(one.received or 0), size(one.stored)]
                cells = [side, one.way, NAMES.get(change, change), *seconds, *bytes_, f"{one.building:.2f} s"]
                yield f"| {' | '.join(cells)} |"


def _groups(pushes: Sequence[Pushed], side: str, change: str) -> list[Group]:
    """One for each way of a side, the fastest first; ours comes as it is given, for the first is the push alone."""
    found = [each for each in pushes if (each.side, each.change) == (side, change)]
    groups = [Group([each for each in found if each.way == way]) for way in dict.fromkeys(each.way for each in found)]
    return groups if side == OURS else sorted(groups, key=lambda group: group.time)


def _services(services: Sequence[Stored], number: int) -> Iterator[str]:
    ours = next(each for each in services if each.side == OURS)
    yield f"| side | measured | the first | each more | {number} store | ours is of it | goal: a quarter at most |"
    yield "|---|---|---|---|---|---|---|"
    for each in services:
        share = ours.of(number) / each.of(number)
        sizes = (size(each.after[0]), size(each.each), size(each.of(number)))
        reached = "" if each is ours else "reached" if share <= QUARTER else "not reached"
        yield f"| {each.side} | {len(each.after)} | {' | '.join(sizes)} | {share:.2f} | {reached} |"
