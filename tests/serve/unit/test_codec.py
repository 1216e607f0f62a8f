from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from shipwheel_serve import codec
from shipwheel_serve.errors import BadRequest
from shipwheel_serve.schema import Arrays, Field, Schema, describe, to_arrays

MATRIX = Schema(layout="array", inputs=(Field(name="input", dtype="float64", shape=(-1, 4)),))
NAMED = Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 4)),), columns=("a", "b", "c", "d"))
COLUMNS = Schema(layout="frame", inputs=tuple(Field(name=name, dtype="float64") for name in "abcd"))
TEXTS = Schema(layout="array", inputs=(Field(name="input", dtype="string"),))
TENSORS = Schema(
    layout="tensors",
    inputs=(Field(name="ids", dtype="int64", shape=(-1, -1)), Field(name="scale", dtype="float32", shape=(-1,))),
)
UNKNOWN = Schema(layout="array", inputs=(Field(name="input", dtype="any", shape=None),))
MIXED = Schema(
    layout="frame",
    inputs=(
        Field(name="age", dtype="float64", nullable=True),
        Field(name="count", dtype="int8"),
        Field(name="kind", dtype="category", categories=("red", "blue")),
        Field(name="level", dtype="category", categories=(1, 2), nullable=True),
        Field(name="day", dtype="datetime64[us]"),
        Field(name="note", dtype="string"),
        Field(name="flag", dtype="bool"),
    ),
)
GOOD = {"age": None, "count": 3, "kind": "red", "level": 2, "day": "2024-05-31", "note": "é", "flag": True}


def listed(arrays: Arrays) -> dict[str, object]:
    return {name: array.tolist() for name, array in arrays.items()}


@pytest.mark.parametrize(
    "body",
    [
        [[1, 2, 3, 4.5]],
        {"inputs": [[1, 2, 3, 4.5]]},
        {"instances": [[1, 2, 3, 4.5]]},
        {"records": [[1, 2, 3, 4.5]]},
        {"inputs": {"input": [[1, 2, 3, 4.5]]}},
        {"columns": {"input": [[1, 2, 3, 4.5]]}},
        {"input": [1, 2, 3, 4.5]},
        [{"input": [1, 2, 3, 4.5]}],
    ],
)
@pytest.mark.parametrize("schema", [MATRIX, NAMED])
def test_every_form_of_a_matrix(body: object, schema: Schema) -> None:
    array = codec.decode(json.dumps(body).encode(), schema)["input"]
    assert array.tolist() == [[1, 2, 3, 4.5]]
    assert array.dtype == schema.inputs[0].held


@pytest.mark.parametrize(
    "body",
    [
        [{"d": 4.5, "a": 1, "b": 2, "c": 3}],
        {"records": [{"a": 1, "b": 2, "c": 3, "d": 4.5}]},
        {"instances": [{"a": 1, "b": 2, "c": 3, "d": 4.5}]},
        {"dataframe_records": [{"a": 1, "b": 2, "c": 3, "d": 4.5}]},
        {"dataframe_split": {"index": [0], "columns": ["b", "a", "c", "d"], "data": [[2, 1, 3, 4.5]]}},
        {"columns": {"a": [1], "b": [2], "c": [3], "d": [4.5]}},
        {"inputs": {"a": [1], "b": [2], "c": [3], "d": [4.5]}},
        {"inputs": [[1, 2, 3, 4.5]]},
        {"a": 1, "b": 2, "c": 3, "d": 4.5},
        [[1, 2, 3, 4.5]],
    ],
)
def test_every_form_of_columns(body: object) -> None:
    arrays = codec.decode(json.dumps(body).encode(), COLUMNS)
    assert listed(arrays) == {"a": [1], "b": [2], "c": [3], "d": [4.5]}
    assert list(arrays) == ["a", "b", "c", "d"]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float64)}
    assert codec.decode(json.dumps(body).encode(), NAMED)["input"].tolist() == [[1, 2, 3, 4.5]]


def test_every_type_of_a_frame() -> None:
    arrays = codec.decode(json.dumps([GOOD]).encode(), MIXED)
    assert math.isnan(arrays["age"][0])
    assert arrays["day"].dtype == np.dtype("M8[us]")
    assert {name: array[0] for name, array in arrays.items() if name != "age"} == {
        **{key: value for key, value in GOOD.items() if key != "age"},
        "day": np.datetime64("2024-05-31", "us"),
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("age", "1.5", "'age' in row 0 must be a number, not the text \"1.5\""),
        ("age", True, "'age' in row 0 must be a number, not true"),
        ("age", [1], "shape"),
        ("age", {}, "an object"),
        ("count", 1.5, "'count' in row 0 must be a whole number, not 1.5"),
        ("count", 300, "from -128 to 127, not 300"),
        ("count", None, "'count' in row 0 must have a value"),
        ("count", False, "whole number"),
        ("count", 1e300, "whole number"),
        ("kind", "green", "'kind' in row 0 must be one of red, blue, not the text \"green\""),
        ("kind", ["red"], "shape"),
        ("level", True, "one of 1, 2, not true"),
        ("level", "1", "one of 1, 2"),
        ("day", "yesterday", "ISO 8601"),
        ("day", "now", "ISO 8601"),
        ("day", "NaT", "ISO 8601"),
        ("day", "2024-02-30", "a time that there is"),
        ("day", "2024-05-31T12:00:00+02:00", "no offset"),
        ("day", "2024-05-31T12:00:00.1234567", "datetime64"),
        ("day", 3, "ISO 8601"),
        ("note", 3, "'note' in row 0 must be text, not 3"),
        ("note", None, "must have a value"),
        ("flag", 1, "true or false, not 1"),
        ("flag", "true", "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name_and_row(name: str, value: object, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        codec.decode(json.dumps([{**GOOD, name: value}]).encode(), MIXED)
    assert said in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"inputs": [5.1,3.5,1.4,0.2]}', "must have shape [rows, 4], not [4]"),
        (b'[["1.5",1,2,3]]', 'must be a number, not the text "1.5"'),
        (b"[[true,1,2,3]]", "must be a number, not true"),
        (b"[[null,1,2,3]]", "must have a value"),
        (b"[[NaN,1,2,3]]", "must have a value"),
        (b"[[1e400,1,2,3]]", "not JSON"),
        (b"[[1,2,3,4],[1,2,3]]", "ragged"),
        (b"[[1,2,3,4],5]", "ragged"),
        (b"[[1,2,3]]", "must have shape [rows, 4], not [1, 3]"),
        (b"[[[1,2,3,4]]]", "must have shape [rows, 4]"),
        (b"[[1,2,3,[4]]]", "must be a number, not a list"),
        (b"[]", "no rows"),
        (b'{"inputs": []}', "no rows"),
        (b"[[]]", "shape"),
        (b"", "not JSON"),
        (b"3", "list of rows"),
        (b"null", "list of rows"),
        (b"{}", "has no 'input'"),
        (b'{"inputs": [[1,2,3,4]], "more": 1}', "'more' beside 'inputs' is unknown"),
        (b'{"data": [[1,2,3,4]]}', "which is unknown"),
        (b'{"columns": [[1]]}', "object of lists"),
        (b'{"columns": {"input": 3}}', "must be a list, not 3"),
        (b'{"dataframe_split": 3}', "must be an object"),
        (b'{"dataframe_split": {"data": [3]}}', "must be a list"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', "twice"),
        (b"[[1,2,3,4], {}]", "ragged"),
        (b"[" * 2000 + b"]" * 2000, "not JSON"),
        (b"[" * 500 + b"]" * 500, "shape"),
    ],
)
def test_a_matrix_of_another_kind_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        codec.decode(body, MATRIX)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"a":1,"b":2,"c":3}]', "row 0 has no 'd'"),
        (b'[{"a":1,"b":2,"c":3,"d":4},{"a":1,"b":2,"c":3,"e":4}]', "row 1 has no 'd' and has 'e', which is unknown"),
        (b'[{"a":1,"b":2,"c":3,"d":4},[1,2,3,4]]', "row 1 must be an object"),
        (b"[[1,2,3,4],[1,2,3]]", "row 1 must be a list of 4 values"),
        (b'[[1,2,3,4],[1,2,"x",4]]', "'c' in row 1"),
        (b'{"columns":{"a":[1],"b":[2],"c":[3],"d":[4,5]}}', "'d' has 2 rows"),
        (b'{"columns":{"a":[1],"b":[2],"c":[3],"d":4}}', "'d' must be a list"),
        (b"[1,2,3,4]", "row 0 must be a list"),
        (b'"abcd"', "list of rows"),
    ],
)
@pytest.mark.parametrize("schema", [COLUMNS, NAMED])
def test_columns_of_another_kind_are_refused(body: bytes, said: str, schema: Schema) -> None:
    if schema is NAMED and body[1:2] in b"[1":  # a matrix for the array
        said = "'c' in row 1" if b"x" in body else ""
    with pytest.raises(BadRequest) as caught:
        codec.decode(body, schema)
    assert said in caught.value.message


def test_a_number_that_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(BadRequest, match="'b' in row 0 must be a number that float32 can hold"):
        codec.decode(b"[[1,1e300,2,3]]", NAMED)


def test_long_text_among_numbers_takes_no_memory() -> None:
    row = ", ".join(["1"] * 20_000)
    with pytest.raises(BadRequest):
        codec.decode(
            f'["{"x" * 5_000_000}", {row}]'.encode(), Schema(layout="array", inputs=(Field(name="x", dtype="float64"),))
        )


def test_many_rows_beside_booleans_are_still_numbers() -> None:
    schema = Schema(layout="frame", inputs=(Field(name="a", dtype="float32"), Field(name="b", dtype="bool")))
    arrays = codec.decode(json.dumps({"columns": {"a": [0.5] * 2000, "b": [True] * 2000}}).encode(), schema)
    assert arrays["a"].tolist() == [0.5] * 2000
    assert arrays["b"].all()


def test_a_column_may_be_called_as_a_form_is() -> None:
    schema = Schema(layout="frame", inputs=(Field(name="inputs", dtype="int64"), Field(name="columns", dtype="int64")))
    assert listed(codec.decode(b'{"inputs": 1, "columns": 2}', schema)) == {"inputs": [1], "columns": [2]}


def test_a_list_of_texts_for_a_model_of_texts() -> None:
    assert codec.decode('["a", "ü"]'.encode(), TEXTS)["input"].tolist() == ["a", "ü"]
    assert codec.decode(b'{"inputs": ["true", "null"]}', TEXTS)["input"].tolist() == ["true", "null"]


def test_named_tensors_as_columns_and_as_rows() -> None:
    columns = codec.decode(b'{"inputs": {"ids": [[1,2,3]], "scale": [0.5]}}', TENSORS)
    rows = codec.decode(b'{"instances": [{"ids": [1,2,3], "scale": 0.5}]}', TENSORS)
    assert listed(columns) == listed(rows) == {"ids": [[1, 2, 3]], "scale": [0.5]}
    assert columns["scale"].dtype == np.float32


@pytest.mark.parametrize(
    ("body", "expected", "kind"),
    [
        (b"[[1, 2.5]]", [[1, 2.5]], "f"),
        (b"[1, 2]", [1, 2], "i"),
        (b'["a", "b"]', ["a", "b"], "O"),
        (b'[["a", 1, true, null]]', [["a", 1, True, None]], "O"),
        (b"[true, false]", [True, False], "b"),
        (b"[true, 2]", [True, 2], "O"),
    ],
)
def test_a_model_of_unknown_schema_takes_what_json_says(body: bytes, expected: object, kind: str) -> None:
    array = codec.decode(body, UNKNOWN)["input"]
    assert array.tolist() == expected
    assert array.dtype.kind == kind


def test_whole_numbers_keep_all_digits() -> None:
    schema = Schema(layout="frame", inputs=(Field(name="a", dtype="int64"), Field(name="b", dtype="uint64")))
    arrays = codec.decode(b'[{"a": -9007199254740993, "b": 18446744073709551615}]', schema)
    assert listed(arrays) == {"a": [-(2**53) - 1], "b": [2**64 - 1]}
    with pytest.raises(BadRequest, match="'a'"):
        codec.decode(b'[{"a": 9223372036854775808, "b": 1}]', schema)


def test_python_clients_nan_is_null_and_infinity_is_infinity() -> None:
    body = json.dumps([{**GOOD, "age": math.nan}]).encode()
    assert math.isnan(codec.decode(body, MIXED)["age"][0])
    body = json.dumps([{**GOOD, "age": -math.inf}]).encode()
    assert codec.decode(body, MIXED)["age"][0] == -math.inf


def test_times_with_a_zone_need_an_offset_and_are_kept_in_utc() -> None:
    schema = Schema(layout="frame", inputs=(Field(name="at", dtype="datetime64[ns]", pandas="datetime64[ns, Europe/Berlin]"),))
    found = codec.decode(b'[{"at": "2024-05-31T12:00:00+02:00"}]', schema)["at"]
    assert found[0] == np.datetime64("2024-05-31T10:00")
    with pytest.raises(BadRequest, match="offset"):
        codec.decode(b'[{"at": "2024-05-31T12:00:00"}]', schema)
    with pytest.raises(BadRequest, match="can hold"):
        codec.decode(b'[{"at": "2924-05-31T12:00:00Z"}]', schema)


@pytest.mark.parametrize("body", [b"d,c,b,a\r\n4.5,3,2,1\r\n", b"1,2,3,4.5\n", b"\xef\xbb\xbfa,b,c,d\n1,2,3,4.5"])
def test_csv_with_a_header_in_any_order_or_none(body: bytes) -> None:
    assert listed(codec.decode(body, COLUMNS, "text/csv; charset=utf-8")) == {"a": [1], "b": [2], "c": [3], "d": [4.5]}
    assert codec.decode(body, NAMED, "text/csv")["input"].tolist() == [[1, 2, 3, 4.5]]


def test_csv_of_every_type() -> None:
    body = b'age,count,kind,level,day,note,flag\n,3,red,2,2024-05-31,"a, ""b""",True\n'
    arrays = codec.decode(body, MIXED, "text/csv")
    assert arrays["note"][0] == 'a, "b"'
    assert (arrays["level"][0], arrays["flag"][0]) == (2, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a,b,c,e\n1,2,3,4", "has no 'd' and has 'e'"),
        (b"a,b,c,d\n1,2,3", "row 0 has 3 values"),
        (b"a,b,c,d\n1,2,x,4", "'c' in row 0 must be a number"),
        (b"a,b,c,d\n1,2,,4", "'c' in row 0 must have a value"),
        (b"a,b,c,d\n1,2,nan,4", "'c' in row 0"),
        (b"a,b,c,c\n1,2,3,4", "has no 'd'"),
        (b"a,b,c,d\n", "no rows"),
        (b"", "no rows"),
        (b"\xff", "UTF-8"),
        (b'a,b,c,d\n"1', "CSV"),
    ],
)
def test_csv_of_another_kind_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        codec.decode(body, COLUMNS, "text/csv")
    assert said in caught.value.message


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f8", "i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(dtype: str, order: str) -> None:
    array = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype, order=order)
    for schema in (MATRIX, NAMED):
        found = codec.decode(npy(array), schema, "application/x-npy")["input"]
        assert found.tolist() == array.tolist()
        assert found.dtype == schema.inputs[0].held
    assert codec.decode(npy(array), COLUMNS, "application/x-npy")["c"].tolist() == [3, 7]


def test_an_npy_of_the_right_dtype_is_not_copied() -> None:
    body = npy(np.zeros((2, 4)))
    assert np.shares_memory(codec.decode(body, MATRIX, "application/x-npy")["input"], np.frombuffer(body, np.uint8))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        npy(np.zeros((2, 4)))[:-1],
        npy(np.zeros((2, 3))),
        npy(np.array(["a"])),
        npy(np.zeros((2, 4), complex)),
        npy(np.zeros((2, 4))).replace(b"(2, 4)", b"(2,1e)"),
        npy(np.zeros((2, 4))).replace(b"(2, 4), ", b"(9**9,4)"),
        b"\x93NUMPY\x09\x00" + bytes(100),
    ],
)
def test_what_is_no_npy_of_the_model_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        codec.decode(body, MATRIX, "application/x-npy")


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"output": np.array([1.5, np.nan, np.inf])}, [1.5, None, None]),
        ({"output": np.array([0.1], np.float32)}, [0.1]),
        ({"output": np.array([0.5], np.float16)}, [0.5]),
        ({"output": np.array([2**63 - 1])}, [2**63 - 1]),
        ({"output": np.array([7], np.int8)}, [7]),
        ({"output": np.array([True])}, [True]),
        ({"output": np.array(["é", None], object)}, ["é", None]),
        ({"output": np.array([[1.0, 2.0], [3.0, 4.0]]).T}, [[1, 3], [2, 4]]),
        ({"output": np.array(["2020-01-01", "NaT"], "M8[s]")}, ["2020-01-01T00:00:00", None]),
        ({"output": np.zeros((0, 2))}, []),
        (
            {"label": np.array(["a", "b"], object), "score": np.array([0.5, np.nan])},
            [{"label": "a", "score": 0.5}, {"label": "b", "score": None}],
        ),
        ({"a": np.array([1.0]), "b": np.array([1.0, 2.0])}, {"a": [1], "b": [1, 2]}),
    ],
)
def test_predictions(outputs: Arrays, expected: object) -> None:
    assert json.loads(codec.encode(outputs, MATRIX)) == {"predictions": expected}


def same(left: np.ndarray, right: np.ndarray) -> None:
    assert (left.dtype, left.shape) == (right.dtype, right.shape)
    if left.dtype.kind == "O":
        assert [(type(each), each) for each in left.ravel()] == [(type(each), each) for each in right.ravel()]
    else:
        assert left.tobytes() == right.tobytes()


def test_a_frame_as_a_request_decodes_to_the_same_bits() -> None:
    frame = pd.DataFrame(
        {
            "half": np.array([0.1, 65504, -0.0], np.float16),
            "single": np.array([0.1, 1e-45, np.inf], np.float32),
            "double": [0.1, np.nan, 5e-324],
            "byte": np.array([0, 1, 255], np.uint8),
            "unsigned": np.array([0, 1, 2**64 - 1], np.uint64),
            "whole": pd.array([2**62 + 1, None, -1], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "text": ["\u0000", "日本", None],
            "mixed": pd.Series([1, "1", None], dtype=object),
            "kind": pd.Categorical([2, None, 1]),
            "time": np.array(["1700-01-01T00:00:00.123456789", "NaT", "2261-01-01"], "M8[ns]"),
            "zoned": pd.to_datetime(["2024-01-01", None, "2024-07-01T01:02:03.5"], format="ISO8601").tz_localize("Asia/Tokyo"),
            "span": np.array([-1, "NaT", 2**40], "m8[ns]"),
        }
    )
    layout, fields, _ = describe(frame)
    schema, arrays = Schema(layout=layout, inputs=fields), to_arrays(frame, fields)
    found = codec.decode(codec.columns_request(arrays, schema), schema)
    for name, array in arrays.items():
        same(found[name], array)


@pytest.mark.parametrize("schema", [MATRIX, NAMED, COLUMNS, TEXTS, TENSORS, MIXED])
def test_a_sample_is_a_request_that_decodes(schema: Schema) -> None:
    arrays = codec.decode(codec.sample(schema), schema)
    assert {name: array.dtype for name, array in arrays.items()} == {each.name: each.held for each in schema.inputs}


def test_there_is_no_sample_of_an_unknown_shape() -> None:
    assert codec.sample(UNKNOWN) == b""
