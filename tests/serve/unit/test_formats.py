"""formats: model files without a bundle, and classes of the project."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import sys

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from shipwheel_serve import formats
from shipwheel_serve.errors import ModelError
from shipwheel_serve.settings import Settings

X = np.random.default_rng(1).random((40, 3))
LABELS = np.where(X[:, 0] > 0.5, "high", "low")
ANY_PICKLE = Settings(allow_pickle=True)


@pytest.fixture(scope="module")
def classifier():
    return LogisticRegression().fit(X, LABELS)


def test_a_bare_pickle_needs_a_pinned_hash_or_leave(classifier, tmp_path):
    path = tmp_path / "wine.pkl"
    path.write_bytes(pickle.dumps(classifier))
    with pytest.raises(ModelError, match="nothing vouches for it") as caught:
        formats.load_file(path, Settings())
    assert "allow_pickle" in caught.value.hint
    with pytest.raises(ModelError, match=r"wine\.pkl is not the one that is pinned"):
        formats.load_file(path, Settings(sha256="0" * 64, allow_pickle=True))
    pinned = Settings(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    for settings in (pinned, ANY_PICKLE):
        model = formats.load_file(path, settings)
        assert (model.name, model.library, model.format, model.golden) == ("wine", "scikit-learn", "pickle", None)
        assert model.predict({"input": X})["output"].tolist() == LABELS.tolist()


@pytest.mark.parametrize("compress", [0, 3, ("xz", 3)])
def test_joblib_files_load_too(classifier, tmp_path, compress):
    joblib.dump(classifier, tmp_path / "m.joblib", compress=compress)
    model = formats.load_file(tmp_path / "m.joblib", ANY_PICKLE)
    assert (model.library, model.format) == ("scikit-learn", "joblib")
    assert (model.predict({"input": X})["output"] == LABELS).all()


def test_names_that_are_not_allowed_are_told_all_at_once(tmp_path):
    class One:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    class Two:
        def __reduce__(self):
            return eval, ("1",)

    for name, data in {"a.pkl": pickle.dumps([One(), Two()]), "b.pkl.gz": gzip.compress(pickle.dumps([One(), Two()]))}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=r"builtins\.eval, posix\.mkdir"):
            formats.load_file(tmp_path / name, ANY_PICKLE)
    assert not (tmp_path / "ran").exists()
    joblib.dump([np.arange(3), Two()], tmp_path / "c.joblib")
    with pytest.raises(ModelError, match=r"builtins\.eval"):
        formats.load_file(tmp_path / "c.joblib", ANY_PICKLE)


def test_the_recorded_version_is_the_environment(classifier, tmp_path):
    import sklearn

    skops.io.dump(classifier, tmp_path / "m.skops")
    model = formats.load_file(tmp_path / "m.skops", Settings())
    assert model.trained is not None
    assert model.trained.packages == {"scikit-learn": sklearn.__version__, "skops": skops.__version__}
    assert model.format == "skops"


def test_the_schema_is_what_the_model_says_itself(tmp_path):
    def described(model):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
        return formats.load_file(tmp_path / "m.pkl", ANY_PICKLE).schema

    schema = described(LinearRegression().fit(X, X[:, 0]))
    assert (schema.layout, schema.inputs[0].dtype, schema.inputs[0].shape) == ("array", "float64", (-1, 3))
    assert [(each.name, each.dtype, each.shape) for each in schema.outputs] == [("output", "float64", (-1,))]
    frame = pd.DataFrame(X, columns=list("abc")).assign(city=LABELS)
    schema = described(LinearRegression().fit(frame[["a", "b"]], frame["c"]))
    assert (schema.layout, [each.name for each in schema.inputs]) == ("frame", ["a", "b"])
    encode = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    schema = described(make_pipeline(encode, LinearRegression()).fit(frame[["a", "city"]], frame["b"]))
    assert [(each.name, each.dtype) for each in schema.inputs] == [("a", "float64"), ("city", "any")]
    schema = described(make_pipeline(CountVectorizer(), LogisticRegression()).fit(["a1 b1", "b1 c1"], [0, 1]))
    assert (schema.inputs[0].dtype, schema.inputs[0].shape) == ("string", (-1,))
    assert schema.outputs[0].dtype == "int64"


def test_lightgbms_text_file_is_a_booster(tmp_path):
    frame = pd.DataFrame(X, columns=list("abc")).assign(city=pd.Categorical(LABELS))
    train = lightgbm.Dataset(frame, X[:, 0])
    booster = lightgbm.train({"verbose": -1, "min_data_per_group": 2, "cat_smooth": 0.1}, train, 5)
    booster.save_model(tmp_path / "m.txt")
    model = formats.load_file(tmp_path / "m.txt", Settings())
    assert model.library == "lightgbm"
    assert [(each.name, each.dtype) for each in model.schema.inputs][2:] == [("c", "float64"), ("city", "category")]
    assert model.schema.inputs[3].categories == ("high", "low")
    values = {name: frame[name].to_numpy() for name in "abc"} | {"city": LABELS.astype(object)}
    assert model.predict(values)["output"] == pytest.approx(booster.predict(frame))
    plain = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, X[:, 0]), 5)
    plain.save_model(tmp_path / "p.txt")
    model = formats.load_file(tmp_path / "p.txt", Settings())
    assert (model.schema.layout, model.schema.columns, model.schema.inputs[0].shape) == ("array", (), (-1, 3))
    assert model.predict({"input": X})["output"] == pytest.approx(plain.predict(X))


CLASSES = """
from pathlib import Path

class Plain:
    def predict(self, x): return x[:, 0] * 2

class Filled:
    def load(self, folder): self.factor = float(Path(folder, "factor.txt").read_text())
    def predict(self, x): return x[:, 0] * self.factor

class Made:
    def __init__(self, factor): self.factor = factor
    @classmethod
    def load(cls, folder): return cls(float(Path(folder, "factor.txt").read_text()))
    def predict(self, x): return x[:, 0] * self.factor

class Self:
    def load(self): self.factor = 7.0
    def predict(self, x): return x[:, 0] * self.factor

class Nothing: pass

instance = Plain()
"""


@pytest.mark.parametrize(("name", "factor"), [("Plain", 2.0), ("Filled", 3.0), ("Made", 3.0), ("Self", 7.0), ("instance", 2.0)])
@pytest.mark.parametrize("form", ["classes_b", "classes_b.py", "inner/classes_c.py"])
def test_any_class_with_predict_is_a_model(tmp_path, form, name, factor):
    (tmp_path / "classes_b.py").write_text(CLASSES)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "classes_c.py").write_text(CLASSES)
    (tmp_path / "factor.txt").write_text("3")
    settings = Settings(root=tmp_path, model=f"{form}:{name}")
    before = list(sys.path)
    try:
        model = formats.load_file(tmp_path / settings.model, settings)
        assert (model.name, model.library, model.format) == (name, "python", "class")
        assert model.predict({"input": X})["output"] == pytest.approx(X[:, 0] * factor)
        assert model.schema.inputs[0].shape is None
        assert formats.load_file(tmp_path / settings.model, settings, name="other").name == "other"
    finally:
        sys.path[:] = before
        for module in ("classes_b", "classes_c"):
            sys.modules.pop(module, None)


def test_warnings_that_are_printed_are_heard_with_all_their_lines_and_nothing_is_on_stdout(tmp_path, capsys):
    (tmp_path / "classes_b.py").write_text("print('hello')\nprint('[12:00:00] WARNING: old\\n  model')\n" + CLASSES)
    before = list(sys.path)
    try:
        settings = Settings(root=tmp_path, model="classes_b.py:Plain")
        assert formats.load_file(tmp_path / settings.model, settings).warnings == ("WARNING: old model",)
        assert capsys.readouterr() == ("", "hello\n[12:00:00] WARNING: old\n  model\n")
    finally:
        sys.path[:] = before
        sys.modules.pop("classes_b", None)


def test_a_folder_around_one_file_is_that_file(classifier, tmp_path):
    skops.io.dump(classifier, tmp_path / "m.skops")
    assert formats.load_file(tmp_path, Settings()).format == "skops"
    (tmp_path / "other").write_text("x")
    with pytest.raises(ModelError, match="there is no model at"):
        formats.load_file(tmp_path, Settings())


def test_a_class_loads_from_the_folder_that_was_fetched(tmp_path):
    (tmp_path / "classes_b.py").write_text(CLASSES)
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "factor.txt").write_text("5")
    settings = Settings(root=tmp_path, model="classes_b.py:Filled")
    before = list(sys.path)
    try:
        assert formats.load_file(tmp_path / "fetched", settings).predict({"input": X})["output"][0] == X[0, 0] * 5
    finally:
        sys.path[:] = before
        sys.modules.pop("classes_b", None)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("classes_b.py:Absent", "classes_b.py has no 'Absent'"),
        ("classes_b.py:Nothing", "classes_b.py:Nothing has no `predict`"),
        ("absent.py:Model", "there is no absent.py"),
        ("absent_module:Model", "there is no module 'absent_module'"),
    ],
)
def test_a_class_that_is_not_there_is_one_clear_error(tmp_path, spec, says):
    (tmp_path / "classes_b.py").write_text(CLASSES)
    before = list(sys.path)
    try:
        with pytest.raises(ModelError) as caught:
            formats.load_file(tmp_path / spec, Settings(root=tmp_path, model=spec))
        assert says in caught.value.message
    finally:
        sys.path[:] = before
        sys.modules.pop("classes_b", None)


def test_files_that_are_absent_or_unknown_are_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match="there is no model at"):
        formats.load_file(tmp_path / "absent.pkl", Settings())
    (tmp_path / "x.bin").write_bytes(b"whatever")
    with pytest.raises(ModelError, match=r"x\.bin is no model file that is known"):
        formats.load_file(tmp_path / "x.bin", ANY_PICKLE)
    (tmp_path / "m.cbm").write_bytes(b"CBM1xxxx")
    with pytest.raises(ModelError, match=r"m\.cbm needs catboost, which is not installed"):
        formats.load_file(tmp_path / "m.cbm", Settings())


def test_several_methods_give_outputs_of_their_names(classifier):
    live = formats.live(classifier)
    ask = formats.asking(live, {"label": "predict", "probability": "predict_proba"})
    assert {name: each.shape for name, each in ask(X).items()} == {"label": (40,), "probability": (40, 2)}
