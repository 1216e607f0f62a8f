"""The OpenAPI document of a service: every path and every status it can give, with the model's own schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from shipwheel_serve import codec, oip, values
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import ANY, Arrays, Field, Schema

Json = dict[str, Any]

STATUSES = {
    400: "The request is wrong, and the error says where.",
    404: "Another model or version.",
    413: "The body is over the limit.",
    429: "Too many requests are waiting: try again after Retry-After seconds.",
    500: "The model failed on these inputs.",
    503: "Not ready: loading, failed its check, or ending.",
    504: "No answer within the time limit.",
}
_ASKED = (400, 413, 429, 500, 503, 504)
_TIME = (  # days that there are, in years that nanoseconds reach
    r"^((1[7-9]|2[01])\d\d-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
    r"|(1[7-9]|2[01])(0[48]|[2468][048]|[13579][26])-02-29|2000-02-29)(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d%s)?%s$"
)
_FORMS = (
    'Rows as objects or lists, bare or under "instances" or "records"; {"inputs": ...}; {"columns": {name: [...]}}; '
    '{"dataframe_split": ...}; or text/csv with or without a header, or application/x-npy. The answer has a prediction '
    "for each row, in the same order."
)
_TENSORS = (
    "Tensors as JSON; or as bytes behind the JSON, whose length is then the header Inference-Header-Content-Length. "
    "An output is sent as bytes where binary_data or binary_data_output asks for it."
)


def document(name: str, version: str, schema: Schema | None, sample: bytes) -> Json:
    """OpenAPI 3.1 of a service of model `name`; `schema` is None before it is loaded, `sample` a body of /predict or empty."""
    row = _first_row(schema, sample)
    paths = {**_operations(), **_predictions(name, schema, row), **_protocol(name, version, schema, row)}
    for path, methods in paths.items():
        for method, operation in methods.items():
            operation["operationId"] = f"{method}{path}".replace("/", "_").replace(":", "_").replace("%", "_")
    about = f"Model {name}, version {version}. Every error is an object with the text 'error'."
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": version, "description": about},
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }


def _operations() -> dict[str, Json]:
    """What says how the service is."""
    alive, state = _object("live"), _object("ready", "state")
    found = dict[str, Json]()
    for path in ("/health", "/healthz", "/livez", "/v2/health/live"):
        found[path] = {"get": _operation("The process lives", "operations", alive)}
    for path in ("/ready", "/readyz", "/ping", "/v2/health/ready"):
        found[path] = {"get": _readiness("Requests are taken; if not, why", state)}
    found["/startupz"] = {"get": _readiness("The start has ended, well or not", _object("state"))}
    found["/metrics"] = {"get": _operation("Metrics for Prometheus", "operations", None)}
    found["/openapi.json"] = {"get": _operation("This document", "operations", _object("openapi", "paths"))}
    return found


def _readiness(summary: str, answer: Json) -> Json:
    operation = _operation(summary, "operations", answer)
    operation["responses"]["503"] = _answer(STATUSES[503], answer)
    return operation


def _predictions(name: str, schema: Schema | None, row: Arrays) -> dict[str, Json]:
    """`/predict` and its aliases, and the paths of KServe's V1."""
    rows, answer = _rows(schema), _object("predictions")
    answer["properties"]["predictions"] = _predicted(schema)
    instances = _object("instances", also=False)
    instances["properties"]["instances"] = rows
    listed = _as_rows(schema, row)
    one, model = f"/v1/models/{quote(name)}", _object("name", "ready")
    body = {"anyOf": [rows, instances]} if schema else {}
    found = {path: {"post": _posted("Predict", body, answer, listed, _FORMS)} for path in ("/predict", "/invocations")}
    example = {"instances": listed} if listed else None
    return {
        **found,
        "/v1/models": {"get": _operation("Names of the models", "v1", _object("models"))},
        one: {"get": _operation("Whether the model is ready", "v1", model, (404, 503))},
        f"{one}:predict": {"post": _posted("Predict", instances, answer, example, _FORMS, tag="v1", more=(404,))},
    }


def _protocol(name: str, version: str, schema: Schema | None, row: Arrays) -> dict[str, Json]:
    """The Open Inference Protocol and Triton's extensions that the service has."""
    infer, tensors = _infer(schema), _object("model_name", "model_version", "outputs")
    inputs = [_tensor_of(each, row[each.name]) for each in schema.inputs] if schema and row else []
    example = {"inputs": inputs} if inputs and None not in inputs else None
    metadata, config = _object("name", "versions", "platform", "inputs", "outputs"), _object("name", "input", "output")
    stats, anything, ready = _object("model_stats"), {"type": "object"}, _object("name", "ready")
    found: dict[str, Json] = {"/v2": {"get": _operation("The server", "v2", _object("name", "version", "extensions"))}}
    for base in (one := f"/v2/models/{quote(name)}", f"{one}/versions/{quote(version)}"):
        found[base] = {"get": _operation("Inputs and outputs", "v2", metadata, (404, 503))}
        found[f"{base}/ready"] = {"get": _operation("Whether the model is ready", "v2", ready, (404,))}
        found[f"{base}/ready"]["get"]["responses"]["503"] = _answer(STATUSES[503], ready)
        found[f"{base}/infer"] = {"post": _posted("Infer", infer, tensors, example, _TENSORS, tag="v2", more=(404,))}
        found[f"{base}/infer"]["post"]["responses"]["200"]["content"]["application/octet-stream"] = {}
        found[f"{base}/config"] = {"get": _operation("Triton's configuration", "v2", config, (404, 503))}
        found[f"{base}/stats"] = {"get": _operation("Counts and times", "v2", stats, (404,))}
    found["/v2/models/stats"] = {"get": _operation("Counts and times", "v2", stats)}
    found["/v2/repository/index"] = {"post": _operation("The one model", "v2", {"type": "array", "items": anything})}
    change = f"/v2/repository/models/{quote(name)}"
    found[f"{change}/load"] = {"post": _operation("The model is loaded at start", "v2", anything, (404, 503))}
    found[f"{change}/unload"] = {"post": _operation("Refused: the model stays loaded", "v2", None, (400, 404))}
    del found[f"{change}/unload"]["post"]["responses"]["200"]
    return found


def _posted(  # noqa: PLR0913 - the parts of an operation
    summary: str, body: Json, answer: Json, example: Any, text: str, *, tag: str = "predict", more: Sequence[int] = ()
) -> Json:
    media = {"schema": body, **({"example": example} if example else {})}
    operation = _operation(summary, tag, answer, (*_ASKED, *more))
    return {**operation, "description": text, "requestBody": {"required": True, "content": {"application/json": media}}}


def _operation(summary: str, tag: str, answer: Json | None, errors: Sequence[int] = ()) -> Json:
    """`answer`: the schema of a JSON answer; None: it is text."""
    responses: Json = {"200": _answer("As asked.", answer) if answer is not None else {"description": "Text."}}
    for status in sorted(errors):
        responses[str(status)] = _answer(STATUSES[status], {"$ref": "#/components/schemas/Error"})
        if status in (429, 503):
            responses[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return {"summary": summary, "tags": [tag], "responses": responses}


def _answer(text: str, schema: Json) -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _object(*required: str, also: bool = True) -> Json:
    """An object that has these keys, and others `also`."""
    closed = {} if also else {"additionalProperties": False}
    return {"type": "object", "required": list(required), "properties": {key: {} for key in required}, **closed}


def _rows(schema: Schema | None) -> Json:
    """A list with what is one row for the model."""
    if schema is None:
        return {"type": "array", "minItems": 1}
    if schema.layout == "array":
        return {"type": "array", "minItems": 1, "items": _nested(schema.inputs[0], 1)}
    row = {each.name: _nested(each, 1) for each in schema.inputs}
    record = {"type": "object", "required": list(row), "properties": row, "additionalProperties": False}
    return {"type": "array", "minItems": 1, "items": record}


def _predicted(schema: Schema | None) -> Json:
    outputs = schema.outputs if schema else ()
    items = {each.name: _nested(each, 1, nullable=True) for each in outputs}
    if len(items) > 1:
        return {"type": "array", "items": {"type": "object", "required": list(items), "properties": items}}
    return {"type": "array", "items": next(iter(items.values()), {})}


def _nested(of: Field, axis: int, *, nullable: bool = False) -> Json:
    """The schema from an axis on: lists of exact lengths, then the value."""
    if of.shape is None:
        return {}
    if axis >= len(of.shape):
        return _value(of, nullable=of.nullable or nullable)
    length = of.shape[axis]
    counts = {} if length == ANY else {"minItems": length, "maxItems": length}
    return {"type": "array", "items": _nested(of, axis + 1, nullable=nullable), **counts}


def _value(of: Field, *, nullable: bool) -> Json:
    if of.dtype == "category" and of.categories:
        return {"enum": [*of.categories, *([None] if nullable else [])]}
    schema = _scalar(of)
    kind = schema["type"]
    return {**schema, "type": [*([kind] if isinstance(kind, str) else kind), "null"]} if nullable else schema


def _scalar(of: Field) -> Json:
    if of.dtype == "any":
        return {"type": ["number", "string", "boolean"]}
    if of.dtype in ("string", "bool", "category"):
        return {"type": "boolean" if of.dtype == "bool" else "string"}
    dtype: np.dtype[Any] = np.dtype(np.float32 if of.dtype == "bfloat16" else of.dtype)
    if dtype.kind in "mM":
        unit = np.datetime_data(dtype)[0]
        if dtype.kind == "m":
            return {"type": "integer", "minimum": -(2**63) + 1, "maximum": 2**63 - 1, "description": f"a count of {unit}"}
        digits = {"ms": 3, "us": 6, "ns": 9}.get(unit, 0)
        end = "Z)" if ", " in of.pandas else "Z?)?"
        return {
            "type": "string",
            "pattern": _TIME % (rf"(\.\d{{1,{digits}}})?" if digits else "", end),
            "description": "ISO 8601",
        }
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    least, most = (float(limits.min), float(limits.max)) if dtype.kind == "f" else (int(limits.min), int(limits.max))
    return {"type": "number" if dtype.kind == "f" else "integer", "minimum": least, "maximum": most}


def _infer(schema: Schema | None) -> Json:
    """A request of the Open Inference Protocol."""
    tensors = [_tensor(each) for each in schema.inputs] if schema else []
    items: Json = {"items": tensors[0]} if len(tensors) == 1 else {"prefixItems": tensors} if tensors else {}
    counts = {"minItems": len(tensors), "maxItems": len(tensors)} if tensors else {}
    names = [each.name for each in schema.outputs] if schema else []
    output, more = _object("name"), {"type": ["object", "null"]}
    output["properties"] = {"name": {"enum": names} if names else {"type": "string"}, "parameters": more}
    properties = {"id": {"type": "string"}, "parameters": more, "outputs": {"type": ["array", "null"], "items": output}}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {"inputs": {"type": "array", **items, **counts}, **properties},
    }


def _tensor(of: Field) -> Json:
    kinds = list(oip.DTYPES) if of.dtype == "any" else [oip.datatype(of)]
    axes = [{"type": "integer", "minimum": 1} if each == ANY else {"const": each} for each in of.shape or ()]
    shape: Json = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    if of.shape is not None:
        exact = {"prefixItems": axes, "minItems": len(axes), "maxItems": len(axes)}
        shape = (
            {"type": "array", "items": axes[0], "minItems": 1, "maxItems": 1} if len(axes) == 1 else {"type": "array", **exact}
        )
    flat = {"type": "array", "items": _value(of, nullable=of.nullable)}
    properties = {"name": {"const": of.name}, "datatype": {"enum": kinds}, "shape": shape, "data": flat}
    return {"type": "object", "required": list(properties), "properties": properties}


def _tensor_of(of: Field, array: np.ndarray) -> Json:
    data = values.to_exact(array.ravel(), of)
    return {"name": of.name, "datatype": oip.datatype(of), "shape": list(array.shape), "data": data}


def _first_row(schema: Schema | None, sample: bytes) -> Arrays:
    """Of the sample, as an example; nothing if there is none."""
    if schema is None or not sample:
        return {}
    try:
        return {name: array[:1] for name, array in codec.decode(sample, schema).items()}
    except BadRequest:
        return {}


def _as_rows(schema: Schema | None, row: Arrays) -> list[Any] | None:
    if schema is None or not row:
        return None
    fields: Mapping[str, Field] = {each.name: each for each in schema.inputs}
    lists = {name: values.to_exact(array, fields[name]) for name, array in row.items()}
    if schema.layout == "array":
        return list(lists[schema.inputs[0].name])
    return [{name: listed[0] for name, listed in lists.items()}]
