"""Bodies that tritonclient writes are read here, and it reads those that are written here."""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton

from shipwheel_serve import oip
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import Field, Schema

CLIENT = triton.InferenceServerClient
PAIR = Schema(
    layout="tensors",
    inputs=(Field(name="a", dtype="float32", shape=(-1, 2)), Field(name="b", dtype="int64", shape=(-1,))),
    outputs=(Field(name="x", dtype="float32"), Field(name="y", dtype="int64")),
)
FRAME = Schema(
    layout="frame",
    inputs=(
        Field(name="age", dtype="float64", nullable=True),
        Field(name="kind", dtype="category", categories=("red", "blue")),
        Field(name="level", dtype="category", categories=(1, 2)),
        Field(name="day", dtype="datetime64[us]"),
        Field(name="count", dtype="int32", nullable=True),
        Field(name="flag", dtype="bool"),
    ),
)


def one(dtype: str, shape: tuple[int, ...] | None = (-1, 2), **more: Any) -> Schema:
    return Schema(layout="array", inputs=(Field(name="input", dtype=dtype, shape=shape, **more),))


def body_of(array: np.ndarray, kind: str, binary: bool, **more: Any) -> tuple[bytes, int | None]:
    tensor = triton.InferInput("input", list(array.shape), kind)
    tensor.set_data_from_numpy(array, binary_data=binary)
    found: tuple[bytes, int | None] = CLIENT.generate_request_body([tensor], **more)
    return found


def text_of(array: np.ndarray) -> list[str]:
    return [each.decode() if isinstance(each, bytes) else each for each in array.ravel()]


def values_of(kind: str) -> np.ndarray:
    dtype = {"bfloat16": ml_dtypes.bfloat16, "string": object}.get(oip.DTYPES[kind], oip.DTYPES[kind])
    if kind == "BYTES":
        return np.array([["a", "é"], ["", "\0zz"]], object)
    if kind.startswith(("INT", "UINT")):
        limits = np.iinfo(dtype)
        return np.array([[limits.min, limits.max], [0, 1]], dtype)
    return np.array([[0, 1], [1, 0]] if kind == "BOOL" else [[0.1, -2.5], [3e4, 1e-7]]).astype(dtype)


@pytest.mark.parametrize(
    ("kind", "sent_binary"), [(kind, binary) for kind in oip.DTYPES for binary in (True, False) if binary or kind != "BF16"]
)  # tritonclient itself refuses BF16 as JSON
@pytest.mark.parametrize("asked_binary", [True, False, None])
def test_tritonclient_gets_back_what_it_sent(kind: str, sent_binary: bool, asked_binary: bool | None) -> None:
    array, dtype = values_of(kind), oip.DTYPES[kind]
    outputs = None if asked_binary is None else [triton.InferRequestedOutput("y", binary_data=asked_binary)]
    request = oip.decode_infer(*body_of(array, kind, sent_binary, outputs=outputs, request_id="7"), one(dtype))
    assert request.arrays["input"].dtype == one(dtype).inputs[0].held
    schema = Schema(layout="array", inputs=(), outputs=(Field(name="y", dtype=dtype),))
    body, length = oip.encode_infer(request, {"y": request.arrays["input"]}, schema, "m", "1")
    result = CLIENT.parse_response_body(body, header_length=length)
    found = result.as_numpy("y")
    assert text_of(found) == text_of(array) if kind == "BYTES" else found.tobytes() == array.tobytes()
    assert found.shape == array.shape
    assert result.get_response()["id"] == "7"
    assert (result.get_response()["model_name"], result.get_response()["model_version"]) == ("m", "1")
    assert (length is None) == (asked_binary is False)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", ["FP32", "INT64", "BYTES", "BOOL"])
def test_a_tensor_of_no_length_goes_both_ways(kind: str, binary: bool) -> None:
    array = np.empty((2, 0), {"string": object}.get(oip.DTYPES[kind], oip.DTYPES[kind]))
    request = oip.decode_infer(*body_of(array, kind, binary), one(oip.DTYPES[kind], (-1, -1)))
    assert request.arrays["input"].shape == (2, 0)
    body, length = oip.encode_infer(request, {"y": request.arrays["input"]}, PAIR, "m", "1")
    assert CLIENT.parse_response_body(body, header_length=length).as_numpy("y").shape == (2, 0)


@pytest.mark.parametrize("binary", [True, False])
def test_no_rows_at_all_are_refused(binary: bool) -> None:
    with pytest.raises(BadRequest, match="no rows"):
        oip.decode_infer(*body_of(np.empty((0, 2), np.float32), "FP32", binary), one("float32"))


def test_nan_in_json_needs_a_field_that_may_be_null_and_comes_back_as_nan() -> None:
    array = np.array([[1.0, math.nan]])
    body = body_of(array, "FP64", False, outputs=[triton.InferRequestedOutput("y", binary_data=False)])
    with pytest.raises(BadRequest, match="must have a value"):
        oip.decode_infer(*body, one("float64"))
    request = oip.decode_infer(*body, one("float64", nullable=True))
    answer, _ = oip.encode_infer(request, {"y": request.arrays["input"]}, PAIR, "m", "1")
    np.testing.assert_array_equal(CLIENT.parse_response_body(answer).as_numpy("y"), array)


def columns(shape: tuple[int, ...], binary: bool) -> tuple[bytes, int | None]:
    table = [
        ("age", "FP64", np.array([1.5, 2.5])),
        ("kind", "BYTES", np.array(["red", "blue"], object)),
        ("level", "INT64", np.array([2, 1])),
        ("day", "BYTES", np.array(["2024-05-31", "1969-01-01T01:02:03.5"], object)),
        ("count", "INT32", np.array([1, 2], np.int32)),
        ("flag", "BOOL", np.array([True, False])),
    ]
    tensors = []
    for name, kind, array in reversed(table):  # in any order
        tensors.append(triton.InferInput(name, list(shape), kind))
        tensors[-1].set_data_from_numpy(array.reshape(shape), binary_data=binary)
    found: tuple[bytes, int | None] = CLIENT.generate_request_body(tensors)
    return found


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_columns_of_a_frame_are_tensors(shape: tuple[int, ...], binary: bool) -> None:
    arrays = oip.decode_infer(*columns(shape, binary), FRAME).arrays
    assert {name: array.tolist() for name, array in arrays.items() if name != "day"} == {
        "age": [1.5, 2.5],
        "kind": ["red", "blue"],
        "level": [2, 1],
        "count": [1, 2],
        "flag": [True, False],
    }
    assert list(arrays) == [each.name for each in FRAME.inputs]
    assert [array.dtype for array in arrays.values()] == [each.held for each in FRAME.inputs]
    assert arrays["day"].tolist() == np.array(["2024-05-31", "1969-01-01T01:02:03.5"], "M8[us]").tolist()


def test_big_tensors_are_not_copied() -> None:
    body, length = body_of(np.arange(2_000_000, dtype=np.float32).reshape(-1, 2), "FP32", True)
    assert length is not None
    body, length = body[:length] + b" " * (-length % 8) + body[length:], length + -length % 8
    array = oip.decode_infer(body, length, one("float32")).arrays["input"]
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))


def test_tensors_that_begin_at_an_odd_address_are_made_readable() -> None:
    body, length = body_of(np.arange(4.0).reshape(2, 2), "FP64", True)
    assert length is not None
    for pad in range(8):
        array = oip.decode_infer(body[:length] + b" " * pad + body[length:], length + pad, one("float64")).arrays["input"]
        assert array.flags.aligned
        assert array.tolist() == [[0, 1], [2, 3]]


def test_data_may_be_nested_or_flat() -> None:
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        tensor = {"name": "input", "shape": [2, 2], "datatype": "INT32", "data": data}
        array = oip.decode_infer(json.dumps({"inputs": [tensor]}).encode(), None, one("int32")).arrays["input"]
        assert array.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kind", ["FP32", "INT64", "BYTES"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_model_of_unknown_schema_takes_any_tensor(kind: str, binary: bool) -> None:
    array = values_of(kind)
    found = oip.decode_infer(*body_of(array, kind, binary), one("any", None)).arrays["input"]
    assert found.tolist() == array.tolist()
    assert found.dtype == array.dtype


def test_a_body_that_is_nothing_but_the_tensor() -> None:
    array = np.array([[1, 2], [3, 4]], np.float32)
    found = oip.decode_infer(array.tobytes(), 0, one("float32"))
    assert found.arrays["input"].tolist() == array.tolist()
    assert found.binary
    for body, schema in ((array.tobytes()[:-1], one("float32")), (b"", one("float32")), (array.tobytes(), PAIR)):
        with pytest.raises(BadRequest):
            oip.decode_infer(body, 0, schema)


A: dict[str, Any] = {"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
B: dict[str, Any] = {"name": "b", "shape": [1], "datatype": "INT64", "data": [1]}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ([], "must be an object"),
        ({}, "'inputs' must be a list"),
        ({"inputs": {}}, "'inputs' must be a list"),
        ({"inputs": [3]}, "must be an object"),
        ({"inputs": [{}]}, "must have a name"),
        ({"inputs": [A]}, "'b' is missing"),
        ({"inputs": [A, A, B]}, "'a' is there twice"),
        ({"inputs": [A, B, {**B, "name": "c"}]}, "'c' is unknown"),
        ({"inputs": [A, {**B, "datatype": "FP32"}]}, "'b' has datatype FP32, the model takes INT64"),
        ({"inputs": [A, {**B, "datatype": "FP8"}]}, "no datatype that is known"),
        ({"inputs": [A, {**B, "datatype": ["INT64"]}]}, "no datatype that is known"),
        ({"inputs": [A, {**B, "shape": [2]}]}, "'b' has 1 values, its shape [2] has 2"),
        ({"inputs": [A, {**B, "shape": [-1]}]}, "the shape of 'b'"),
        ({"inputs": [A, {**B, "shape": [True]}]}, "the shape of 'b'"),
        ({"inputs": [A, {**B, "shape": [10**30]}]}, "the shape of 'b'"),
        ({"inputs": [A, {**B, "shape": None}]}, "the shape of 'b'"),
        ({"inputs": [{**A, "shape": [1, 3], "data": [1, 2, 3]}, B]}, "'a' must have shape [rows, 2], not [1, 3]"),
        ({"inputs": [{**A, "shape": [2]}, B]}, "'a' must have shape"),
        ({"inputs": [A, {**B, "data": ["1"]}]}, "whole number"),
        ({"inputs": [A, {**B, "data": [True]}]}, "whole number"),
        ({"inputs": [A, {**B, "data": [1.5]}]}, "whole number"),
        ({"inputs": [A, {**B, "data": [2**63]}]}, "'b' in row 0 must be from"),
        ({"inputs": [{**A, "data": [1, 1e300]}, B]}, "float32 can hold"),
        ({"inputs": [{**A, "data": [[1], [2, 3]]}, B]}, "ragged"),
        ({"inputs": [A, {**B, "data": 1}]}, "must be a list"),
        ({"inputs": [A, {key: B[key] for key in ("name", "shape", "datatype")}]}, "neither data nor binary_data_size"),
        ({"inputs": [A, {**B, "parameters": {"binary_data_size": 8}}]}, "0 bytes are left"),
        ({"inputs": [A, {**B, "parameters": {"binary_data_size": -8}}]}, "binary_data_size -8"),
        ({"inputs": [A, {**B, "parameters": {"binary_data_size": 10**30}}]}, "bytes are left"),
        ({"inputs": [A, {**B, "parameters": {"binary_data_size": True}}]}, "binary_data_size"),
        ({"inputs": [A, {**B, "parameters": 3}]}, "must be an object"),
        ({"inputs": [A, {**B, "shape": [2], "data": [1, 2]}]}, "'b' has 2 rows"),
        ({"inputs": [A, B], "outputs": [{"name": "z"}]}, "the output 'z' is unknown"),
        ({"inputs": [A, B], "outputs": [{"name": "x"}, {"name": "x"}]}, "'x' is there twice"),
        ({"inputs": [A, B], "outputs": [{"name": "x", "parameters": {"classification": 3}}]}, "classification"),
        ({"inputs": [A, B], "outputs": [{"name": "x", "parameters": {"shared_memory_region": "r"}}]}, "shared_memory"),
        ({"inputs": [A, B], "outputs": 3}, "'outputs' must be a list"),
        ({"inputs": [A, B], "parameters": 3}, "'parameters' must be an object"),
        ({"inputs": [A, B], "id": 3}, "'id' must be text"),
    ],
)
def test_a_request_that_is_wrong_is_told_where(request_: object, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        oip.decode_infer(json.dumps(request_).encode(), None, PAIR)
    assert said in f"{caught.value.message}: {caught.value.hint}"


@pytest.mark.parametrize("length", [-1, 10**9, 1])
def test_a_header_that_is_longer_than_the_body_or_cuts_it_is_refused(length: int) -> None:
    with pytest.raises(BadRequest):
        oip.decode_infer(json.dumps({"inputs": [A, B]}).encode(), length, PAIR)


@pytest.mark.parametrize(
    ("size", "tail", "said"),
    [
        (16, 16, "its shape [1, 2] of FP32 has 8"),
        (4, 4, "has 4 bytes"),
        (8, 9, "belong to no tensor"),
        (8, 7, "7 bytes are left"),
    ],
)
def test_bytes_that_are_not_the_tensors_are_refused(size: int, tail: int, said: str) -> None:
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    with pytest.raises(BadRequest) as caught:
        oip.decode_infer(head + bytes(tail), len(head), one("float32"))
    assert said in caught.value.message


def test_text_that_is_not_utf8_is_refused() -> None:
    body, length = body_of(np.array([[b"\xff", b"a"]], object), "BYTES", True)
    with pytest.raises(BadRequest, match="UTF-8"):
        oip.decode_infer(body, length, one("string"))


def test_requested_outputs_come_in_the_order_asked_each_as_wanted() -> None:
    asked = [{"name": "y", "parameters": {"binary_data": True}}, {"name": "x"}]
    request = oip.decode_infer(json.dumps({"inputs": [A, B], "outputs": asked}).encode(), None, PAIR)
    outputs = {"x": np.array([0.5], np.float32), "y": np.array([7]), "z": np.array([1])}
    body, length = oip.encode_infer(request, outputs, PAIR, "m", "1")
    result = CLIENT.parse_response_body(body, header_length=length)
    assert [each["name"] for each in result.get_response()["outputs"]] == ["y", "x"]
    assert (result.as_numpy("x").tolist(), result.as_numpy("y").tolist()) == ([0.5], [7])
    with pytest.raises(BadRequest, match="'y' is unknown"):
        oip.encode_infer(request, {"x": outputs["x"]}, PAIR, "m", "1")


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (np.array(["a", None], object), "BYTES", None),
        (np.array(["2020-01-01"], "M8[s]"), "BYTES", ["2020-01-01T00:00:00"]),
        (np.array([5], "m8[s]"), "INT64", [5]),
        (np.array([1, 2], object), "INT64", [1, 2]),
        (np.array([1.5, None], object), "FP64", None),
        (np.array([[1, 2], [3, 4]]).T, "INT64", [[1, 3], [2, 4]]),
        (np.array([1, 2], ">i4"), "INT32", [1, 2]),
    ],
)
def test_every_kind_of_output_has_a_datatype(array: np.ndarray, kind: str, expected: object, binary: bool) -> None:
    request = oip.InferRequest(arrays={}, binary=binary)
    body, length = oip.encode_infer(request, {"y": array}, Schema(layout="array", inputs=()), "m", "1")
    result = CLIENT.parse_response_body(body, header_length=length)
    assert result.get_output("y")["datatype"] == kind
    found = result.as_numpy("y")
    if expected is not None:
        assert (text_of(found) if kind == "BYTES" else found.tolist()) == expected


def test_bfloat16_is_rounded_to_the_nearest_and_keeps_nan() -> None:
    array = np.array([1.00390625, 1.01171875, math.nan, -math.inf, 3e38], np.float32)
    schema = Schema(layout="array", inputs=(), outputs=(Field(name="y", dtype="bfloat16"),))
    body, length = oip.encode_infer(oip.InferRequest(arrays={}, binary=True), {"y": array}, schema, "m", "1")
    found = CLIENT.parse_response_body(body, header_length=length).as_numpy("y")
    np.testing.assert_array_equal(found.astype(np.float32), array.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_metadata_and_configuration_say_the_same() -> None:
    metadata, config = (make("wine", "3", FRAME, "scikit-learn") for make in (oip.model_metadata, oip.model_config))
    assert metadata["versions"] == ["3"]
    assert [each["datatype"] for each in metadata["inputs"]] == ["FP64", "BYTES", "INT64", "BYTES", "INT32", "BOOL"]
    assert [each["data_type"] for each in config["input"]][:2] == ["TYPE_FP64", "TYPE_STRING"]
    assert [each["dims"] for each in config["input"]] == [each["shape"] for each in metadata["inputs"]]
    assert oip.model_metadata("m", "1", one("any", None), "python")["inputs"][0]["shape"] == [-1]


def test_the_server_says_which_extensions_it_has() -> None:
    assert "binary_tensor_data" in oip.server_metadata()["extensions"]
    assert oip.repository_index("m", "1", False, "loading") == [
        {"name": "m", "version": "1", "state": "UNAVAILABLE", "reason": "loading"}
    ]
