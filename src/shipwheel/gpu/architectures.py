"""What libraries with code for GPUs have in common, and what they hold together."""

from __future__ import annotations

from collections.abc import Iterable

from shipwheel.gpu.code import Code, Library
from shipwheel.gpu.compatibility import RENAMED, Way, way


def common(libraries: Iterable[Library]) -> tuple[str, ...]:
    """For which GPUs every library has code that runs: sm_80, sm_90a; compute_90 is that and all later ones.

    On a GPU of sm_80 all run, some perhaps by PTX that the driver compiles. Libraries that were not understood, and those
    that hold only what other libraries link (LTO), are passed over; of none there is nothing in common.
    """
    held = [codes for each in libraries if (codes := [code for code in each.codes if code.kind != "lto"])]
    targets = sorted(
        {RENAMED.get(code.architecture, code.architecture) for codes in held for code in codes if code.kind == "cubin"}
    )
    plain = [[code for code in codes if code.variant != "a"] for codes in held]
    names = []
    for target in targets:
        usual, exact = _worst(plain, target), _worst(held, target)
        if exact:
            names.append(f"sm_{target}" if usual == exact else f"sm_{target}a")
    first = [min((code.architecture for code in codes if _is_for_later(code)), default=None) for codes in held]
    if first and None not in first:
        names.append(f"compute_{max(filter(None, first))}")
    return tuple(names)


def totals(libraries: Iterable[Library]) -> tuple[Code, ...]:
    """The code of all libraries, summed up by kind, architecture and variant."""
    sums: dict[str, Code] = {}
    for code in (code for each in libraries for code in each.codes):
        before = sums.get(code.name)
        sums[code.name] = Code(
            kind=code.kind,
            architecture=code.architecture,
            variant=code.variant,
            count=code.count + (before.count if before else 0),
            size=code.size + (before.size if before else 0),
        )
    return tuple(sorted(sums.values(), key=lambda code: (code.kind, code.architecture, code.variant)))


def _worst(held: Iterable[Iterable[Code]], target: int) -> int:
    """How the library runs that runs worst: 2 as it is, 1 by PTX, 0 not at all."""
    ways: tuple[Way, ...] = ("no", "jit", "native")
    return min(ways.index(way(codes, target)) for codes in held)


def _is_for_later(code: Code) -> bool:
    """Whether the driver can compile it for every later GPU."""
    return code.kind == "ptx" and not code.variant
