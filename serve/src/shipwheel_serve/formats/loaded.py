"""`Loaded`: an object of some library, and how it is asked; the same in memory after training and from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipwheel_serve.errors import ModelError
from shipwheel_serve.schema import Field

Ask = Callable[[Any], Any]
"""From what `schema.assemble` gives to what `schema.outputs_of` takes."""

Write = Callable[[Path, Any], Mapping[str, Any]]
"""Writes the model into a folder, given a few rows as the model takes them; gives the "model" table of bundle.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`ask` finds what to call for a method's name. `described` is what the object says about its inputs, as
    `schema.describe` does: layout, fields, columns. `features` gives the intermediate features."""

    library: str
    format: str
    object: Any
    ask: Callable[[str], Ask]
    described: tuple[str, tuple[Field, ...], tuple[str, ...]] | None = None
    features: Ask | None = None


def method_of(model: Any) -> Callable[[str], Ask]:
    """Asks by calling the method of that name."""

    def ask(method: str) -> Ask:
        found = getattr(model, method, None)
        if not callable(found):
            raise ModelError(f"{type(model).__name__} has no method '{method}'", hint="name one in `method`")
        return found  # type: ignore[no-any-return]

    return ask


def columns_of(names: Any, count: int, dtype: str = "float64") -> tuple[str, tuple[Field, ...], tuple[str, ...]]:
    """What a model with `count` numeric features takes: one array; its columns by their `names` if it has them."""
    named = () if names is None else tuple(str(each) for each in names)
    return "array", (Field(name="input", dtype=dtype, shape=(-1, count), nullable=True),), named
