"""The dated tables of data/lint/: facts that age, each file with its day and its sources at the top."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _text(name: str) -> str:
    return files("shipwheel").joinpath(f"data/lint/{name}").read_text(encoding="utf-8")


@cache
def table(name: str) -> dict[str, Any]:
    """The table of a file, such as "eol.toml"; read once."""
    return tomllib.loads(_text(name))


@cache
def date_of(name: str) -> str:
    """The day on which its sources were read, as 2026-11-21."""
    found = re.search(r"Read on (\d{4}-\d\d-\d\d)", _text(name))
    assert found, name
    return found[1]
