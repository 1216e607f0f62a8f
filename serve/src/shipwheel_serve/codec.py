"""Bodies of `/predict` and `/invocations`: JSON, CSV and npy into arrays, arrays into JSON. Nothing is converted by guess."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from shipwheel_serve import values
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import ANY, Arrays, Field, Schema, rows

ROWS = ("instances", "records", "dataframe_records")
"""Keys that hold rows: V1 of KServe and TensorFlow Serving, pandas, MLflow."""

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_PLANS: dict[int, _Plan] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What follows from a schema; kept, as a request should not work it out again.

    `names` are what a record's keys are called. `block` is set where all columns are of one type and make one matrix.
    """

    schema: Schema
    names: tuple[str, ...]
    fields: Mapping[str, Field]
    block: Field | None
    split: bool


def _plan(schema: Schema) -> _Plan:
    plan = _PLANS.get(id(schema))
    if plan is None:
        if len(_PLANS) > 64:
            _PLANS.clear()
        plan = _PLANS[id(schema)] = _planned(schema)  # it holds the schema, so that no other one gets this id
    return plan


def _planned(schema: Schema) -> _Plan:
    first = schema.inputs[0]
    if schema.layout == "array" and schema.columns and len(first.shape or ()) == 2:
        each = replace(first, shape=(ANY,))
        fields = {name: replace(each, name=name) for name in schema.columns}
        block = replace(first, shape=(ANY, len(fields)))
        return _Plan(schema=schema, names=schema.columns, fields=fields, block=block, split=False)
    fields = {each.name: each for each in schema.inputs}
    alike = all(replace(each, name="", label=None) == replace(first, name="", label=None) for each in schema.inputs)
    whole = schema.layout == "frame" and alike and first.shape == (ANY,) and first.held.kind in "fiu"
    matrix = replace(first, shape=(ANY, len(fields))) if whole else None
    return _Plan(schema=schema, names=tuple(fields), fields=fields, block=matrix, split=True)


def decode(body: bytes, schema: Schema, content_type: str = "") -> Arrays:
    """The inputs that a request's body has; any media type but CSV and npy is taken for JSON.

    Raises:
        BadRequest: names the field and the row that the schema does not take.
    """
    if content_type and "json" not in content_type:
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "text/csv":
            return _counted(_of_csv(body, _plan(schema)))
        if kind in ("application/x-npy", "application/x-numpy"):
            return _counted(_of_npy(body, _plan(schema)))
    value, quick = values.loads(body), values.is_quick(body)
    plan = _plan(schema)
    if type(value) is dict:
        return _counted(_of_object(value, plan, quick))
    return _counted(_of_rows(value, plan, quick))


def _counted(arrays: Arrays) -> Arrays:
    if not rows(arrays):
        raise BadRequest("there are no rows to predict", hint="send at least one")
    return arrays


def _of_object(value: dict[str, Any], plan: _Plan, quick: bool) -> Arrays:
    """The forms that are an object: rows or columns under a key that says so, or one row itself."""
    if plan.schema.layout == "frame" and value.keys() == plan.fields.keys():
        return _of_records([value], plan, quick)
    for key in ("inputs", "columns", "dataframe_split", *ROWS):
        if key not in value or (key in plan.fields and len(plan.fields) > 1):
            continue
        if more := [other for other in value if other != key]:
            raise BadRequest(f"'{more[0]}' beside '{key}' is unknown")
        held = value[key]
        if key == "dataframe_split":
            return _of_split(held, plan, quick)
        if key == "columns" or (key == "inputs" and type(held) is dict):
            return _of_columns(held, plan, quick)
        return _of_rows(held, plan, quick)
    return _of_records([value], plan, quick)


def _of_rows(value: Any, plan: _Plan, quick: bool) -> Arrays:
    """A list: of records, of rows in the order of the columns, or of the one input's values."""
    if type(value) is not list:
        raise BadRequest("the inputs must be a list of rows", hint=f"such as {_hint(plan)}")
    if value and type(value[0]) is dict:
        return _of_records(value, plan, quick)
    schema, first = plan.schema, plan.schema.inputs[0]
    if schema.layout != "frame":
        if len(schema.inputs) > 1:
            raise BadRequest("the rows must be objects, as the model has several inputs", hint=f"such as {_hint(plan)}")
        return {first.name: values.convert(value, first, quick, schema.columns)}
    if plan.block and (array := values.quickly(value, plan.block, quick)) is not None:
        return dict(zip(plan.names, array.T, strict=True))
    if len(plan.names) == 1 and not (value and type(value[0]) is list):
        return _of_columns({plan.names[0]: value}, plan, quick)
    for at, row in enumerate(value):
        if type(row) is not list or len(row) != len(plan.names):
            raise BadRequest(f"row {at} must be a list of {len(plan.names)} values", hint=f"in order: {', '.join(plan.names)}")
    return _of_columns(dict(zip(plan.names, zip(*value, strict=True), strict=True)) if value else {}, plan, quick)


def _of_records(records: Sequence[Any], plan: _Plan, quick: bool) -> Arrays:
    names = plan.names
    if not plan.split and type(records[0]) is dict and records[0].keys() == {plan.schema.inputs[0].name}:
        names = (plan.schema.inputs[0].name,)
    count = len(names)
    for at, row in enumerate(records):
        if type(row) is not dict:
            raise BadRequest(f"row {at} must be an object like the others")
        if len(row) != count or any(name not in row for name in names):
            _refuse_names(row, names, f"row {at}")
    if plan.block and names is plan.names:
        array = values.quickly([[row[name] for name in names] for row in records], plan.block, quick)
        if array is not None:
            return dict(zip(names, array.T, strict=True)) if plan.split else {plan.block.name: array}
    return _of_columns({name: [row[name] for row in records] for name in names}, plan, quick)


def _of_columns(columns: Any, plan: _Plan, quick: bool) -> Arrays:
    if type(columns) is not dict:
        raise BadRequest("the columns must be an object of lists", hint=f"with {', '.join(plan.names)}")
    first = plan.schema.inputs[0]
    if not plan.split and columns.keys() == {first.name}:
        return {first.name: values.convert(columns[first.name], first, quick, plan.schema.columns)}
    if columns.keys() != plan.fields.keys():
        _refuse_names(columns, plan.names, "the request")
    arrays = {name: values.convert(columns[name], field, quick) for name, field in plan.fields.items()}
    if plan.split:
        return arrays
    rows(arrays)
    return {first.name: np.stack([*arrays.values()], axis=1)}


def _of_split(table: Any, plan: _Plan, quick: bool) -> Arrays:
    """pandas' `to_json(orient="split")`: columns, data and an index that nothing needs."""
    if type(table) is not dict or type(table.get("data")) is not list:
        raise BadRequest("'dataframe_split' must be an object with columns and data")
    names = table.get("columns", list(plan.names))
    if type(names) is not list or not all(type(row) is list and len(row) == len(names) for row in table["data"]):
        raise BadRequest("every row of 'dataframe_split' must be a list with a value for each of its columns")
    keys = [str(name) for name in names]
    if len(set(keys)) < len(keys):
        raise BadRequest("a column of 'dataframe_split' is there twice")
    return _of_columns({key: [row[at] for row in table["data"]] for at, key in enumerate(keys)}, plan, quick)


def _refuse_names(given: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    missing, unknown = [name for name in names if name not in given], [name for name in given if name not in names]
    said = [f"has no '{name}'" for name in missing[:3]] + [f"has '{name}', which is unknown" for name in unknown[:3]]
    raise BadRequest(f"{where} {' and '.join(said)}", hint=f"the model takes {', '.join(names)}")


def _hint(plan: _Plan) -> str:
    text = sample(plan.schema).decode()
    return text if 0 < len(text) < 300 else '{"columns": {"name": [...], ...}}'


def _of_csv(body: bytes, plan: _Plan) -> Arrays:
    """With a header, in any order of columns, or without one, in the model's."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"the body is not CSV in UTF-8: {error}") from None
    fields, names = plan.fields, plan.names
    if not plan.block and plan.schema.layout == "array" and len(plan.schema.inputs[0].shape or ()) == 2:
        first = plan.schema.inputs[0]  # a matrix whose columns have no names
        count = len(lines[0]) if lines else 0
        names = tuple(f"column {at}" for at in range(count))
        fields = {name: replace(first, name=name, shape=(ANY,)) for name in names}
    elif lines and any(cell in fields for cell in lines[0]):
        names = tuple(lines.pop(0))
        if len(names) != len(fields) or set(names) != set(fields):
            _refuse_names(dict.fromkeys(names), plan.names, "the header")
    for at, line in enumerate(lines):
        if len(line) != len(names):
            raise BadRequest(f"row {at} has {len(line)} values, not {len(names)}", hint=f"in order: {', '.join(names)}")
    columns = {name: [values.cell(line[at], fields[name]) for line in lines] for at, name in enumerate(names)}
    if fields is plan.fields:
        return _of_columns(columns, plan, False)
    return _of_rows([list(row) for row in zip(*columns.values(), strict=True)], plan, False)


def _of_npy(body: bytes, plan: _Plan) -> Arrays:
    """numpy's own format: one array, for a model that takes one or a matrix of columns."""
    field = plan.schema.inputs[0] if len(plan.schema.inputs) == 1 else plan.block
    if field is None:
        raise BadRequest("one array cannot hold these inputs", hint="send JSON or CSV")
    array = values.cast(values.read_npy(body), field)
    return dict(zip(plan.names, array.T, strict=True)) if plan.block and plan.split else {field.name: array}


def encode(outputs: Arrays, schema: Schema) -> bytes:
    """`{"predictions": [...]}`: of one output its values, of several an object for each row. NaN is null."""
    if len(outputs) == 1:
        (array,) = outputs.values()
        return b'{"predictions":' + _dumps(array) + b"}"
    lists = {name: orjson.Fragment(_dumps(array)) for name, array in outputs.items()}
    if len({len(array) for array in outputs.values()}) > 1:  # not row by row: there are no objects to make
        return orjson.dumps({"predictions": lists})
    columns = [values.to_list(array) for array in outputs.values()]
    table = [dict(zip(lists, row, strict=True)) for row in zip(*columns, strict=True)]
    return orjson.dumps({"predictions": table}, option=_NUMPY | orjson.OPT_NON_STR_KEYS)


def _dumps(array: np.ndarray) -> bytes:
    if array.dtype.kind in "fiub" and array.dtype.itemsize > 2:  # orjson reads these from memory itself
        return orjson.dumps(array, option=_NUMPY, default=_to_list)
    return orjson.dumps(values.to_list(array), option=_NUMPY | orjson.OPT_NON_STR_KEYS)


_to_list: Callable[[Any], Any] = values.to_list


def columns_request(arrays: Arrays, schema: Schema) -> bytes:
    """A body of `/predict` that decodes to the same arrays, bit for bit: goldens are kept so."""
    fields = {each.name: each for each in schema.inputs}
    return orjson.dumps({"columns": {name: values.to_exact(array, fields.get(name)) for name, array in arrays.items()}})


def sample(schema: Schema) -> bytes:
    """A request of one row of zeros, first categories and the like; empty where the schema does not say enough."""
    if not all(each.shape for each in schema.inputs) or not schema.inputs:
        return b""
    return columns_request({each.name: values.zeros(each) for each in schema.inputs}, schema)
