from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipwheel_serve import codec, oip
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import Field, Schema, rows

SCHEMAS = (
    Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 2)),), columns=("a", "b")),
    Schema(layout="array", inputs=(Field(name="input", dtype="any", shape=None),)),
    Schema(layout="frame", inputs=(Field(name="a", dtype="float64"), Field(name="b", dtype="float64"))),
    Schema(
        layout="frame",
        inputs=(
            Field(name="a", dtype="int8", nullable=True),
            Field(name="b", dtype="category", categories=("x", 1)),
            Field(name="c", dtype="datetime64[ns]"),
            Field(name="d", dtype="timedelta64[us]", nullable=True),
            Field(name="e", dtype="bool"),
        ),
    ),
    Schema(layout="tensors", inputs=(Field(name="a", dtype="int64", shape=(-1, -1)), Field(name="b", dtype="string"))),
    Schema(layout="tensors", inputs=(Field(name="a", dtype="bfloat16", shape=(-1, 2)), Field(name="b", dtype="float16"))),
)
schemas = st.sampled_from(SCHEMAS)
keys = st.sampled_from(["a", "b", "c", "d", "e", "input", "inputs", "columns", "instances", "dataframe_split", "data", "name"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["x", "2020-01-01", "9999-12-31T24:00"]),
)
trees = st.recursive(scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(keys, each, max_size=5), max_leaves=20)
bodies = st.binary(max_size=60) | trees.map(lambda tree: json.dumps(tree).encode())
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": keys | scalars,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | trees,
        "datatype": st.sampled_from([*oip.DTYPES, "FP8"]) | scalars,
        "data": st.lists(scalars, max_size=6) | trees,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 40) | scalars}) | scalars,
    },
)
infers = st.fixed_dictionaries(
    {},
    optional={
        "inputs": st.lists(tensors, max_size=3) | trees,
        "outputs": st.lists(tensors, max_size=2) | trees,
        "parameters": trees,
        "id": scalars,
    },
)


@settings(max_examples=400, deadline=None)
@given(bodies, schemas, st.sampled_from(["", "application/json", "text/csv", "application/x-npy", "x"]))
def test_any_body_gives_arrays_of_the_schema_or_says_what_is_wrong(body: bytes, schema: Schema, kind: str) -> None:
    try:
        arrays = codec.decode(body, schema, kind)
    except BadRequest:
        return
    assert list(arrays) == [each.name for each in schema.inputs]
    assert rows(arrays) > 0
    assert all(arrays[each.name].dtype == each.held for each in schema.inputs if each.dtype != "any")


@settings(max_examples=400, deadline=None)
@given(infers | trees, st.binary(max_size=40), st.none() | st.integers(-2, 60), schemas)
def test_any_tensors_give_arrays_of_the_schema_or_say_what_is_wrong(
    request: object, tail: bytes, length: int | None, schema: Schema
) -> None:
    head = json.dumps(request).encode()
    for given_length in (length, len(head), None):
        try:
            found = oip.decode_infer(head + tail if given_length is not None else head, given_length, schema)
        except BadRequest:
            continue
        assert list(found.arrays) == [each.name for each in schema.inputs]
        assert rows(found.arrays) > 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.none() | st.integers(-2, 110), schemas)
def test_any_bytes_give_tensors_or_say_what_is_wrong(body: bytes, length: int | None, schema: Schema) -> None:
    with contextlib.suppress(BadRequest):
        assert oip.decode_infer(body, length, schema).arrays


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20), st.sampled_from(["float32", "float64"]))
def test_floats_survive_a_request_bit_for_bit(values: list[float], dtype: str) -> None:
    schema = Schema(layout="frame", inputs=(Field(name="a", dtype=dtype),))
    array = np.array(values, dtype)
    assert codec.decode(codec.columns_request({"a": array}, schema), schema)["a"].tobytes() == array.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_float32_of_any_bits_survives_a_response(bits: list[int]) -> None:
    values = np.array(bits, np.uint32).view(np.float32)
    values = values[np.isfinite(values)]
    found = json.loads(codec.encode({"output": values}, SCHEMAS[0]))["predictions"]
    assert np.array(found, np.float64).astype(np.float32).tobytes() == values.tobytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1), st.lists(st.text(), min_size=1))
def test_whole_numbers_and_texts_survive_a_request(numbers: list[int | None], texts: list[str]) -> None:
    schema = Schema(layout="tensors", inputs=(Field(name="a", dtype="int64", nullable=True),))
    array = np.array(numbers, object)
    assert codec.decode(codec.columns_request({"a": array}, schema), schema)["a"].tolist() == numbers
    schema = Schema(layout="array", inputs=(Field(name="a", dtype="string"),))
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    assert codec.decode(codec.columns_request({"a": np.array(clean, object)}, schema), schema)["a"].tolist() == clean


@pytest.mark.parametrize("size", [1, 3])
def test_a_length_that_promises_more_than_there_is(size: int) -> None:
    body = struct.pack("<I", 4) + b"abcd"[:size]
    head = json.dumps(
        {"inputs": [{"name": "b", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(body)}}]}
    ).encode()
    with pytest.raises(BadRequest, match="within an element"):
        oip.decode_infer(head + body, len(head), SCHEMAS[4])
