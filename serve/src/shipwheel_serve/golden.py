"""Golden answers: whether a model gives again what it gave where it was trained, and if not, where that shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from shipwheel_serve import values
from shipwheel_serve.model import Golden
from shipwheel_serve.schema import Arrays, Field, Schema

TOLERANCE = {"float16": (1e-2, 1e-3), "bfloat16": (1e-2, 1e-3), "float32": (1e-5, 1e-6), "float64": (1e-5, 1e-6)}
"""Relative and absolute, by dtype. Exact floats are too strict: another processor moves them by 1e-16 and more."""

MOST = 8
"""Reasons that are told; the rest is counted."""


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
    kinds = {f"output '{field.name}'": field.dtype for field in schema.outputs}
    pairs = [("output", decoded_response, got)]
    if golden.features and features is not None:  # first: where features differ, they are why the answers do
        pairs.insert(0, ("feature", golden.features, features))
    for what, wanted, made in pairs:
        reasons += [f"{what} '{name}' is missing" for name in wanted if name not in made]
        reasons += [f"{what} '{name}' is new" for name in made if name not in wanted]
        for name in [each for each in wanted if each in made]:
            label, one = f"{what} '{name}'", np.asarray(wanted[name])
            tolerance = golden.tolerance.get(name) or TOLERANCE.get(kinds.get(label, str(one.dtype)), TOLERANCE["float64"])
            try:
                reason, error = _differ(one, np.asarray(made[name]), tolerance, json=what == "output")
            except Exception as problem:  # noqa: BLE001 - whatever cannot be compared differs
                reason, error = f"cannot be compared: {problem}", 0.0
            errors.append(error)
            reasons += [f"{label} {reason}"] if reason else []
    rows = max((len(each) for each in decoded_response.values() if np.ndim(each)), default=0)
    more = (f"and {len(reasons) - MOST} more",) if len(reasons) > MOST else ()
    return Verdict(passed=not reasons, reasons=(*reasons[:MOST], *more), max_error=max(errors), rows=rows)


def expected(golden: Golden, schema: Schema) -> Arrays:
    """The answers of `golden.response` as arrays, by the dtypes of `schema.outputs`.

    Raises:
        ServeError: the response is not what `schema` says.
    """
    answers = orjson.loads(golden.response)["predictions"]
    if len(schema.outputs) == 1:
        return {field.name: _read(answers, field) for field in schema.outputs}
    return {field.name: _read([row[field.name] for row in answers], field) for field in schema.outputs}


def to_json(features: Arrays) -> bytes:
    """Feature columns with their exact dtypes; null for what is absent, infinities as text, for JSON has none."""
    columns = {name: {"dtype": _dtype(each), "values": values.to_exact(each)} for name, each in features.items()}
    return orjson.dumps({"columns": columns})


def from_json(data: bytes) -> Arrays:
    """The columns that `to_json` wrote."""
    columns = orjson.loads(data)["columns"].items()
    return {name: _read(each["values"], Field(name=name, dtype=each["dtype"], shape=None)) for name, each in columns}


def _read(listed: list[Any], field: Field) -> np.ndarray:
    """An array of JSON; null where its dtype has one. What an array of objects holds stays as it is."""
    if field.dtype == "string":
        return np.array(listed, object)
    return values.convert(listed, replace(field, nullable=np.dtype(field.held).kind in "fmMO"))


def _differ(one: np.ndarray, other: np.ndarray, tolerance: tuple[float, float], *, json: bool) -> tuple[str, float]:
    """How `other` differs from the wanted `one`, "" if not at all; and the largest absolute error."""
    if one.shape != other.shape:
        return f"has the shape {list(other.shape)}, training had {list(one.shape)}", 0.0
    moved = f"is {_dtype(other)}, training had {_dtype(one)}" if _kind(one) != _kind(other) else ""
    numbers = {one.dtype.kind, other.dtype.kind} <= set("biuf")
    if one.size == 0 or (moved and not numbers):
        return moved, 0.0
    same = _same(one, other)
    if not numbers:
        distance = np.where(same, 0.0, np.inf)
        wrong = ~same
    else:
        floats = "f" in one.dtype.kind + other.dtype.kind
        wanted, got = one.astype(np.float64), other.astype(np.float64)
        if json:  # nothing that is not finite can be told apart
            same |= ~np.isfinite(wanted) & ~np.isfinite(got)
        with np.errstate(invalid="ignore"):
            distance = np.where(same, 0.0, np.abs(wanted - got))
            wrong = ~same & ~(floats & (distance <= tolerance[1] + tolerance[0] * np.abs(wanted)))
    error = float(np.max(distance, where=np.isfinite(distance), initial=0.0))
    found = _sentence(wrong, np.nan_to_num(distance, nan=np.inf), one, other, error) if wrong.any() else ""
    return " and ".join(filter(None, (moved, found))), error


def _kind(array: np.ndarray) -> str:
    """Another width of the same numbers is no difference, another kind is one; texts are one kind however they are held."""
    return {"u": "i", "O": "U", "S": "U", "T": "U"}.get(array.dtype.kind, array.dtype.kind)


def _dtype(array: np.ndarray) -> str:
    return "string" if _kind(array) == "U" else str(array.dtype)


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where both are equal, or both nothing."""
    if one.dtype.kind in "OUST":
        pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
        return np.array([_is_null(a) if _is_null(b) else a == b for a, b in pairs], bool).reshape(one.shape)
    return np.asarray((one == other) | ((one != one) & (other != other)))  # noqa: PLR0124 - NaN and NaT


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ in ("NAType", "NaTType")


def _sentence(wrong: np.ndarray, distance: np.ndarray, one: np.ndarray, other: np.ndarray, error: float) -> str:
    """The worst place: where the distance is largest, or the first one."""
    place = np.unravel_index(int(np.argmax(np.where(wrong, distance, -1.0))), one.shape)
    spot = ", ".join(map(str, place))
    many = f"{int(wrong.reshape(len(wrong), -1).any(1).sum())} of {len(wrong)} rows differ"
    far = f", largest absolute error {error:.6g}" if one.dtype.kind in "iuf" else ""
    return f"differs: at row {spot} it is {_show(other[place])}, training had {_show(one[place])}{far}; {many}"


def _show(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufU" else value
    return (repr(plain) if isinstance(plain, str) else str(plain))[:80]
