from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from shipwheel_serve.errors import BadRequest, ModelError
from shipwheel_serve.schema import Field, Schema, assemble, describe, outputs_of, rows, to_arrays

FRAME = pd.DataFrame(
    {
        "text": ["a", None],
        "object": pd.Series(["q", "ü"], dtype=object),
        "mixed": pd.Series([1, "x"], dtype=object),
        "nullable_text": pd.array(["a", None], dtype="string"),
        "category": pd.Categorical(["x", None], categories=["y", "x"]),
        "ordered": pd.Categorical([3, 1], ordered=True),
        "time": pd.to_datetime(["2020-01-01T12:30:00.123456", None]),
        "nanoseconds": np.array(["2020-01-01T00:00:00.123456789", "1969-01-01"], "M8[ns]"),
        "zoned": pd.to_datetime(["2020-07-01", None]).tz_localize("Europe/Berlin"),
        "span": pd.to_timedelta([1, 2], unit="s"),
        "whole": pd.array([2**60 + 1, None], dtype="Int64"),
        "small": pd.array([1, 2], dtype="UInt8"),
        "flag": pd.array([True, None], dtype="boolean"),
        "masked": pd.array([1.5, None], dtype="Float32"),
        "single": np.array([0.1, 2], np.float32),
        "double": [0.1, np.nan],
        "byte": np.array([0, 255], np.uint8),
        "bool": [True, False],
        "sparse": pd.arrays.SparseArray([0.0, 1.0]),
        7: [1, 2],
    }
)


def schema_of(value: object) -> Schema:
    layout, fields, columns = describe(value)
    return Schema(layout=layout, inputs=fields, columns=columns)


def test_a_frame_comes_back_with_the_dtypes_order_and_labels_of_training() -> None:
    schema = schema_of(FRAME)
    pd.testing.assert_frame_equal(assemble(schema, to_arrays(FRAME, schema.inputs)), FRAME)


def test_a_frame_of_one_numeric_dtype_comes_back_too() -> None:
    frame = pd.DataFrame(np.arange(12, dtype=np.float32).reshape(3, 4), columns=list("dbca"))
    schema = schema_of(frame)
    pd.testing.assert_frame_equal(assemble(schema, to_arrays(frame, schema.inputs)), frame)


def test_a_schema_survives_json() -> None:
    schema = schema_of(FRAME)
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_json_of_a_schema_leaves_out_what_says_nothing() -> None:
    table = Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 4)),)).to_json()
    assert table["inputs"] == [{"name": "input", "dtype": "float32", "shape": [-1, 4]}]


def test_an_unknown_shape_survives_json() -> None:
    schema = Schema(layout="tensors", inputs=(Field(name="x", dtype="any", shape=None),))
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"layout": "cube", "inputs": []},
        {"layout": "array", "inputs": [{"name": "x"}]},
        {"layout": "array", "inputs": [{"name": "x", "dtype": "float3"}]},
        {"layout": "array", "inputs": [{"name": "x", "dtype": "int8", "more": 1}]},
        {"layout": "array", "inputs": 3},
        {"layout": "array", "inputs": [3]},
    ],
)
def test_what_is_no_schema_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="schema"):
        Schema.from_json(table)


@pytest.mark.parametrize(
    ("value", "layout", "dtypes"),
    [
        (np.zeros((2, 3), ">f4"), "array", {"input": ("float32", (-1, 3))}),
        ([[1, 2.5]], "array", {"input": ("float64", (-1, 2))}),
        (["a", "b"], "array", {"input": ("string", (-1,))}),
        ([True, False], "array", {"input": ("bool", (-1,))}),
        ([2.5, None], "array", {"input": ("float64", (-1,))}),
        ([1, None], "array", {"input": ("int64", (-1,))}),
        (np.array([b"a"]), "array", {"input": ("string", (-1,))}),
        (pd.Series(["a", "b"]), "array", {"input": ("string", (-1,))}),
        (sparse.csr_matrix(np.eye(3)), "array", {"input": ("float64", (-1, 3))}),
        ({"a": np.zeros((2, 5), np.float16), "b": [1, 2]}, "tensors", {"a": ("float16", (-1, 5)), "b": ("int64", (-1,))}),
    ],
)
def test_values_are_described(value: object, layout: str, dtypes: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    found, fields, _ = describe(value)
    assert found == layout
    assert {each.name: (each.dtype, each.shape) for each in fields} == dtypes
    arrays = to_arrays(value, fields)
    assert {each.name: arrays[each.name].dtype for each in fields} == {each.name: each.held for each in fields}


def test_null_is_a_value_only_where_the_sample_has_one() -> None:
    _, fields, _ = describe(pd.DataFrame({"a": [1.0, np.nan], "b": [1.0, 2.0], "c": ["x", None], "d": ["x", "y"]}))
    assert [each.nullable for each in fields] == [True, False, True, False]


@pytest.mark.parametrize("column", [[object()], [[1, 2]], pd.period_range("2020", periods=1), pd.cut([1, 2], 2)])
def test_columns_that_no_request_can_carry_are_refused(column: object) -> None:
    with pytest.raises(ModelError, match="'odd'"):
        describe(pd.DataFrame({"odd": column}))


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(BadRequest, match="no 'b'"):
        to_arrays({"a": [1]}, (Field(name="a", dtype="int64"), Field(name="b", dtype="int64")))


def test_text_is_no_number_for_a_field() -> None:
    with pytest.raises(BadRequest, match="'a' holds"):
        to_arrays({"a": ["x"]}, (Field(name="a", dtype="float64"),))


def test_a_frame_may_be_given_to_a_model_of_arrays() -> None:
    arrays = to_arrays(pd.DataFrame({"a": [1.0], "b": [2.0]}), (Field(name="input", dtype="float64", shape=(-1, 2)),))
    assert arrays["input"].tolist() == [[1.0, 2.0]]


def test_an_array_may_be_given_to_a_model_of_columns() -> None:
    arrays = to_arrays(np.array([[1.0, 2.0]]), (Field(name="a", dtype="float64"), Field(name="b", dtype="float64")))
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [1.0], "b": [2.0]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.0, {"output": [3.0]}),
        (np.array([1, 2]), {"output": [1, 2]}),
        (np.array(["a", "b"]), {"output": ["a", "b"]}),
        (["a", "b"], {"output": ["a", "b"]}),
        ([[1, 2], [3, 4]], {"output": [[1, 2], [3, 4]]}),
        (pd.Series([1]), {"output": [1]}),
        (pd.DataFrame({"a": [1], 2: ["x"]}), {"a": [1], "2": ["x"]}),
        ({"a": [1.5], "b": np.array([True])}, {"a": [1.5], "b": [True]}),
        ((np.zeros(1), np.ones((1, 2))), {"output_0": [0.0], "output_1": [[1.0, 1.0]]}),
        ([np.zeros((1, 2)), np.ones((1, 3))], {"output_0": [[0.0, 0.0]], "output_1": [[1.0, 1.0, 1.0]]}),
        ([{"label": "a", "score": 0.5}, {"label": "b", "score": 1.0}], {"label": ["a", "b"], "score": [0.5, 1.0]}),
        (sparse.csr_matrix(np.eye(2)), {"output": [[1.0, 0.0], [0.0, 1.0]]}),
    ],
)
def test_outputs_are_arrays_by_name(value: object, expected: dict[str, object]) -> None:
    assert {name: array.tolist() for name, array in outputs_of(value).items()} == expected


def test_names_given_to_outputs_are_used() -> None:
    assert list(outputs_of((np.zeros(1), np.ones(1)), ("label", "score"))) == ["label", "score"]
    assert list(outputs_of(np.zeros(1), ("label",))) == ["label"]


def test_outputs_that_no_response_can_carry_are_refused() -> None:
    with pytest.raises(ModelError):
        outputs_of([object()])
    with pytest.raises(ModelError):
        outputs_of(np.array([1j]))


def test_rows_must_agree() -> None:
    assert rows({"a": np.zeros(3), "b": np.zeros((3, 2))}) == 3
    assert rows({}) == 0
    with pytest.raises(BadRequest, match="'b' has 2 rows and 'a' has 3"):
        rows({"a": np.zeros(3), "b": np.zeros(2)})
