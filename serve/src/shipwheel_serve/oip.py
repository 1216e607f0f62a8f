"""The Open Inference Protocol v2 over HTTP, as Triton and KServe speak it: tensors as JSON or as bytes behind the JSON.

https://github.com/kserve/open-inference-protocol and Triton's extensions binary_tensor_data, model_configuration.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from shipwheel_serve import __version__, values
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import ANY, Arrays, Field, Schema, rows

DTYPES = {
    **{"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64", "BF16": "bfloat16", "BYTES": "string"},
    **{f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
}
"""The protocol's name of a datatype to the field's."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_LENGTH = struct.Struct("<I")
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """What was asked. `outputs` are names and whether each is wanted as bytes (empty: all); `binary` holds for the others."""

    arrays: Arrays
    id: str = ""
    outputs: tuple[tuple[str, bool], ...] = ()
    binary: bool = False


def datatype(of: Field) -> str:
    """The protocol's name for a field's type: categories as what they are, times as text, spans as counts of their unit."""
    if of.dtype == "category":
        kinds = {type(each) for each in of.categories}
        return {bool: "BOOL", int: "INT64", float: "FP64"}.get(kinds.pop(), "BYTES") if len(kinds) == 1 else "BYTES"
    if of.dtype.startswith(("datetime64", "timedelta64")):
        return "BYTES" if of.dtype[0] == "d" else "INT64"
    return _NAMES.get(of.dtype, "FP64")  # "any" has to be called something


def decode_infer(body: bytes, header_length: int | None, schema: Schema) -> InferRequest:
    """The tensors of a request; `header_length` (bytes of JSON) is of the header Inference-Header-Content-Length.

    Raises:
        BadRequest: names the tensor and what is wrong with it.
    """
    if header_length == 0:  # Triton's raw request: all of the body is the one input
        return InferRequest(arrays=_raw(body, schema), binary=True)
    end = len(body) if header_length is None else header_length
    if not 0 < end <= len(body):
        raise BadRequest(f"the inference header has {end} bytes, the body {len(body)}")
    head = memoryview(body)[:end] if end < len(body) else body
    request = _table(values.loads(head), "the request")
    arrays = _inputs(request, body, end, schema, values.is_quick(head))
    if not rows(arrays):
        raise BadRequest("there are no rows to predict", hint="send at least one")
    parameters = _parameters(request, "'parameters'")
    binary = parameters.get("binary_data_output", False) is True
    name = request.get("id", "")
    if not isinstance(name, str):
        raise BadRequest("'id' must be text")
    return InferRequest(arrays=arrays, id=name, outputs=_requested(request, schema, binary), binary=binary)


def _table(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise BadRequest(f"{what} must be an object")
    return value


def _parameters(of: dict[str, Any], what: str) -> dict[str, Any]:
    given = of.get("parameters")
    return {} if given is None else _table(given, what)


def _tables(request: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, each with a name of its own."""
    given = request.get(key)
    if type(given) is not list:
        raise BadRequest(f"'{key}' must be a list of tensors")
    seen = set[str]()
    for each in given:
        name = _table(each, f"each of '{key}'").get("name")
        if type(name) is not str or not name:
            raise BadRequest(f"each of '{key}' must have a name")
        if name in seen:
            raise BadRequest(f"'{name}' is there twice in '{key}'")
        seen.add(name)
    return given


def _inputs(request: dict[str, Any], body: bytes, at: int, schema: Schema, quick: bool) -> Arrays:
    """Each tensor's values, from its JSON or from the bytes that begin at `at` and follow in the order of the tensors."""
    fields = {each.name: each for each in schema.inputs}
    found = dict[str, np.ndarray]()
    for tensor in _tables(request, "inputs"):
        name = tensor["name"]
        if name not in fields:
            raise BadRequest(f"the input '{name}' is unknown", hint=f"the model takes {', '.join(fields)}")
        of, shape = fields[name], _shape(tensor)
        kind = _kind(tensor, of)
        size = _parameters(tensor, f"parameters of '{name}'").get("binary_data_size")
        if size is None:
            found[name] = _of_json(tensor, kind, shape, of, quick)
            continue
        if type(size) is not int or not 0 <= size <= len(body) - at:
            raise BadRequest(f"'{name}' has binary_data_size {size}, and {len(body) - at} bytes are left of the body")
        found[name] = _of_bytes(memoryview(body)[at : at + size], kind, shape, of)
        at += size
    if missing := [name for name in fields if name not in found]:
        raise BadRequest(f"the input '{missing[0]}' is missing", hint=f"the model takes {', '.join(fields)}")
    if at != len(body):
        raise BadRequest(f"{len(body) - at} bytes of the body belong to no tensor", hint="set binary_data_size")
    return {name: found[name] for name in fields}


def _shape(tensor: dict[str, Any]) -> list[int]:
    shape = tensor.get("shape")
    if type(shape) is not list or any(type(each) is not int or each < 0 or each >= 1 << 40 for each in shape):
        raise BadRequest(f"the shape of '{tensor['name']}' must be a list of whole numbers, 0 or more")
    return shape


def _kind(tensor: dict[str, Any], of: Field) -> str:
    kind, wanted = tensor.get("datatype"), datatype(of)
    if type(kind) is not str or kind not in DTYPES:
        raise BadRequest(f"'{of.name}' has no datatype that is known", hint=f"one of {', '.join(DTYPES)}")
    if kind != wanted and of.dtype != "any":
        raise BadRequest(f"'{of.name}' has datatype {kind}, the model takes {wanted}")
    return kind


def _fitted(shape: Sequence[int], of: Field) -> tuple[int, ...]:
    """The shape of the array; a column may come as [n, 1]."""
    fitted = tuple(shape[:1]) if len(shape) == 2 and shape[1] == 1 and of.shape and len(of.shape) == 1 else tuple(shape)
    if not values.fits(fitted, of):
        raise values.misshapen(shape, of)
    return fitted


def _of_json(tensor: dict[str, Any], kind: str, shape: list[int], of: Field, quick: bool) -> np.ndarray:
    """`data` is flat or nested, in row-major order."""
    if "data" not in tensor:
        raise BadRequest(f"'{of.name}' has neither data nor binary_data_size", hint="shared memory is not supported")
    fitted = _fitted(shape, of)
    target = _target(kind, of)
    data = tensor["data"]
    free = Field(name=of.name, dtype=target.dtype, shape=None, nullable=target.nullable)
    if (array := values.quickly(data, free, quick)) is not None:
        _count(array.size, shape, of)
        return array.reshape(fitted)
    if type(data) is not list:
        raise BadRequest(f"the data of '{of.name}' must be a list")
    flat, _ = values.flatten(data, target)
    _count(len(flat), shape, of)
    return values.checked(flat, fitted, target)


def _target(kind: str, of: Field) -> Field:
    """A field whose type is not known takes that of the tensor."""
    return Field(name=of.name, dtype=DTYPES[kind], shape=of.shape, nullable=of.nullable) if of.dtype == "any" else of


def _count(count: int, shape: Sequence[int], of: Field) -> None:
    if count != math.prod(shape):
        raise BadRequest(f"'{of.name}' has {count} values, its shape {list(shape)} has {math.prod(shape)}")


def _of_bytes(data: memoryview, kind: str, shape: Sequence[int], of: Field) -> np.ndarray:
    """Little-endian, row-major; numbers stay where they are in the body, if that is where a processor can read them."""
    fitted, target, size = _fitted(shape, of), _target(kind, of), len(data)
    if kind == "BYTES":
        texts = _texts(data, of)
        _count(len(texts), shape, of)
        return values.checked(texts, fitted, target)
    dtype = np.dtype({"BF16": "<u2", "BOOL": "u1"}.get(kind) or DTYPES[kind]).newbyteorder("<")
    if size != math.prod(shape) * dtype.itemsize:
        raise BadRequest(
            f"'{of.name}' has {size} bytes, its shape {list(shape)} of {kind} has {math.prod(shape) * dtype.itemsize}"
        )
    array = np.frombuffer(data, dtype) if size else np.empty(0, dtype)
    if kind == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    elif kind == "BOOL":
        array = array != 0
    elif not array.flags.aligned:  # libraries behind pointers, such as scikit-learn's, do not take it
        array = array.copy()
    if target.held != array.dtype:  # categories, spans of time, what may be null
        return values.checked(array.tolist(), fitted, target)
    return array.reshape(fitted)


def _texts(data: memoryview, of: Field) -> list[str]:
    """Each behind its length, four bytes little-endian."""
    at, found = 0, list[str]()
    try:
        while at < len(data):
            (length,) = _LENGTH.unpack_from(data, at)
            at += 4 + length
            if at > len(data):
                raise BadRequest(f"'{of.name}' ends within an element")
            found.append(str(data[at - length : at], "utf-8"))
    except struct.error:
        raise BadRequest(f"'{of.name}' ends within the length of an element") from None
    except UnicodeDecodeError:
        raise BadRequest(f"element {len(found)} of '{of.name}' is not text in UTF-8") from None
    return found


def _raw(body: bytes, schema: Schema) -> Arrays:
    if len(schema.inputs) != 1 or schema.inputs[0].shape is None:
        raise BadRequest("only for a model with one input of known shape may the body be nothing but the tensor")
    of = schema.inputs[0]
    kind, wanted = datatype(of), of.shape or (ANY,)
    width = 2 if kind in ("BF16", "FP16") else np.dtype(DTYPES[kind]).itemsize if kind != "BYTES" else 0
    inner = math.prod(each for each in wanted if each != ANY) * width
    if kind == "BYTES":
        count = len(_texts(memoryview(body), of))
    elif wanted.count(ANY) > 1 or not inner or not body or len(body) % inner:
        raise BadRequest(f"{len(body)} bytes are no '{of.name}' of shape {values.shown_shape(of)} and type {kind}")
    else:
        count = len(body) // inner
    shape = [count if each == ANY else each for each in wanted]
    array = _of_bytes(memoryview(body), kind, shape, of)
    if not len(array):
        raise BadRequest("there are no rows to predict", hint="send at least one")
    return {of.name: array}


def _requested(request: dict[str, Any], schema: Schema, binary: bool) -> tuple[tuple[str, bool], ...]:
    if request.get("outputs") is None:
        return ()
    known = [each.name for each in schema.outputs]
    asked = list[tuple[str, bool]]()
    for tensor in _tables(request, "outputs"):
        name, parameters = tensor["name"], _parameters(tensor, f"parameters of '{tensor['name']}'")
        if known and name not in known:
            raise BadRequest(f"the output '{name}' is unknown", hint=f"the model gives {', '.join(known)}")
        for key in ("classification", "shared_memory_region"):
            if parameters.get(key):
                raise BadRequest(f"'{name}' asks for {key}, which this service does not have")
        asked.append((name, parameters.get("binary_data", binary) is True))
    return tuple(asked)


def encode_infer(request: InferRequest, outputs: Arrays, schema: Schema, name: str, version: str) -> tuple[bytes, int | None]:
    """The answer's body, and how many bytes of it are JSON where tensors follow as bytes.

    Raises:
        BadRequest: an output was asked for that the model did not give.
    """
    fields = {each.name: each for each in schema.outputs}
    asked = request.outputs or tuple((each, request.binary) for each in outputs)
    tensors, parts = list[dict[str, Any]](), list[bytes | memoryview]()
    for key, binary in asked:
        if key not in outputs:
            raise BadRequest(f"the output '{key}' is unknown", hint=f"the model gives {', '.join(outputs)}")
        kind, array = _as_tensor(outputs[key], fields.get(key))
        tensor: dict[str, Any] = {"name": key, "datatype": kind, "shape": list(array.shape)}
        if binary:
            parts.append(_to_bytes(kind, array))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = array.ravel().tolist() if array.dtype.kind == "O" else np.ascontiguousarray(array).ravel()
        tensors.append(tensor)
    answer = {"model_name": name, "model_version": version, "outputs": tensors}
    head = orjson.dumps({"id": request.id, **answer} if request.id else answer, option=_NUMPY)
    return (b"".join((head, *parts)), len(head)) if parts else (head, None)


def _as_tensor(array: np.ndarray, of: Field | None) -> tuple[str, np.ndarray]:
    """The datatype of an output and its array: of a type of the protocol, or objects that are all text."""
    if array.dtype.kind == "O" and not any(isinstance(each, str) for each in array.flat):
        numbers = np.array([math.nan if each is None else each for each in array.flat]).reshape(array.shape)
        array = numbers if numbers.dtype.kind in "biuf" else array
    if array.dtype.kind == "M":
        array = np.array(values.to_list(array), object)
    if array.dtype.kind == "m":
        array = array.astype(np.int64)
    if array.dtype.kind == "O":
        return "BYTES", array
    if of is not None and of.dtype == "bfloat16" and array.dtype == np.float32:
        return "BF16", array
    return _NAMES[array.dtype.name], array.astype(array.dtype.newbyteorder("="), copy=False)


def _to_bytes(kind: str, array: np.ndarray) -> bytes | memoryview:
    if kind == "BYTES":
        texts = [b"" if each is None else str(each).encode() for each in array.flat]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    if kind == "BF16":  # the upper half, rounded to even
        bits = np.ascontiguousarray(array).view(np.uint32)
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        return np.where(np.isnan(array), np.uint16(0x7FC0), rounded).astype("<u2").tobytes()
    if not array.size:
        return b""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def server_metadata() -> dict[str, Any]:
    """Of `GET /v2`."""
    extensions = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
    return {"name": "shipwheel-serve", "version": __version__, "extensions": extensions}


def model_metadata(name: str, version: str, schema: Schema, library: str) -> dict[str, Any]:
    """Of `GET /v2/models/{name}`."""
    inputs, outputs = ([_tensor(each) for each in fields] for fields in (schema.inputs, schema.outputs))
    return {"name": name, "versions": [version], "platform": library, "inputs": inputs, "outputs": outputs}


def _tensor(of: Field) -> dict[str, Any]:
    return {"name": of.name, "datatype": datatype(of), "shape": list(of.shape or (ANY,))}


def model_config(name: str, version: str, schema: Schema, library: str) -> dict[str, Any]:
    """Of `GET /v2/models/{name}/config`, as Triton's configuration has it; `dims` have the rows, as without batching."""
    inputs, outputs = ([_configured(each) for each in fields] for fields in (schema.inputs, schema.outputs))
    return {
        "name": name,
        "platform": library,
        "backend": "shipwheel",
        "version_policy": {"specific": {"versions": [int(version)]}}
        if version.isdecimal()
        else {"latest": {"num_versions": 1}},
        "max_batch_size": 0,
        "input": inputs,
        "output": outputs,
        "instance_group": [],
        "default_model_filename": "",
        "parameters": {},
    }


def _configured(of: Field) -> dict[str, Any]:
    kind = datatype(of)
    return {
        "name": of.name,
        "data_type": "TYPE_STRING" if kind == "BYTES" else f"TYPE_{kind}",
        "dims": list(of.shape or (ANY,)),
    }


def repository_index(name: str, version: str, ready: bool, reason: str) -> list[dict[str, str]]:
    """Of `POST /v2/repository/index`."""
    return [{"name": name, "version": version, "state": "READY" if ready else "UNAVAILABLE", "reason": reason}]
