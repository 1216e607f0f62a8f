"""`judge`: whether a device runs all that a project or an image holds, library by library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shipwheel.gpu.code import Library
from shipwheel.gpu.compatibility import GpuNeeds, Host, Verdict, check
from shipwheel.gpu.special import essential, purpose
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
        """The libraries that do worse than the best of them, the worst first; none where all are alike."""
        best = max((_rank(verdict) for _, verdict in self.libraries), default=(0, False))
        worse = [each for each in self.libraries if _rank(each[1]) < best]
        return tuple(sorted(worse, key=lambda each: _rank(each[1])))


def judge(accelerator: Accelerator | None, libraries: Sequence[Library], host: Host) -> Judgement:
    """A device runs the whole if it runs every library, but for special ones: nobody knows which of them a program calls."""
    kind, cuda = (accelerator.kind, accelerator.version) if accelerator else ("cuda", "")
    held = [each for each in libraries if any(code.kind != "lto" for code in each.codes)]
    if not held:
        return Judgement(whole=check(GpuNeeds(kind=kind, cuda=cuda), host))
    found = [(each, check(GpuNeeds(kind=kind, cuda=cuda, codes=each.codes), host)) for each in held]
    return Judgement(whole=_whole(found), libraries=tuple(found))


def _whole(found: Sequence[tuple[Library, Verdict]]) -> Verdict:
    counted = essential(library for library, _ in found)
    verdicts = [verdict for library, verdict in found if library in counted]
    worst = min(verdicts, key=_rank)
    if worst.way == "native":
        lacking = dict.fromkeys(
            purpose(library) or library.path.rpartition("/")[2] for library, verdict in found if not verdict.ok
        )
        return replace(worst, reason=f"but for {', '.join(lacking)}") if lacking else worst
    count, all_of = sum(_rank(verdict) == _rank(worst) for verdict in verdicts), len(verdicts)
    if all_of == 1 or (count == all_of and worst.way == "no" and not worst.lacks_code):
        return worst
    of = f"{count} of {all_of} libraries"
    if worst.way == "jit":
        return replace(worst, reason=f"the driver compiles {of} at the first start")
    lack = "no code for it" if worst.lacks_code else "only PTX, which is too new for the driver"
    return replace(worst, reason=f"{of} have {lack}")


def _rank(verdict: Verdict) -> tuple[int, bool]:
    """What no driver helps comes before what one does."""
    return _ORDER.index(verdict.way), not verdict.lacks_code
