"""How messages name things."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from shipwheel.lint.packages.installs import Install

SHOWN = 5
"""More names than that are counted, not read."""


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`; of more than five the first five `and 3 more`; a name twice is one."""
    all_names = list(dict.fromkeys(names))
    shown, rest = all_names[:SHOWN], len(all_names) - SHOWN
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)


def called(install: Install) -> str:
    """What people type: "uv pip install", "pip install" for `python3 -m pip install` too, "apt-get install"."""
    tool = ("uv pip" if install.tool == "uv" else "pip") if install.manager == "pip" else install.tool
    return f"{tool} {install.action}"


def closest(name: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """The name that was probably meant, of at least that likeness (0 to 1); "" for none."""
    return next(iter(get_close_matches(name, list(names), 1, likeness)), "")


def did_you_mean(name: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """The end of a message on a name that there is none of."""
    meant = closest(name, names, likeness)
    return f"; did you mean {meant}?" if meant else ""
