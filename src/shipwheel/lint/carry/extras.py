"""Which extras and groups of a project a command installs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.packages.installs import Install

OPTIONS = {"extras": ("--extra", "--extras", "-E"), "groups": ("--group", "--with")}
"""Settings with the options of uv, pip and poetry that name their values."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def chosen_parts(install: Install, setting: str) -> set[str]:
    """The extras or groups that are named: `--extra cpu`, `--extras "cpu api"`, `--with web,serve`, `.[cpu]`."""
    texts = [*_values(install, OPTIONS[setting])]
    if setting == "extras":
        own = [package for package in install.packages if package.url and "://" not in package.url]
        texts += [name for package in own for name in (*package.extras, *re.findall(r"\[([^]]*)\]", package.url))]
    return {name for text in texts for name in _NAME.findall(text) if "$" not in text}


def _values(install: Install, options: tuple[str, ...]) -> Iterator[str]:
    texts = [word.text for word in install.command.arguments]
    for text, following in zip(texts, [*texts[1:], ""], strict=True):
        name, sign, value = text.partition("=")
        if name in options:
            yield value if sign else following
