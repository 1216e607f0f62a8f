"""`Loaded`: an object of some library, and how it is asked; the same in memory after training and from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from shipwheel_serve.errors import ModelError
from shipwheel_serve.schema import Field

Ask = Callable[[Any], Any]
"""From what `schema.assemble` gives to what `schema.outputs_of` takes."""

Table = Mapping[str, Any]
"""The "model" table of bundle.json."""

Described = tuple[str, tuple[Field, ...], tuple[str, ...]]
"""Layout, fields and columns, as `schema.describe` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`ask` finds what to call for a method's name. `described` is what the object says about its inputs. `features`
    gives the intermediate features."""

    library: str
    format: str
    object: Any
    ask: Callable[[str], Ask]
    described: Described | None = None
    features: Ask | None = None


def method_of(model: Any) -> Callable[[str], Ask]:
    """Asks by calling the method of that name."""

    def ask(method: str) -> Ask:
        found = getattr(model, method, None)
        if not callable(found):
            raise ModelError(f"{type(model).__name__} has no method '{method}'", hint="name one in `method`")
        return found  # type: ignore[no-any-return]

    return ask


def class_of(model: Any) -> Table:
    """What a table says so that `classes.find_class` finds the class again."""
    return {"class": f"{type(model).__module__}:{type(model).__qualname__}"}


def columns_of(names: Any, count: int, dtype: str = "float64") -> Described:
    """What a model with `count` numeric features takes: one array; its columns by their `names` if it has them."""
    named = () if names is None else tuple(str(each) for each in names)
    return "array", (Field(name="input", dtype=dtype, shape=(-1, count), nullable=True),), named


def frame_of(names: Any, kinds: Mapping[str, dict[str, Any]]) -> Described:
    """A frame of numbers, but for some columns: by name what their `Field` has instead."""
    plain: dict[str, Any] = {"dtype": "float64", "nullable": True}
    return "frame", tuple(Field(name=name, **(plain | kinds.get(name, {}))) for name in map(str, names)), ()


def without_pandas(described: Described | None) -> Described | None:
    """Where pandas is absent, a frame of nothing but numbers as one array with the same columns."""
    layout, fields, _ = described or ("", (), ())
    if layout != "frame" or find_spec("pandas") or any(each.dtype != "float64" for each in fields):
        return described
    return columns_of([each.name for each in fields], len(fields))
