"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from measure import Summary

from serving.contenders import OURS, Contender
from serving.load import Measured

TITLES = {
    "iris": "Iris, logistic regression, one row of four numbers as JSON",
    "torch": "torch, 512-2048-2048-10 float32 on the CPU, one row",
    "tensor": "The mean of a binary tensor of 8 MB",
}

GOALS = {"fastapi": 1 / 2, "peer": 1 / 3}
"""Our CPU time a request over theirs, at most; for iris."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What is known of a contender: its runs, or why there are none."""

    contender: Contender
    runs: list[Measured] = field(default_factory=list)
    unfit: str = ""

    def median(self, name: str) -> float:
        """Of one of the numbers of `Measured`."""
        return Summary.of([getattr(run, name) for run in self.runs]).median


def tables(results: Sequence[Result], connections: Mapping[str, int]) -> str:
    """A table a scenario, and what it says about the goals."""
    lines: list[str] = []
    for scenario in dict.fromkeys(result.contender.scenario for result in results):
        mine = [result for result in results if result.contender.scenario == scenario]
        lines += [f"### {TITLES[scenario]}; {connections[scenario]} requests at a time", "", *_table(mine), ""]
        if scenario == "iris":
            lines += [*_goals(mine), ""]
    return "\n".join(lines)


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield "| server | CPU a request, us | times ours | requests/s | ours are times as many | p50, ms | p99, ms | processes |"
    yield "|---|---|---|---|---|---|---|---|"
    ours = _ours(results)
    for result in results:
        if result.runs:
            cpu, rate = _ratio(result, ours, "cpu_each"), _ratio(ours, result, "rate")
            p50, p99 = (_spread([getattr(run, name) / 1000 for run in result.runs], 1) for name in ("p50", "p99"))
            cells = [_spread([run.cpu_each for run in result.runs], 0), cpu, _spread([run.rate for run in result.runs], 0)]
            cells += [rate, p50, p99, f"{result.median('processes'):.0f}"]
        else:
            cells = [f"not measured: {result.unfit}".replace("|", "/"), *[""] * 6]
        yield f"| {' | '.join([result.contender.name, *cells])} |"


def _goals(results: Sequence[Result]) -> Iterator[str]:
    ours = _ours(results)
    for result in results:
        goal = GOALS.get(result.contender.group)
        if goal and result.runs and ours:
            share = ours.median("cpu_each") / result.median("cpu_each")
            slower = ours.median("p99") / result.median("p99")
            said = "reached" if share <= goal and slower <= 1 else "missed"
            shares = f"{share:.2f} of its CPU (goal {goal:.2f}), {slower:.2f} of its p99"
            yield f"- {result.contender.name}: ours takes {shares}: {said}"


def _ours(results: Sequence[Result]) -> Result | None:
    """The first of our rows that was measured."""
    return next((each for each in results if each.contender.group == OURS and each.runs), None)


def _ratio(above: Result | None, below: Result | None, name: str) -> str:
    return f"{above.median(name) / below.median(name):.2f}" if above and below else "-"


def _spread(values: Sequence[float], digits: int) -> str:
    found = Summary.of(values)
    spread = f" ({found.low:.{digits}f} to {found.high:.{digits}f})" if found.runs > 1 else ""
    return f"{found.median:.{digits}f}{spread}"
