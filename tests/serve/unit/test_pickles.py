"""pickles.py: what a model file says about itself, without executing any of it."""

from __future__ import annotations

import builtins
import collections
import contextlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from shipwheel_serve import pickles


@pytest.fixture(scope="module")
def forest():
    x = np.random.default_rng(0).random((60, 3))
    return make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), RandomForestClassifier(5)).fit(x, x[:, 0] > 0.5)


@pytest.fixture(scope="module")
def boosted():
    x = np.random.default_rng(0).random((60, 3))
    return LGBMClassifier(n_estimators=3, verbose=-1).fit(x, x[:, 0] > 0.5)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_names_the_same_globals(forest, protocol):
    names = pickles.scan(pickle.dumps(forest, protocol))
    assert {"sklearn.pipeline.Pipeline", "sklearn.tree._tree.Tree", "numpy.log1p"} <= names
    assert pickles.refused(names) == []


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files_are_read_across_their_arrays(forest, tmp_path, compress):
    joblib.dump([forest, np.array(["a", None], object), np.array(["u"]), np.zeros((0, 3))], tmp_path / "m.joblib", compress)
    names = pickles.scan(tmp_path / "m.joblib")
    assert {"joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.tree._tree.Tree"} <= names
    assert pickles.refused(names) == []


def test_what_stands_behind_an_array_of_joblib_is_seen_too(tmp_path):
    joblib.dump([np.arange(5), np.array([Evil()], object), np.arange(3.0), partial(print)], tmp_path / "m.joblib")
    assert pickles.refused(pickles.scan(tmp_path / "m.joblib")) == ["builtins.print", "posix.system"]


def test_names_from_the_memo_and_of_python_2_are_seen():
    by_memo = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93."
    assert pickles.scan(by_memo) == {"os.system"}
    assert pickles.scan(b"c__builtin__\neval\n(S'1'\ntR.") == {"builtins.eval"}
    assert pickles.scan(b"(S'1'\nios\nsystem\n.") == {"os.system"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        b"\x80\x05",
        pickle.dumps([1] * 100)[:-1],
        b"\x80\x04\x8c\x08builtins\x94\x8c\x03str\x94\x93\x8c\x02os\x94\x85R\x8c\x06system\x94\x93.",  # str("os") computed
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x78\x9cbroken",
        b"\x80\x05" + b"(" * 100_000,
    ],
)
def test_what_cannot_be_followed_is_refused(data):
    with pytest.raises(pickles.UnreadableError):
        pickles.scan(data)


def test_scanning_executes_nothing(tmp_path):
    mark = tmp_path / "ran"

    class Touch:
        def __reduce__(self):
            return builtins.exec, (f"open({str(mark)!r}, 'w')",)

    assert pickles.scan(pickle.dumps(Touch())) == {"builtins.exec"}
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "builtins.getattr",
        "builtins.type",
        "subprocess.Popen",
        "importlib.import_module",
        "shutil.rmtree",
        "numpy.f2py.compile",
        "numpy.testing._private.utils.runstring",
        "numpy.load",
        "pandas.eval",
        "pandas.read_pickle.load",
        "pandas.io.pickle.read_pickle",
        "pandas.core.frame.DataFrame.query",
        "torch.hub.load",
        "torch.storage._load_from_bytes",
        "torch.load",
        "joblib.load",
        "joblib.externals.cloudpickle.cloudpickle._make_function",
        "cloudpickle.cloudpickle._make_function",
        "sklearn.datasets.fetch_openml",
        "sklearn.utils._testing.check_skip_network",
        "sklearn.pipeline.os.system",
        "sklearn.base.os",
        "numpy.ctypeslib.ctypes.CDLL",
        "operator.attrgetter",
        "sklearnx.Foo",
        "mine.Model",
    ],
)
def test_what_can_do_harm_is_not_allowed(name):
    assert pickles.refused([name, "sklearn.svm._classes.SVC"]) == [name]


def test_settings_and_the_projects_own_modules_allow_more():
    names = ["mine.Model", "mine.os.system", "acme.a.B", "acme.a.C", "os.system"]
    assert pickles.refused(names, ["acme.a.B"], ["mine"]) == ["acme.a.C", "mine.os.system", "os.system"]
    assert pickles.refused(names, ["acme.*"], ["mine"]) == ["mine.os.system", "os.system"]


def test_ordinary_values_are_allowed():
    value = [collections.OrderedDict(a={1}), frozenset({2.5}), 1j, slice(1), np.float32(1), np.random.default_rng(1), Path("x")]
    assert pickles.refused(pickles.scan(pickle.dumps(value))) == []


def test_inspect_tells_the_library_of_the_outermost_object(forest, boosted, tmp_path):
    import lightgbm
    import sklearn

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(forest))
    found = pickles.inspect(tmp_path / "a.pkl")
    versions = {"scikit-learn": sklearn.__version__}
    assert found == {"library": "scikit-learn", "format": "pickle", "versions": versions, "packages": ["numpy", "scikit-learn"]}
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(boosted))
    assert pickles.inspect(tmp_path / "b.pkl")["library"] == "lightgbm"
    skops.io.dump(forest, tmp_path / "c.skops")
    found = pickles.inspect(tmp_path / "c.skops")
    assert (found["format"], found["versions"]) == ("skops", versions | {"skops": skops.__version__})
    boosted.booster_.save_model(tmp_path / "d.txt")
    assert pickles.inspect(tmp_path / "d.txt")["library"] == "lightgbm"
    assert lightgbm.__version__ not in str(pickles.inspect(tmp_path / "d.txt"))
    (tmp_path / "e.pkl").write_bytes(pickle.dumps({"encoder": OneHotEncoder()}))
    assert pickles.inspect(tmp_path / "e.pkl")["library"] == "python"
    assert pickles.inspect(tmp_path / "e.pkl")["versions"] == versions


def test_inspect_reads_versions_of_other_libraries_formats(tmp_path):
    (tmp_path / "m.json").write_text('{"learner":{"attributes":{}},"version":[2,1,3]}')
    assert pickles.inspect(tmp_path / "m.json")["versions"] == {"xgboost": "2.1.3"}
    each = b"{L\0\0\0\0\0\0\0\x07learner{}L\0\0\0\0\0\0\0\x07version[#L\0\0\0\0\0\0\0\x03i\x03i\x00i\x02}"
    (tmp_path / "m.ubj").write_bytes(each)
    assert pickles.inspect(tmp_path / "m.ubj")["versions"] == {"xgboost": "3.0.2"}
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:\x02\x0a\x00")
    assert pickles.inspect(tmp_path / "m.onnx") == {
        "library": "onnx",
        "format": "onnx",
        "versions": {"torch": "2.4.0"},
        "packages": ["numpy", "onnxruntime", "torch"],
    }
    header = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert pickles.inspect(tmp_path / "m.safetensors")["format"] == "safetensors"
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps(collections.OrderedDict(a=1)))
        archive.writestr("m/version", "3")
    assert pickles.inspect(tmp_path / "m.pt")["library"] == "torch"


def test_the_command_needs_nothing_but_the_standard_library(tmp_path, forest):
    joblib.dump(forest, tmp_path / "m.joblib", compress=3)
    source = str(Path(pickles.__file__).parent.parent)
    command = [sys.executable, "-S", "-m", "shipwheel_serve.pickles"]
    done = subprocess.run([*command, tmp_path / "m.joblib"], capture_output=True, env={"PYTHONPATH": source}, check=True)
    assert json.loads(done.stdout)["packages"] == ["joblib", "numpy", "scikit-learn"]
    (tmp_path / "x.bin").write_bytes(b"nothing")
    done = subprocess.run([*command, tmp_path / "x.bin"], capture_output=True, env={"PYTHONPATH": source}, check=False)
    assert (done.returncode, list(json.loads(done.stdout))) == (1, ["error"])


def test_hostile_files_never_raise_anything_else(forest, tmp_path):
    good = pickle.dumps(forest)
    random = np.random.default_rng(5)
    joblib.dump([np.arange(5), "x"], buffer := io.BytesIO())
    for data in (good[:4000], buffer.getvalue()):
        for _ in range(150):
            bad = bytearray(data)
            for at in random.integers(0, len(bad), 4):
                bad[at] = random.integers(0, 256)
            (tmp_path / "bad.pkl").write_bytes(bad)
            with contextlib.suppress(pickles.UnreadableError):
                pickles.inspect(tmp_path / "bad.pkl")
