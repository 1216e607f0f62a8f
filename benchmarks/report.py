"""The results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from docker_side import BUILDX_ZSTD
from measure import Summary
from projects import CHANGES, FIRST
from records import OCI_FOLDER, TO_ENGINE, Record

OURS = "shipwheel"


def tables(records: Sequence[Record], extras: Mapping[str, Mapping[str, float]]) -> str:
    """Everything that is known of each example."""
    lines: list[str] = []
    for example in dict.fromkeys(record.example for record in records):
        mine = [record for record in records if record.example == example]
        lines += [f"### {example}", ""]
        for title, ways in (
            (
                "To a complete image in a registry (ours: in an OCI folder), gzip layers",
                {record.way for record in mine} - {TO_ENGINE, BUILDX_ZSTD},
            ),
            ("The same, but the Dockerfile's layers as zstd, through Docker's containerd store", {OCI_FOLDER, BUILDX_ZSTD}),
            ("To an image that Docker can run", {TO_ENGINE}),
        ):
            lines += [title, "", *_comparison([record for record in mine if record.way in ways]), ""]
        lines += ["Every way, from nothing to nothing changed", ""]
        lines += _all_ways(mine)
        lines += ["", *(f"- {name}: {value:.3g}" for name, value in extras.get(example, {}).items()), ""]
    return "\n".join(lines)


def _comparison(records: Sequence[Record]) -> Iterator[str]:
    """For each change: our median, each Dockerfile's best way and how many times longer it takes."""
    sides = [side for side in dict.fromkeys(record.side for record in records) if side != OURS]
    yield (
        "| change | ours | " + " | ".join(f"{side} (fastest way) | times ours | its bytes" for side in sides) + " | our bytes |"
    )
    yield "|---" * (3 + 3 * len(sides)) + "|"
    for change in (FIRST, *CHANGES):
        ours = [record for record in records if record.side == OURS and record.change == change]
        cells = [change, _spread(ours) if ours else "-"]
        for side in sides:
            best = _fastest(record for record in records if record.side == side and record.change == change)
            ratio = f"{_median(best) / _median(ours):.1f}" if ours and best else "-"
            cells += [f"{_spread(best)} {best[0].way}" if best else "-", ratio, _bytes(best)]
        yield f"| {' | '.join([*cells, _bytes(ours)])} |"


def _all_ways(records: Sequence[Record]) -> Iterator[str]:
    yield "| side | way | change | seconds | making | MB written | peak memory, MB | disk, MB |"
    yield "|---|---|---|---|---|---|---|---|"
    for key in dict.fromkeys((record.side, record.way, record.change) for record in records):
        group = [record for record in records if (record.side, record.way, record.change) == key]
        making = Summary.of([record.making for record in group]).median
        memory = max(record.memory for record in group) / 1e6
        disk = max(record.disk for record in group) / 1e6
        cells = (
            *key,
            _spread(group),
            f"{making:.2f}" if making else "",
            _bytes(group),
            f"{memory:.0f}",
            f"{disk:.0f}" if disk else "",
        )
        yield f"| {' | '.join(cells)} |"


def _fastest(records: Iterable[Record]) -> list[Record]:
    """The runs of the way with the lowest median."""
    ways: dict[str, list[Record]] = {}
    for record in records:
        ways.setdefault(record.way, []).append(record)
    return min(ways.values(), key=_median, default=[])


def _median(records: Sequence[Record]) -> float:
    return Summary.of([record.seconds for record in records]).median


def _spread(records: Sequence[Record]) -> str:
    return spread([record.seconds for record in records])


def _bytes(records: Sequence[Record]) -> str:
    return size(Summary.of([record.written for record in records]).median) if records else "-"


def spread(times: Sequence[float]) -> str:
    """The median of some seconds, and their lowest and highest."""
    found = Summary.of(times)
    return f"{found.median:.2f} s ({found.low:.2f} to {found.high:.2f})"


def size(number: float) -> str:
    """Bytes in MB or KB."""
    return f"{number / 1e6:.1f} MB" if number >= 1e5 else f"{number / 1e3:.0f} KB"
