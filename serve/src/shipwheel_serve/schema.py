"""`Schema`: names, types and shapes of what a model takes and gives; and from a model's own values to arrays and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from shipwheel_serve.errors import BadRequest, ModelError

Arrays = Mapping[str, np.ndarray]
"""Values by field name; axis 0 of every array is the rows, and all have as many."""

ANY = -1
"""A dimension that may have any length; the first one is the rows of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output.

    `dtype` is numpy's name (bool, int8..int64, uint8..uint64, float16, float32, float64, datetime64[ns], timedelta64[ns]), or
    string, category, bfloat16 (held as float32), any (whatever JSON says). `shape` has ANY where a length is free; None: any
    shape at all. `categories` are those of a category, in their order. `nullable`: null is a value (NaN, NaT, None).
    `pandas` is the column's dtype in a frame where `dtype` does not say it (Int64, str, object, datetime64[us, UTC]), or
    that of a category's categories. `label` is the column's label where that is a number and no text.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None = (ANY,)
    categories: tuple[Any, ...] = ()
    ordered: bool = False
    nullable: bool = False
    pandas: str = ""
    label: int | None = None

    @property
    def held(self) -> np.dtype[Any]:
        """The dtype of its array: object for text, for categories, for what may be null and has no null of its own."""
        return _held(self.dtype, self.nullable)


@lru_cache(maxsize=256)  # asked for in every request
def _held(name: str, nullable: bool) -> np.dtype[Any]:
    if name in ("string", "category", "any"):
        return np.dtype(object)
    dtype = np.dtype("float32" if name == "bfloat16" else name)
    return np.dtype(object) if nullable and dtype.kind in "biu" else dtype


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

    def to_json(self) -> dict[str, Any]:
        """As a table of plain values; what a field leaves at its default is left out."""
        return {
            "layout": self.layout,
            "inputs": [_field_to_json(each) for each in self.inputs],
            "outputs": [_field_to_json(each) for each in self.outputs],
            "columns": list(self.columns),
        }

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Schema:
        """From what `to_json` gave.

        Raises:
            ModelError: it is no such table.
        """
        try:
            schema = cls(
                layout=table["layout"],
                inputs=tuple(_field_from_json(each) for each in table["inputs"]),
                outputs=tuple(_field_from_json(each) for each in table.get("outputs") or ()),
                columns=tuple(table.get("columns") or ()),
            )
            if schema.layout not in ("frame", "array", "tensors"):
                raise ValueError(f"layout is {schema.layout!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"the bundle's schema cannot be read: {error!r}", hint="write the bundle again") from None
        return schema


def _field_to_json(field: Field) -> dict[str, Any]:
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(field).items()}
    plain = {each.name: each.default for each in fields(Field)}
    return {key: value for key, value in given.items() if key == "shape" or getattr(field, key) != plain[key]}


def _field_from_json(table: Mapping[str, Any]) -> Field:
    tuples = {key: tuple(table[key]) for key in ("shape", "categories") if table.get(key) is not None}
    field = Field(**{**table, **tuples})
    _ = field.held  # an unknown dtype is told here
    return field


def describe(value: Any, name: str = "input") -> tuple[str, tuple[Field, ...], tuple[str, ...]]:
    """Layout, fields and columns of a DataFrame, Series, ndarray, list, tensor, sparse matrix, or a dict of them.

    Raises:
        ModelError: a column has a type that no request can carry, such as periods or objects.
    """
    if _is_frame(value):
        return "frame", tuple(_column_field(label, column) for label, column in value.items()), ()
    if isinstance(value, Mapping):
        return "tensors", tuple(_array_field(str(key), each) for key, each in value.items()), ()
    return "array", (_array_field(name, value),), ()


def _column_field(label: Any, column: Any) -> Field:
    """Of a pandas Series."""
    if not isinstance(label, (str, int, np.integer)):
        raise ModelError(f"a column is named {label!r}, which is neither text nor a number", hint="give it one plain name")
    number = None if isinstance(label, str) else int(label)
    return replace(_typed(str(label), column), label=number)


def _typed(name: str, column: Any) -> Field:
    kind, nullable = str(column.dtype), bool(column.isna().any())
    if kind == "category":
        of, categories = column.cat, tuple(column.cat.categories.tolist())
        if not all(isinstance(each, (str, int, float)) for each in categories):
            raise ModelError(f"the categories of '{name}' are {of.categories.dtype}", hint="make them text or numbers")
        field = Field(name=name, dtype="category", nullable=nullable, pandas=str(of.categories.dtype))
        return replace(field, categories=categories, ordered=bool(of.ordered))
    if unit := getattr(column.dtype, "tz", None) and column.dtype.unit:
        return Field(name=name, dtype=f"datetime64[{unit}]", nullable=nullable, pandas=kind)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufmM":
        return Field(name=name, dtype=_native(column.dtype).name, nullable=nullable)
    base = getattr(column.dtype, "numpy_dtype", None)  # of Int64, Float64, boolean
    if base is None or base.kind not in "biuf":
        array = _plain(column.astype(object)) if kind in ("object", "str", "string") else np.asarray(column)
        base = _dtype_of(name, array)
    return Field(name=name, dtype=str(base), nullable=nullable or kind not in ("object", "str"), pandas=kind)


def _array_field(name: str, value: Any) -> Field:
    array = _plain(value)
    nullable = bool(_nulls(array).any())
    dtype = "bfloat16" if str(getattr(value, "dtype", "")).endswith("bfloat16") else _dtype_of(name, array)
    return Field(name=name, dtype=dtype, shape=(ANY, *array.shape[1:]), nullable=nullable)


def _dtype_of(name: str, array: np.ndarray) -> str:
    if array.dtype.kind in "biufmM":
        return array.dtype.name
    kinds = {type(each) for each in array.ravel().tolist()} - {type(None)}
    if kinds <= {str}:
        return "string"
    if not kinds <= {str, int, float, bool}:
        raise ModelError(
            f"'{name}' holds values of type {', '.join(sorted(each.__name__ for each in kinds))}",
            hint="only numbers, text, times and categories can be sent in a request",
        )
    return {bool: "bool", int: "int64", float: "float64"}[kinds.pop()] if len(kinds) == 1 else "any"


def to_arrays(value: Any, given: Iterable[Field]) -> Arrays:
    """A user's value as arrays by field name, each of its field's dtype.

    Raises:
        BadRequest: a field is missing, or its values are not of its type.
    """
    named = tuple(given)
    if _is_frame(value):
        parts: Mapping[Any, Any] = dict(value.items())
        if len(named) == 1 and named[0].name not in parts and len(named[0].shape or (0, 0)) == 2:
            parts = {named[0].name: value.to_numpy()}
    elif isinstance(value, Mapping):
        parts = value
    elif len(named) == 1:
        parts = {named[0].name: value}
    else:
        array = _plain(value)
        parts = {each.name: array[:, at] for at, each in enumerate(named)} if array.shape[1:] == (len(named),) else {}
    labels = {each.name: each.name if each.label is None or each.name in parts else each.label for each in named}
    if missing := [name for name, label in labels.items() if label not in parts]:
        raise BadRequest(f"there is no '{missing[0]}' in the inputs", hint=f"it needs {', '.join(labels)}")
    return {each.name: _hold(parts[labels[each.name]], each) for each in named}


def _hold(value: Any, field: Field) -> np.ndarray:
    """`value` in the dtype of `field`, its nulls as NaN, NaT or None."""
    if getattr(getattr(value, "dtype", None), "tz", None) is not None:
        value = value.dt.tz_convert("UTC").dt.tz_localize(None)
    array, dtype = _plain(value), field.held
    if dtype == array.dtype:
        return array
    try:
        if dtype.kind == "O":
            nulls, array = _nulls(array), array.astype(object)
            array[nulls] = None
            return array
        if array.dtype.kind == "O" and _nulls(array).any() and dtype.kind == "f":
            array = np.where(_nulls(array), np.nan, array)
        casting: Any = "unsafe" if array.dtype.kind == "O" or (array.dtype.kind in "biu" and dtype.kind in "f") else "same_kind"
        return np.asarray(array.astype(dtype, casting=casting))
    except (TypeError, ValueError):
        raise BadRequest(f"'{field.name}' holds {array.dtype} values, not {field.dtype}") from None


def assemble(schema: Schema, arrays: Arrays) -> Any:
    """What the model is called with: a DataFrame of training's dtypes, one array, or arrays by name."""
    if schema.layout == "array":
        return arrays[schema.inputs[0].name]
    if schema.layout == "tensors":
        return {each.name: arrays[each.name] for each in schema.inputs if each.name in arrays}
    import pandas as pd

    labels = [each.name if each.label is None else each.label for each in schema.inputs]
    first = schema.inputs[0]
    if all(each.dtype == first.dtype and not each.pandas and each.held.kind != "O" for each in schema.inputs):
        block = np.empty((len(labels), rows(arrays)), first.held)  # one block, columns contiguous, as pandas keeps it
        for at, each in enumerate(schema.inputs):
            block[at] = arrays[each.name]
        return pd.DataFrame(block.T, columns=labels)
    return pd.DataFrame(dict(zip(labels, (_column(pd, each, arrays[each.name]) for each in schema.inputs), strict=True)))


def _column(pd: Any, field: Field, array: np.ndarray) -> Any:
    """A pandas Series with exactly the dtype of training."""
    if field.dtype == "category":
        categories = pd.Index(list(field.categories), dtype=field.pandas or None)
        return pd.Series(pd.Categorical(array, dtype=pd.CategoricalDtype(categories, ordered=field.ordered)))
    if field.dtype.startswith("datetime64") and field.pandas:
        return pd.Series(array).dt.tz_localize("UTC").dt.tz_convert(field.pandas[:-1].partition(", ")[2])
    if field.pandas or (field.nullable and array.dtype.kind == "O" and field.dtype not in ("string", "any")):
        kind = field.pandas or {"bool": "boolean"}.get(field.dtype, field.dtype.replace("i", "I", 1).replace("u", "U", 1))
        return pd.Series(array, dtype=kind)
    return pd.Series(array, dtype=array.dtype)


def outputs_of(value: Any, names: tuple[str, ...] = ()) -> Arrays:
    """What a model gave as arrays by name: `names`, those that it has itself, or output (of several output_0, output_1, ...).

    Raises:
        ModelError: it is nothing that a response can carry.
    """
    if _is_frame(value):
        return {str(label): _rowed(column) for label, column in value.items()}
    if isinstance(value, Mapping):
        return {str(key): _rowed(each) for key, each in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        keys = [str(key) for key in value[0]]
        return {key: _rowed([each.get(key) for each in value]) for key in keys}
    several = isinstance(value, tuple) and not hasattr(value, "dtype") and all(np.ndim(_dense(each)) for each in value)
    if not several and isinstance(value, list):  # scikit-learn gives probabilities of several targets as a list
        several = bool(value) and all(np.ndim(each) > 1 and hasattr(each, "shape") for each in value)
    if not several:
        return {names[0] if names else "output": _rowed(value)}
    if not names and len(value) == 1:
        names = ("output",)
    labels = names if len(names) == len(value) else [f"output_{at}" for at in range(len(value))]
    return dict(zip(labels, map(_rowed, value), strict=True))


def _rowed(value: Any) -> np.ndarray:
    array = np.atleast_1d(_plain(value))
    if array.dtype.kind == "O":
        _dtype_of("the output", array)
    return array


def rows(arrays: Arrays) -> int:
    """How many rows all of `arrays` have.

    Raises:
        BadRequest: some have more than others.
    """
    count = -1
    for name, array in arrays.items():
        if count < 0:
            first, count = name, len(array)
        elif len(array) != count:
            raise BadRequest(
                f"'{name}' has {len(array)} rows and '{first}' has {count}", hint="give every column as many values"
            )
    return max(count, 0)


def _is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame, asked without importing pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns")


def _dense(value: Any) -> Any:
    """Tensors of torch and sparse matrices as what numpy reads."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return value.float() if str(value.dtype) == "torch.bfloat16" else value
    return value.toarray() if hasattr(value, "tocsr") else value


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


def _plain(value: Any) -> np.ndarray:
    """As an array of a native dtype; text as objects, numbers of Python as int64, float64 or bool."""
    value = _dense(value)
    if isinstance(value, (list, tuple)):
        value = _of_list(value)
    extension = getattr(value, "dtype", None)
    if extension is not None and not isinstance(extension, np.dtype) and hasattr(value, "isna"):
        base = getattr(extension, "numpy_dtype", None)  # pandas' nullable and categorical types: null becomes None
        if base is not None and base.kind in "biuf" and not value.isna().any():
            return np.asarray(value.to_numpy(dtype=base))
        value = value.astype(object).where(~value.isna(), None)
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind in "UT":
        return array.astype(object)
    if array.dtype.kind == "O":
        return _objects(array)
    if array.dtype.kind not in "biufmM":
        raise ModelError(f"values of type {array.dtype} cannot be sent", hint="use numbers, text or times")
    return array.astype(np.float64) if array.dtype.itemsize > 8 else array.astype(_native(array.dtype), copy=False)


def _of_list(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
        mixed = array.dtype.kind in "UfO" and any(
            isinstance(each, (str, bytes, bool)) for each in np.asarray(value, object).ravel()
        )
        return np.asarray(value, object) if mixed else array
    except ValueError as error:
        raise ModelError(f"a list has no rectangular shape: {error}", hint="all rows need the same length") from None


def _objects(array: np.ndarray) -> np.ndarray:
    """Numbers of numpy as Python's, so that what is compared and written is plain; NaN and NA as None."""
    flat = [each.item() if isinstance(each, np.generic) else each for each in array.ravel().tolist()]
    result = np.empty(len(flat), object)
    result[:] = [each.decode() if isinstance(each, bytes) else each for each in flat]
    result[_nulls(result)] = None
    return result.reshape(array.shape)


def _nulls(array: np.ndarray) -> np.ndarray:
    """Where it holds NaN, NaT, NA or None."""
    if array.dtype.kind in "mM":
        return np.asarray(np.isnat(array))
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind != "O":
        return np.zeros(array.shape, bool)
    flags = [
        each is None or (isinstance(each, float) and math.isnan(each)) or type(each).__name__ in ("NAType", "NaTType")
        for each in array.ravel()
    ]
    return np.array(flags, bool).reshape(array.shape)
