"""How messages name things."""

from __future__ import annotations

from collections.abc import Iterable

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
