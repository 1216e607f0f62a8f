"""`Schema`: names, types and shapes of what a model takes and gives; and from a model's own values to arrays and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""Values by field name; axis 0 of every array is the rows, and all have as many."""

ANY = -1
"""A dimension that may have any length; the first one is the rows of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output.

    `dtype` is numpy's name (bool, int8..int64, uint8..uint64, float16, float32, float64, datetime64[ns], timedelta64[ns]), or
    string, category, bfloat16 (held as float32). `shape` has ANY where a length is free; None: any shape at all.
    `categories` are those of a category, in their order. `nullable`: null is a value (NaN, NaT, None).
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None = (ANY,)
    categories: tuple[Any, ...] = ()
    ordered: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What goes in and what comes out.

    `layout` is how the model wants its inputs: frame (a pandas DataFrame, one field a column), array (one array),
    or tensors (arrays by name). `columns` are the feature names of an array's second axis, where they are known.
    """

    layout: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()
    columns: tuple[str, ...] = ()
