"""`judge`: whether a device runs all that a project or an image holds, library by library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shipwheel.gpu.architectures import totals
from shipwheel.gpu.code import Library
from shipwheel.gpu.compatibility import Host, Needs, Verdict, check
from shipwheel.lock.values import Accelerator

_ORDER = ("no", "jit", "native")
"""The worst first: the whole is as its worst library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`whole` over all, and each library that holds code with its own verdict."""

    whole: Verdict
    libraries: tuple[tuple[Library, Verdict], ...] = ()

    @property
    def exceptions(self) -> tuple[tuple[Library, Verdict], ...]:
        """The libraries that make the whole worse than others of them are; none where all are alike."""
        worst = tuple(each for each in self.libraries if each[1].way == self.whole.way)
        return worst if len(worst) < len(self.libraries) and self.whole.way != "native" else ()


def judge(accelerator: Accelerator | None, libraries: Sequence[Library], host: Host) -> Judgement:
    """A device runs the whole if it runs every library: which of them a program calls, nobody knows beforehand."""
    kind, cuda = (accelerator.kind, accelerator.version) if accelerator else ("cuda", "")
    without = check(Needs(kind=kind, cuda=cuda), host)
    held = [each for each in libraries if any(code.kind != "lto" for code in each.codes)]
    if not without.ok:
        return Judgement(whole=without, libraries=tuple((each, without) for each in held))
    if not held:
        return Judgement(whole=without)
    each = tuple((library, check(Needs(kind=kind, cuda=cuda, codes=library.codes), host)) for library in held)
    if len({verdict.way for _, verdict in each}) > 1:
        return Judgement(whole=_mixed([verdict for _, verdict in each]), libraries=each)
    return Judgement(whole=check(Needs(kind=kind, cuda=cuda, codes=totals(held)), host), libraries=each)


def _mixed(verdicts: Sequence[Verdict]) -> Verdict:
    worst = min(verdicts, key=lambda verdict: _ORDER.index(verdict.way))
    of = f"{sum(verdict.way == worst.way for verdict in verdicts)} of {len(verdicts)} libraries"
    reason = f"{of} have no code that it runs" if worst.way == "no" else f"the driver compiles {of} at the first start"
    return replace(worst, reason=reason)
