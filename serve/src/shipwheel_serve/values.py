"""Values of JSON into an array of a field's dtype and shape, strictly, and back."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson

from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import ANY, Field

_TIME = re.compile(r"(\d{4})(-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:(Z)|([+-])(\d\d):?(\d\d))?)?", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_INFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}  # as protobuf's JSON has them, which has no number for them
_SAFE = 2**53  # up to here every whole number is a float64 of its own


def loads(body: bytes | memoryview) -> Any:
    """The value of a body of JSON; NaN, as Python's clients write it, is null.

    Raises:
        BadRequest: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        text = bytes(body)
        if b"NaN" not in text and b"Infinity" not in text:
            raise BadRequest(f"the body is not JSON: {error}") from None
    try:
        return json.loads(text, parse_constant=lambda name: None if name == "NaN" else name)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None


def is_quick(body: bytes | memoryview) -> bool:
    """Whether numpy may look at the body's numbers unseen.

    It would take true for 1; and text among numbers would make every element as wide as the longest one.
    """
    return len(body) < 4096 and b"true" not in (data := bytes(body)) and b"false" not in data


def convert(value: Any, field: Field, quick: bool = False, columns: Sequence[str] = ()) -> np.ndarray:
    """A (nested) list as the array of `field`; `quick`: as `is_quick` says.

    Raises:
        BadRequest: names the field, the row and the value that do not fit.
    """
    if (array := quickly(value, field, quick)) is not None:
        return array
    flat, shape = flatten(value, field)
    if not fits(tuple(shape), field):
        raise misshapen(shape, field) if shape else BadRequest(f"'{field.name}' must be a list, not {_shown(value)}")
    return checked(flat, shape, field, columns)


def checked(flat: Sequence[Any], shape: Sequence[int], field: Field, columns: Sequence[str] = ()) -> np.ndarray:
    """Elements one by one, each as `field` wants it.

    Raises:
        BadRequest: as for `convert`.
    """
    if field.dtype == "any":
        return _natural(flat, shape, field)
    check, inner = _checker(field), max(math.prod(shape[1:]), 1)
    array = np.empty(len(flat), field.held)
    for at, each in enumerate(flat):
        try:
            array[at] = check(each)
        except ValueError as error:
            name = columns[at % inner] if columns and len(columns) == inner else field.name
            raise BadRequest(f"'{name}' in row {at // inner} {error}, not {_shown(each)}") from None
    return array.reshape(shape)


def quickly(value: Any, field: Field, quick: bool) -> np.ndarray | None:
    """The same in one step for numbers, where numpy gets it right by itself; None: element by element, then."""
    if not quick and not (field.held.kind in "fiu" and _are_numbers(value)):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):  # ragged
        return None
    kind, dtype = array.dtype.kind, field.held
    if kind not in "fiu" or dtype.kind not in "fiu" or not fits(array.shape, field):
        return None
    if array.dtype == dtype:
        return array
    if dtype.kind == "f":
        top = np.finfo(dtype).max
        fine = dtype.itemsize == 8 or not array.size or (-top <= array.min() and array.max() <= top)
        return array.astype(dtype) if fine else None
    if kind == "f" or not array.size:
        return None if array.size else array.astype(dtype)
    limits = np.iinfo(dtype)
    return array.astype(dtype) if limits.min <= array.min() and array.max() <= limits.max else None


def _are_numbers(value: Any) -> bool:
    """Whether all elements of a nested list are numbers, and no booleans."""
    level = [value]
    while level and type(level[0]) in (list, tuple):
        if not set(map(type, level)) <= {list, tuple}:
            return False
        level = list(chain.from_iterable(level))
    return set(map(type, level)) <= {int, float}


def cast(array: np.ndarray, field: Field) -> np.ndarray:
    """An array that somebody sent as the one of `field`: numbers to numbers that can hold them.

    Raises:
        BadRequest: shape, kind or range do not fit.
    """
    if not fits(array.shape, field):
        raise misshapen(array.shape, field)
    dtype = field.held
    if field.dtype == "any" or array.dtype == dtype:
        return array
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "M": "M", "m": "m", "O": "O"}.get(dtype.kind, "")
    if array.dtype.kind not in kinds or dtype.kind == "O":
        raise BadRequest(f"'{field.name}' holds {array.dtype} values, not {field.dtype}")
    if dtype.kind in "iu" and array.size and not (np.iinfo(dtype).min <= array.min() and array.max() <= np.iinfo(dtype).max):
        raise BadRequest(f"'{field.name}' holds numbers that {field.dtype} cannot")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def fits(shape: tuple[int, ...], field: Field) -> bool:
    """Whether an array of `shape` is one of `field`."""
    wanted = field.shape
    if wanted is None:
        return bool(shape)
    if wanted[0] == ANY and shape[1:] == wanted[1:] and shape:
        return True
    return len(shape) == len(wanted) and all(want in (ANY, has) for want, has in zip(wanted, shape, strict=True))


def shown_shape(field: Field) -> str:
    """Such as [rows, 4]."""
    return (
        "["
        + ", ".join(["rows", "any"][at > 0] if each == ANY else str(each) for at, each in enumerate(field.shape or ()))
        + "]"
    )


def misshapen(shape: Sequence[int], field: Field) -> BadRequest:
    """The error that says what shape is wanted."""
    wanted = field.shape or (ANY,)
    hint = "one row is a list with a list in it, as in [[...]]" if len(shape) == 1 and len(wanted) == 2 else ""
    return BadRequest(f"'{field.name}' must have shape {shown_shape(field)}, not {list(shape)}", hint=hint)


def flatten(value: Any, field: Field) -> tuple[list[Any], list[int]]:
    """All elements of a nested list in order, and its shape.

    Raises:
        BadRequest: lists of one depth have different lengths.
    """
    level, shape = [value], list[int]()
    while level and type(level[0]) in (list, tuple):
        lengths = {len(each) if type(each) in (list, tuple) else -1 for each in level}
        if len(lengths) > 1:
            raise BadRequest(f"'{field.name}' is ragged at depth {len(shape) + 1}", hint=f"its shape is {shown_shape(field)}")
        shape.append(lengths.pop())
        level = [each for part in level for each in part]
    if not level and field.shape and len(shape) < len(field.shape):
        shape += [max(each, 0) for each in field.shape[len(shape) :]]
    return level, shape


def _natural(flat: Sequence[Any], shape: Sequence[int], field: Field) -> np.ndarray:
    """Of a field of no known type: numbers or booleans where all are such, else objects as JSON gave them."""
    kinds = {type(each) for each in flat}
    if bad := kinds & {dict, list, tuple}:
        raise BadRequest(f"'{field.name}' holds a {'object' if dict in bad else 'list'} where a value should be")
    if not field.pandas and (kinds == {bool} or kinds <= {int, float} or kinds == {float, type(None)}):
        array = np.array(flat, np.float64 if float in kinds or not kinds else None)
        return array.reshape(shape)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _checker(field: Field) -> Callable[[Any], Any]:
    """A function from a value of JSON to the array's element; it raises ValueError that says what it must be."""
    kind = {"string": "s", "category": "c", "bfloat16": "f"}.get(field.dtype) or np.dtype(field.dtype).kind
    null: Any = {"M": np.datetime64("NaT"), "m": np.timedelta64("NaT"), "f": math.nan}.get(kind)
    if kind == "c":
        one = _category(field)
    elif kind == "M":
        one = _time(field)
    else:
        one = {"f": _float, "i": _whole, "u": _whole, "m": _span, "b": _bool, "s": _text}[kind](field)

    def check(value: Any) -> Any:
        if value is not None:
            return one(value)
        if field.nullable:
            return null
        raise ValueError("must have a value")

    return check


def _float(field: Field) -> Callable[[Any], Any]:
    top = float(np.finfo(field.held).max)

    def check(value: Any) -> float:
        if type(value) is str and value in _INFINITE:
            return _INFINITE[value]
        if type(value) not in (int, float):
            raise ValueError("must be a number")
        if not -top <= value <= top:
            raise ValueError(f"must be a number that {field.dtype} can hold")
        return float(value)

    return check


def _whole(field: Field) -> Callable[[Any], Any]:
    limits = np.iinfo(field.dtype)

    def check(value: Any) -> int:
        if type(value) is float and value.is_integer() and abs(value) < _SAFE:
            value = int(value)
        if type(value) is not int:
            raise ValueError("must be a whole number")
        if not limits.min <= value <= limits.max:
            raise ValueError(f"must be from {limits.min} to {limits.max}")
        return value

    return check


def _span(field: Field) -> Callable[[Any], Any]:
    whole = _whole(Field(name=field.name, dtype="int64"))
    unit: Any = np.datetime_data(field.dtype)[0]
    return lambda value: np.timedelta64(whole(value), unit)


def _bool(field: Field) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is bool else _must("be true or false")


def _text(field: Field) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is str else _must("be text")


def _category(field: Field) -> Callable[[Any], Any]:
    table = {(type(each) is bool, each): each for each in field.categories}
    some = ", ".join(str(each) for each in field.categories[:10]) + (", ..." if len(field.categories) > 10 else "")

    def check(value: Any) -> Any:
        try:
            return table[type(value) is bool, value]
        except (KeyError, TypeError):
            raise ValueError(f"must be one of {some}") from None

    return check


def _time(field: Field) -> Callable[[Any], Any]:
    """ISO 8601 with a date; a column without a zone takes UTC at most, one with a zone needs an offset."""
    unit: Any = np.datetime_data(field.dtype)[0]
    zoned = ", " in field.pandas

    def check(value: Any) -> Any:
        found = _TIME.fullmatch(value) if type(value) is str else None
        if not found:
            raise ValueError("must be an ISO 8601 time such as 2024-05-31T12:00:00")
        year, date, clock, utc, sign, hours, minutes = found.groups()
        if zoned and not (utc or sign):
            raise ValueError("must have an offset such as Z")
        shift = int(sign + "1") * (int(hours) * 60 + int(minutes)) if sign else 0
        if shift and not zoned:
            raise ValueError("must have no offset")
        text = f"{year}{date}T{clock or '00:00'}"
        try:
            fine: Any
            if unit == "ns":
                fine = np.datetime64(text, "ns") if 1678 <= int(year) <= 2261 else np.datetime64("NaT", "ns")
            else:
                fine = np.datetime64(text, "us")
            time = fine.astype(f"M8[{unit}]")
        except ValueError:
            raise ValueError("must be a time that there is") from None
        if time != fine or (unit != "ns" and text.partition(".")[2][6:].strip("0")):  # NaT is not itself either
            raise ValueError(f"must be a time that {field.dtype} can hold")
        return time - np.timedelta64(shift, "m")

    return check


def _must(what: str) -> Any:
    raise ValueError(f"must {what}")


def _shown(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: str(value).lower(), type(None): "null"}
    text = names.get(type(value)) or (f'the text "{value}"' if isinstance(value, str) else str(value))
    return text if len(text) <= 60 else text[:57] + "..."


def cell(text: str, field: Field) -> Any:
    """What a cell of CSV would be in JSON, as far as `field` asks; else it stays text, and is refused as such."""
    if text == "" and (field.nullable or field.dtype != "string"):
        return None
    if field.dtype == "category":
        return next((each for each in field.categories if str(each) == text), text)
    if field.dtype == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if field.dtype == "string" or field.dtype.startswith("datetime") or not _NUMBER.fullmatch(text) or len(text) > 400:
        return text
    return float(text) if any(each in text for each in ".eE") else int(text)


def read_npy(body: bytes) -> np.ndarray:
    """An array of numpy's file format, over the same memory.

    Raises:
        BadRequest: it is no such file, holds objects, or is cut.
    """
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream)
        if dtype.hasobject or any(each < 0 for each in shape):
            raise ValueError("it holds objects")
        array = np.frombuffer(body, dtype, math.prod(shape), stream.tell())
        array = array.reshape(shape, order="F" if fortran else "C")
        array = array.astype(dtype.newbyteorder("="), copy=False)
    except Exception as error:  # noqa: BLE001 - what a parser of Python literals makes of any bytes is not in its documentation
        raise BadRequest(f"the body is no npy array: {error}") from None
    return array


def to_list(array: np.ndarray) -> Any:
    """As lists of what JSON has: times as text, NaT as None (orjson writes NaN as null)."""
    kind = array.dtype.kind
    if kind == "M":
        texts = np.datetime_as_string(array).astype(object)
        texts[np.isnat(array)] = None
        return texts.tolist()
    if kind == "m":
        counts = array.astype(np.int64).astype(object)
        counts[np.isnat(array)] = None
        return counts.tolist()
    return array.tolist()


def to_exact(array: np.ndarray, field: Field | None = None) -> Any:
    """As `to_list`, so that the very same bits can be read again."""
    if array.dtype.kind == "f" and np.isinf(array).any():
        exact = array.astype(object)
        exact[np.isposinf(array)], exact[np.isneginf(array)] = "Infinity", "-Infinity"
        return exact.tolist()
    listed = to_list(array)
    zoned = field is not None and array.dtype.kind == "M" and ", " in field.pandas
    return [each and each + "Z" for each in listed] if zoned else listed


def zeros(field: Field) -> np.ndarray:
    """One row of zeros, of the first category, of a time."""
    shape = [1 if each == ANY else each for each in field.shape or (1,)]
    if field.dtype == "category":
        return np.full(shape, field.categories[0] if field.categories else None, object)
    if field.dtype == "string":
        return np.full(shape, "text", object)
    return np.zeros(shape, np.float64 if field.dtype == "any" else field.held)
