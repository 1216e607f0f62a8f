"""golden.py: when answers count as those of training, and what is said when they do not."""

from __future__ import annotations

import numpy as np
import pytest

from shipwheel_serve import codec, golden
from shipwheel_serve.model import Golden
from shipwheel_serve.schema import Field, Schema, describe


def compared(wanted, got, tolerance=None, features=None, made=None, dtypes=None):
    wanted, got = ({name: np.asarray(each) for name, each in of.items()} for of in (wanted, got))
    kinds = {name: each.dtype.name for name, each in wanted.items() if each.dtype.kind in "biuf"} | (dtypes or {})
    outputs = tuple(Field(name=name, dtype=kinds.get(name, "string")) for name in wanted)
    schema = Schema(layout="array", inputs=(), outputs=outputs)
    given = Golden(request=b"", response=b"", tolerance=tolerance or {}, features=features or {})
    return golden.compare(given, wanted, got, made, schema)


def only(verdict):
    assert not verdict.passed
    [reason] = verdict.reasons
    return reason


def test_another_processors_floats_pass_and_their_error_is_told():
    x = np.linspace(0.1, 100, 7)
    verdict = compared({"y": x}, {"y": x * (1 + 1e-15)})
    assert verdict.passed
    assert verdict.rows == 7
    assert 0 < verdict.max_error < 1e-12


def test_a_float_out_of_tolerance_names_output_row_error_and_both_values():
    reason = only(compared({"minutes": [1.0, 2.0, 3.0]}, {"minutes": [1.0, 2.5, 3.1]}))
    assert reason == (
        "output 'minutes' differs: at row 1 it is 2.5, training had 2.0, largest absolute error 0.5; 2 of 3 rows differ"
    )
    assert "row 1, 0" in only(compared({"p": [[0.5, 0.5], [0.25, 0.75]]}, {"p": [[0.5, 0.5], [0.35, 0.7]]}))


@pytest.mark.parametrize(
    ("kind", "moved", "passes"),
    [
        ("float64", 1e-6, True),
        ("float64", 1e-4, False),
        ("float32", 1e-6, True),
        ("float32", 1e-4, False),
        ("float16", 5e-3, True),
        ("float16", 5e-2, False),
    ],
)
def test_default_tolerance_is_that_of_the_dtype(kind, moved, passes):
    x = np.ones(4, kind)
    assert compared({"y": x}, {"y": (x.astype(float) + moved).astype(kind)}).passed is passes


def test_a_tolerance_of_its_own_overrides():
    assert compared({"y": [1.0]}, {"y": [1.05]}, {"y": (0.1, 0.0)}).passed
    assert not compared({"y": [1.0]}, {"y": [1.0 + 1e-9]}, {"y": (0.0, 1e-12)}).passed


@pytest.mark.parametrize(
    ("wanted", "got", "says"),
    [
        (["a", "b"], ["a", "c"], "at row 1 it is 'c', training had 'b'"),
        ([1, 2], [1, 3], "at row 1 it is 3, training had 2, largest absolute error 1"),
        ([True, False], [False, False], "at row 0 it is False, training had True; 1 of 2 rows differ"),
        (np.array(["a", None], object), np.array(["a", "b"], object), "at row 1 it is 'b', training had None"),
    ],
)
def test_labels_integers_and_booleans_are_exact(wanted, got, says):
    assert compared({"y": wanted}, {"y": wanted}).passed
    assert says in only(compared({"y": wanted}, {"y": got}))


def test_no_value_equals_no_value():
    nat = np.array(["2020-01-01", "NaT"], "datetime64[ns]")
    for each in (np.array([1.0, np.nan]), np.array(["a", None], object), nat):
        assert compared({"y": each}, {"y": each.copy()}).passed
    assert compared({"y": np.array(["a", None], object)}, {"y": np.array(["a", np.nan], object)}).passed
    assert "at row 1 it is 0.0, training had nan" in only(compared({"y": [1.0, np.nan]}, {"y": [1.0, 0.0]}))
    assert not compared({"y": [1.0, 2.0]}, {"y": [1.0, np.nan]}).passed


def test_infinity_is_null_in_answers_but_not_in_features():
    assert compared({"y": [np.nan]}, {"y": [np.inf]}).passed
    one = {"y": [1.0]}
    verdict = compared(one, one, features={"f": np.array([np.inf])}, made={"f": np.array([np.nan])})
    assert "feature 'f' differs" in only(verdict)


def test_a_changed_dtype_or_shape_is_a_reason():
    assert "output 'y' is bool, training had uint8" in only(compared({"y": np.array([1], "uint8")}, {"y": np.array([True])}))
    assert "has the shape [2, 1], training had [2]" in only(compared({"y": [1.0, 2.0]}, {"y": [[1.0], [2.0]]}))
    assert compared({"y": np.array(["a"])}, {"y": np.array(["a"], object)}).passed


def test_another_width_is_no_difference_but_another_kind_and_its_values_are_one_reason():
    assert compared({"day": np.array([44, 1], "int64")}, {"day": np.array([44, 1], "int32")}).passed
    assert compared({"day": np.array([1.0], "float64")}, {"day": np.array([1.0], "float32")}).passed
    reason = only(compared({"day": np.array([44, 1], "int64")}, {"day": np.array([44.0, 32.0])}))
    assert reason.startswith(
        "output 'day' is float64, training had int64 and differs: at row 1 it is 32.0, training had 1, largest"
    )


def test_outputs_and_features_that_come_or_go_are_named_features_first():
    verdict = compared({"a": [1]}, {"b": [1]}, features={"f": np.array([1.0])}, made={"f": np.array([9.0])})
    assert [reason.split(" differs")[0] for reason in verdict.reasons] == [
        "feature 'f'",
        "output 'a' is missing",
        "output 'b' is new",
    ]
    assert compared({"a": [1]}, {"a": [1]}, features={"f": np.array([1.0])}, made=None).passed


def test_many_reasons_are_counted():
    wanted = {f"y{at}": [1] for at in range(30)}
    verdict = compared(wanted, {name: [2] for name in wanted})
    assert verdict.reasons[-1] == "and 22 more"


def test_odd_shapes_never_raise():
    odd = [np.array(3.0), np.zeros((0, 3)), np.array([[]]), np.array([{}], object), np.array([b"x"]), np.array([1 + 2j])]
    for one in odd:
        for other in odd:
            assert isinstance(compared({"y": one}, {"y": other}).passed, bool)


@pytest.mark.parametrize(
    "answers",
    [
        {"output": np.array(["a", "b"], object)},
        {"output": np.array([[0.1, 0.9], [1 / 3, 2 / 3]])},
        {"output": np.array([0.1, np.nan], np.float32)},
        {"label": np.array([2**62, 1]), "probability": np.array([[0.5, 0.5], [1.0, 0.0]], np.float16)},
        {"output": np.array([True, False])},
        {"output": np.array(["2020-01-01T00:00:01.000000005", "NaT"], "datetime64[ns]")},
    ],
)
def test_what_encode_wrote_is_expected_again(answers):
    schema = Schema(layout="array", inputs=(), outputs=describe(answers)[1])
    given = Golden(request=b"", response=codec.encode(answers, schema))
    again = golden.expected(given, schema)
    assert golden.compare(given, again, answers, None, schema) == golden.Verdict(passed=True, rows=2)


def test_features_come_back_bit_for_bit():
    features = {
        "f": np.array([0.1, np.nan, np.inf, -np.inf, -0.0]),
        "g": np.array([1 / 3, 1e-45], np.float32),
        "b": np.array([True, False]),
        "u": np.array([255], np.uint8),
        "t": np.array(["a", None], object),
        "w": np.array([[1.5, np.nan]], np.float32),
        "d": np.array(["2020-01-01", "NaT"], "datetime64[us]"),
    }
    again = golden.from_json(golden.to_json(features))
    for name, each in features.items():
        assert again[name].dtype == each.dtype
        assert (again[name] == each).all() if name == "t" else again[name].tobytes() == each.tobytes(), name
