"""Golden answers: whether a model gives again what it gave where it was trained, and if not, where that shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from shipwheel_serve.model import Golden
from shipwheel_serve.schema import Arrays, Field, Schema

TOLERANCE = {"float16": (1e-2, 1e-3), "bfloat16": (1e-2, 1e-3), "float32": (1e-5, 1e-6), "float64": (1e-5, 1e-6)}
"""Relative and absolute, by dtype. Exact floats are too strict: another processor moves them by 1e-16 and more."""

MOST = 8
"""Reasons that are told; the rest is counted."""

_NONFINITE = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a comparison found: `max_error` is the largest absolute error of a number, `rows` how many were compared."""

    passed: bool
    reasons: tuple[str, ...] = ()
    max_error: float = 0.0
    rows: int = 0


def compare(golden: Golden, decoded_response: Arrays, got: Arrays, features: Arrays | None, schema: Schema) -> Verdict:
    """Whether `got` and `features` are what training had; never raises, whatever the shapes.

    Labels, texts, integers and booleans must be equal; floats within `golden.tolerance`, else within TOLERANCE. NaN is
    NaN; in answers infinities are too, because both are null in JSON. `features` None: not compared.
    """
    reasons, errors = list[str](), [0.0]
    kinds = {field.name: field.dtype for field in schema.outputs}
    if golden.features and features is not None:  # first: where features differ, they are why the answers do
        found = _compare_all("feature", golden.features, features, {}, golden)
        reasons, errors = reasons + found[0], errors + found[1]
    found = _compare_all("output", decoded_response, got, kinds, golden)
    reasons, errors = reasons + found[0], errors + found[1]
    rows = max((len(each) for each in decoded_response.values() if np.ndim(each)), default=0)
    more = (f"and {len(reasons) - MOST} more",) if len(reasons) > MOST else ()
    return Verdict(passed=not reasons, reasons=(*reasons[:MOST], *more), max_error=max(errors), rows=rows)


def expected(golden: Golden, schema: Schema) -> Arrays:
    """The answers of `golden.response` as arrays, by the dtypes of `schema.outputs`.

    Raises:
        ValueError: the response is not what `schema` says.
    """
    values = orjson.loads(golden.response)["predictions"]
    single = len(schema.outputs) == 1
    return {field.name: _array(values if single else [row[field.name] for row in values], field) for field in schema.outputs}


def to_json(features: Arrays) -> bytes:
    """Feature columns with their exact dtypes; NaN and infinities as text, for JSON has none."""
    columns = {name: {"dtype": str(each.dtype), "values": _plain(each)} for name, each in features.items()}
    return orjson.dumps({"columns": columns})


def from_json(data: bytes) -> Arrays:
    """The columns that `to_json` wrote."""
    return {name: _column(each["values"], each["dtype"]) for name, each in orjson.loads(data)["columns"].items()}


def _compare_all(
    what: str, wanted: Arrays, got: Arrays, kinds: Mapping[str, str], golden: Golden
) -> tuple[list[str], list[float]]:
    """Reasons and largest errors of all arrays."""
    reasons = [f"{what} '{name}' is missing" for name in wanted if name not in got]
    reasons += [f"{what} '{name}' is new" for name in got if name not in wanted]
    errors = list[float]()
    for name in [each for each in wanted if each in got]:
        one, other = np.asarray(wanted[name]), np.asarray(got[name])
        try:
            reason, error = _differ(one, other, kinds.get(name, ""), golden.tolerance.get(name), json=what == "output")
        except Exception as problem:  # noqa: BLE001 - whatever cannot be compared differs
            reason, error = f"cannot be compared: {problem}", 0.0
        errors.append(error)
        reasons += [f"{what} '{name}' {reason}"] if reason else []
    return reasons, errors


def _differ(
    one: np.ndarray, other: np.ndarray, kind: str, tolerance: tuple[float, float] | None, *, json: bool
) -> tuple[str, float]:
    """How `other` differs from the wanted `one`, "" if not at all; and the largest absolute error."""
    if one.shape != other.shape:
        return f"has the shape {list(other.shape)}, training had {list(one.shape)}", 0.0
    moved = f"is {_dtype(other)}, training had {_dtype(one)}" if _kind(one) != _kind(other) else ""
    if one.size == 0 or (moved and not {one.dtype.kind, other.dtype.kind} <= set("biuf")):
        return moved, 0.0
    if "f" not in (one.dtype.kind, other.dtype.kind):
        wrong, error = ~np.asarray(_same(one, other)).reshape(one.shape), _integer_error(one, other)
        found = _sentence(wrong, wrong, one, other, error) if wrong.any() else ""
    else:
        rtol, atol = tolerance or TOLERANCE.get(kind or str(one.dtype), TOLERANCE["float64"])
        found, error = _far(one.astype(np.float64), other.astype(np.float64), rtol, atol, json=json)
    return " and ".join(filter(None, (moved, found))), error


def _far(one: np.ndarray, other: np.ndarray, rtol: float, atol: float, *, json: bool) -> tuple[str, float]:
    """The same for floats, within tolerance; in JSON nothing that is not finite can be told apart."""
    nothing = ~np.isfinite(one) & ~np.isfinite(other) if json else (np.isnan(one) & np.isnan(other)) | (one == other)
    with np.errstate(invalid="ignore"):
        distance = np.where(nothing, 0.0, np.abs(one - other))
        wrong = ~nothing & ~(distance <= atol + rtol * np.abs(one))
    finite = distance[np.isfinite(distance)]
    error = float(finite.max()) if finite.size else 0.0
    return (_sentence(wrong, np.nan_to_num(distance, nan=np.inf), one, other, error) if wrong.any() else ""), error


def _kind(array: np.ndarray) -> str:
    """Another width of the same numbers is no difference, another kind is one; texts are one kind however they are held."""
    return {"u": "i", "O": "U", "S": "U", "T": "U"}.get(array.dtype.kind, array.dtype.kind)


def _dtype(array: np.ndarray) -> str:
    return "text" if _kind(array) == "U" else str(array.dtype)


def _same(one: np.ndarray, other: np.ndarray) -> Any:
    if one.dtype.kind in "mM":
        return (one == other) | (np.isnat(one) & np.isnat(other))
    if one.dtype.kind not in "OUST":
        return one == other
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return np.array([_is(a, b) for a, b in pairs], bool)


def _is(a: Any, b: Any) -> bool:
    return _is_null(a) if _is_null(b) else bool(a == b)


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ in ("NAType", "NaTType")


def _integer_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max()) if one.dtype.kind in "iub" else 0.0


def _sentence(wrong: np.ndarray, distance: np.ndarray, one: np.ndarray, other: np.ndarray, error: float) -> str:
    """The worst place: where the distance is largest, or the first one."""
    place = np.unravel_index(int(np.argmax(np.where(wrong, distance, -1.0))), one.shape)
    spot = f"row {place[0]}" + "".join(f", {index}" for index in place[1:])
    many = f"{int(wrong.reshape(len(wrong), -1).any(1).sum())} of {len(wrong)} rows differ"
    far = f", largest absolute error {error:.6g}" if one.dtype.kind in "iuf" else ""
    return f"differs: at {spot} it is {_show(other[place])}, training had {_show(one[place])}{far}; {many}"


def _show(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) and value.dtype.kind not in "mM" else value
    return repr(plain)[:80] if isinstance(plain, (str, bool, int, float, type(None))) else str(plain)[:80]


def _plain(array: np.ndarray) -> list[Any]:
    if array.dtype.kind in "mM":
        return list(array.astype(np.int64).tolist())
    if array.dtype.kind in "OUST":
        return [None if _is_null(each) else str(each) for each in array.tolist()]
    values = array.tolist()
    return [_spelled(each) for each in values] if array.dtype.kind == "f" and not np.isfinite(array).all() else list(values)


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled(each) for each in value]
    return value if np.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def _column(values: Iterable[Any], dtype: str) -> np.ndarray:
    if np.dtype(object if dtype.startswith(("object", "str", "<U", "|S", "StringDType")) else dtype).kind == "O":
        return np.array(values, object)
    kind = np.dtype(dtype)
    if kind.kind in "mM":
        return np.array(values, np.int64).astype(kind)
    return np.array(_numbers(values), kind) if kind.kind == "f" else np.array(values, kind)


def _numbers(values: Any) -> Any:
    return [_numbers(each) if isinstance(each, list) else _NONFINITE.get(each, each) for each in values]


def _array(values: list[Any], field: Field) -> np.ndarray:
    if field.dtype in {"string", "category"}:
        return np.array(values, object)
    kind = np.dtype("float32" if field.dtype == "bfloat16" else field.dtype)
    return np.array(values, kind)  # null becomes NaN, and a time is text in ISO 8601
