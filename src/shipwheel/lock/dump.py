"""The text of shipwheel.lock: TOML with one line per wheel and package, so that a diff reads as what moved.

It starts with a sha256 of all that follows: an edit by hand or a bad merge is noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

from shipwheel.lock.values import FORMAT, Lock, Row

HEADER = "# Written by 'shipwheel lock'. Do not edit: change the requirements and lock again.\n"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dump_lock(lock: Lock) -> str:
    """The file's text: sorted, without defaults, one line per file; the same lock always gives the same text."""
    body = "".join(f"{line}\n" for line in _lines(lock))
    return f'{HEADER}integrity = "sha256:{integrity(body)}"\n{body}'


def integrity(body: str) -> str:
    """sha256 (hex) of all that follows the line that holds it."""
    return hashlib.sha256(body.encode()).hexdigest()


def _lines(lock: Lock) -> Iterator[str]:
    yield f"format = {FORMAT}"
    yield from (f"{key} = {_quote(getattr(lock, key))}" for key in ("fingerprint", "python", "suite"))
    yield from _table("model", lock.model)
    if lock.dates:
        yield from ("", "[dates]", *(f"{toml_key(name)} = {_quote(date)}" for name, date in sorted(lock.dates.items())))
    for each in sorted(lock.platforms, key=lambda each: each.platform):
        yield from ("", f"[platforms.{toml_key(str(each.platform))}]")
        if each.base:
            yield f"base = {{ {_inline(each.base)} }}"
        if each.accelerator:
            yield f"accelerator = {{ {_inline(each.accelerator)} }}"
        yield from (line for key in ("debs", "wheels", "built") for line in _table(key, getattr(each, key)))
    if lock.interpreters:
        yield from ("", "[interpreters]")
        yield from (line for name, debs in sorted(lock.interpreters.items()) for line in _table(name, debs))


def _table(key: str, items: Iterable[Row]) -> Iterator[str]:
    lines = sorted(f"  {{ {_inline(item)} }}," for item in items)
    if lines:
        yield from (f"{toml_key(key)} = [", *lines, "]")


def _inline(item: Row) -> str:
    pairs = ((each.name, getattr(item, each.name), each.default) for each in fields(item))
    return ", ".join(f"{name} = {_quote(value)}" for name, value, default in pairs if value != default)


def toml_key(name: str) -> str:
    """A name as a TOML key, quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else _quote(name)


def _quote(value: str | int) -> str:
    """A TOML basic string or integer; JSON's escapes are TOML's, but for DEL (TOML 1.0, "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
