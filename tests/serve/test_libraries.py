"""Every library's models, really trained: as a bundle and as a bare file they give the library's own answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.environments import Environments, environments

pytestmark = pytest.mark.network

PRELUDE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
from shipwheel_serve import bundle, codec, formats, golden, pickles
from shipwheel_serve.settings import Settings

random = np.random.default_rng(7)
X = random.normal(size=(80, 4)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
THREE = (np.abs(X[:, 0]) * 2).astype(int).clip(0, 2)
HERE = Settings(root=Path.cwd())

def saved(model, inputs, wanted, kind, method="predict", **more):
    '''Saves, loads in this process; the answers of the golden rows are `wanted`, by output.'''
    folder = bundle.save(f"{kind}-bundle", model, inputs=inputs, method=method, rows=len(next(iter(wanted.values()))), **more)
    again = bundle.load(folder, HERE)
    assert again.format == kind, (again.format, kind)
    answers = again.predict(codec.decode(again.golden.request, again.schema))
    same(answers, wanted)
    verdict = golden.compare(again.golden, golden.expected(again.golden, again.schema), answers, None, again.schema)
    assert verdict.passed, verdict
    assert again.row_wise is True
    return again

def same(answers, wanted):
    assert set(answers) == set(wanted), (set(answers), set(wanted))
    for name, value in wanted.items():
        value = np.asarray(value)
        assert answers[name].shape == value.shape, (name, answers[name].shape, value.shape)
        if value.dtype.kind == "f":
            np.testing.assert_allclose(answers[name], value, rtol=1e-5, atol=1e-6)
        else:
            assert (answers[name] == value).all()

def told(path, library, kind, **versions):
    found = pickles.inspect(Path(path))
    assert (found["library"], found["format"], found["versions"]) == (library, kind, versions), found
"""

XGBOOST = """
import xgboost
V = xgboost.__version__
import pandas as pd
classifier = xgboost.XGBClassifier(n_estimators=5).fit(X, THREE)
both = {"label": "predict", "probability": "predict_proba"}
saved(classifier, X, {"label": classifier.predict(X), "probability": classifier.predict_proba(X)}, "ubj", both)
told("ubj-bundle/model.ubj", "xgboost", "ubj", xgboost=V)
regressor = xgboost.XGBRegressor(n_estimators=9, early_stopping_rounds=1, missing=-1.0)
regressor.fit(X, X[:, 0], eval_set=[(X[:20], -X[:20, 0])], verbose=False)
saved(regressor, X, {"output": regressor.predict(X)}, "ubj")
frame = pd.DataFrame(X, columns=list("abcd")).assign(k=pd.Categorical(np.where(Y, "u", "v")))
categorical = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True).fit(frame, X[:, 0] + Y)
saved(categorical, frame, {"output": categorical.predict(frame)}, "ubj")
booster = classifier.get_booster()
saved(booster, X, {"output": booster.predict(xgboost.DMatrix(X))}, "ubj")
for name in ("bare.json", "bare.ubj"):
    classifier.save_model(name)
    told(name, "xgboost", name[5:], xgboost=V)
    model = formats.load_file(Path(name), HERE)
    assert model.trained.packages == {"xgboost": V}
    same(model.predict({"input": X}), {"output": classifier.predict(X)})
    assert model.schema.inputs[0].shape == (-1, 4) and model.schema.outputs[0].shape == (-1,)
raw = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, X[:, 0], feature_names=list("abcd")), 3)
raw.save_model("raw.ubj")
model = formats.load_file(Path("raw.ubj"), HERE)
assert model.schema.columns == tuple("abcd")
same(model.predict({"input": X}), {"output": raw.predict(xgboost.DMatrix(X, feature_names=list("abcd")))})
import pickle
Path("m.pkl").write_bytes(pickle.dumps(classifier))
told("m.pkl", "xgboost", "pickle", xgboost=V)
same(formats.load_file(Path("m.pkl"), Settings(allow_pickle=True)).predict({"input": X}), {"output": classifier.predict(X)})
assert not formats.load_file(Path("m.pkl"), Settings(allow_pickle=True)).warnings
packages = json.loads(Path("ubj-bundle/bundle.json").read_text())["environment"]["packages"]
assert {"xgboost", "xgboost-cpu"} & set(packages) and "numpy" in packages, packages
"""

CATBOOST = """
import catboost, pickle
import pandas as pd
V = catboost.__version__
quiet = {"iterations": 5, "verbose": False, "allow_writing_files": False}
names = np.array(["low", "mid", "top"])[THREE]
classifier = catboost.CatBoostClassifier(**quiet).fit(X, names)
wanted = {"label": classifier.predict(X).astype(object), "probability": classifier.predict_proba(X)}
saved(classifier, X, wanted, "cbm", {"label": "predict", "probability": "predict_proba"})
told("cbm-bundle/model.cbm", "catboost", "cbm", catboost=V)
frame = pd.DataFrame(X, columns=list("abcd")).assign(k=np.where(Y, "u", "v"))
regressor = catboost.CatBoostRegressor(**quiet, cat_features=["k"]).fit(frame, X[:, 0] + Y)
saved(regressor, frame, {"output": regressor.predict(frame)}, "cbm")
classifier.save_model("c.cbm")
same(formats.load_file(Path("c.cbm"), HERE).predict({"input": X}), {"output": classifier.predict(X)})
regressor.save_model("r.cbm")
model = formats.load_file(Path("r.cbm"), HERE)
assert [each.name for each in model.schema.inputs] == ["a", "b", "c", "d", "k"]
given = {name: frame[name].to_numpy() for name in "abcd"} | {"k": frame["k"].to_numpy(object)}
same(model.predict(given), {"output": regressor.predict(frame)})
Path("m.pkl").write_bytes(pickle.dumps(regressor))
told("m.pkl", "catboost", "pickle", catboost=V)
"""

LIGHTGBM = """
import lightgbm
V = lightgbm.__version__
classifier = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, np.array(["low", "mid", "top"])[THREE])
both = {"label": "predict", "probability": "predict_proba"}
saved(classifier, X, {"label": classifier.predict(X).astype(object), "probability": classifier.predict_proba(X)}, "text", both)
classifier.booster_.save_model("bare.txt")
same(formats.load_file(Path("bare.txt"), HERE).predict({"input": X}), {"output": classifier.predict_proba(X)})
"""

SKLEARN = """
import joblib, skops.io, sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
V = sklearn.__version__
model = make_pipeline(StandardScaler(), SVC()).fit(X, Y)
saved(model, X, {"output": model.predict(X)}, "skops")
told("skops-bundle/model.skops", "scikit-learn", "skops", **{"scikit-learn": V, "skops": skops.__version__})
joblib.dump(model, "m.joblib")
told("m.joblib", "scikit-learn", "joblib", **{"scikit-learn": V})
same(formats.load_file(Path("m.joblib"), Settings(allow_pickle=True)).predict({"input": X}), {"output": model.predict(X)})
"""

ONNX = """
import onnxruntime, skl2onnx, sklearn.linear_model
import pandas as pd
forest = sklearn.linear_model.LogisticRegression().fit(X, Y)
proto = skl2onnx.to_onnx(forest, X[:1], options={"zipmap": False})
wanted = {"output_label": "label", "probabilities": "probabilities"}
session = onnxruntime.InferenceSession(proto.SerializeToString())
[first] = [each.name for each in session.get_inputs()]
label, probabilities = session.run(None, {first: X})
assert [each.name for each in session.get_outputs()] == ["label", "probabilities"]
saved(proto, X, {"label": label, "probabilities": probabilities}, "onnx")
saved(proto, X, {"p": probabilities}, "onnx", {"p": "probabilities"})
saved(proto, pd.DataFrame(X, columns=list("abcd")), {"p": probabilities}, "onnx", {"p": "probabilities"})
Path("m.onnx").write_bytes(proto.SerializeToString())
saved(Path("m.onnx"), {first: X}, {"label": label, "probabilities": probabilities}, "onnx")
packages = json.loads(Path("onnx-bundle/bundle.json").read_text())["environment"]["packages"]
assert "onnxruntime" in packages, packages
told("m.onnx", "onnx", "onnx", skl2onnx=skl2onnx.__version__)
model = formats.load_file(Path("m.onnx"), HERE)
assert (model.schema.layout, model.schema.inputs[0].name, model.schema.inputs[0].shape) == ("array", first, (-1, 4))
assert [each.name for each in model.schema.outputs] == ["label", "probabilities"]
same(model.predict({first: X}), {"label": label, "probabilities": probabilities})
zipped = skl2onnx.to_onnx(forest, X[:1])
Path("z.onnx").write_bytes(zipped.SerializeToString())
made = formats.load_file(Path("z.onnx"), HERE).predict({first: X})
np.testing.assert_allclose(made["output_probability"], probabilities, rtol=1e-5)
"""

TORCH_MODULE = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 2))
    def forward(self, x):
        return self.layers(x)

class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 3)
    def forward(self, values, kinds):
        both = torch.cat([values, self.table(kinds)], dim=1)
        return {"total": both.sum(1), "both": both}

class Odd(torch.nn.Module):
    '''Neither exported nor compiled: it asks numpy.'''
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
    def forward(self, x):
        rows = []
        for row in x.detach().numpy():
            rows.append(float(row[0]) * 2 if float(row[0]) > 0 else 0.0)
        return torch.tensor(rows) * self.weight
"""

TORCH = """
import torch
import nets
torch.manual_seed(1)
V = torch.__version__.partition("+")[0]
net = nets.Net()
net.eval()
with torch.inference_mode():
    answer = net(torch.from_numpy(X)).numpy()
net.train()
saved(net, torch.from_numpy(X), {"output": answer}, "export")
net.eval()
found = pickles.inspect(Path("export-bundle/model.pt2"))
assert (found["library"], found["format"]) == ("torch", "export"), found
assert found["versions"].get("torch", V).startswith(V), found
pair = nets.Pair().eval()
kinds = random.integers(0, 5, 80)
with torch.inference_mode():
    wanted = {name: each.numpy() for name, each in pair(torch.from_numpy(X), torch.from_numpy(kinds)).items()}
saved(pair, {"values": X, "kinds": kinds}, wanted, "export")
saved(pair, {"kinds": kinds, "values": X}, wanted, "export")
script = torch.jit.script(net)
saved(script, X, {"output": answer}, "torchscript")
told("torchscript-bundle/model.pt", "torch", "torchscript")
program = torch.export.export(net, (torch.from_numpy(X),), dynamic_shapes=({0: torch.export.Dim("n")},))
saved(program, X, {"output": answer}, "export")
odd = nets.Odd()
saved(odd, X, {"output": odd(torch.from_numpy(X)).detach().numpy()}, "safetensors")
told("safetensors-bundle/model.safetensors", "torch", "safetensors")

torch.jit.save(script, "s.pt")
same(formats.load_file(Path("s.pt"), HERE).predict({"input": X}), {"output": answer})
torch.export.save(program, "e.pt2")
model = formats.load_file(Path("e.pt2"), HERE)
assert model.schema.inputs[0].shape == (-1, 4) and model.schema.outputs[0].shape == (-1, 2), model.schema
same(model.predict({"input": X}), {"output": answer})
torch.save(net, "whole.pt")
model = formats.load_file(Path("whole.pt"), Settings(root=Path.cwd(), allow_pickle=True))
same(model.predict({"input": X}), {"output": answer})
for settings, says in ((HERE, "nothing vouches"), (Settings(root=Path("elsewhere"), allow_pickle=True), "nets.Net")):
    try:
        formats.load_file(Path("whole.pt"), settings)
    except formats.ModelError as error:
        assert says in error.message, error.message
    else:
        raise AssertionError(says)
import safetensors.torch
for name in ("w.pt", "w.safetensors"):
    for old in Path("weights").glob("*"):
        old.unlink()
    Path("weights").mkdir(exist_ok=True)
    if name == "w.pt":
        torch.save(net.state_dict(), "weights/w.pt")
    else:
        safetensors.torch.save_model(net, "weights/w.safetensors")
    for spec in ("nets:Net", "nets.py:Net"):
        model = formats.load_file(Path("weights"), Settings(root=Path.cwd(), model=spec))
        assert model.library == "torch" and model.schema.inputs[0].shape == (-1, 4), model.schema
        same(model.predict({"input": X}), {"output": answer})
    try:
        formats.load_file(Path("weights") / name, HERE)
    except formats.ModelError as error:
        assert "holds only weights" in error.message
"""

LIBRARIES = {
    "scikit-learn": (SKLEARN, ("scikit-learn", "skops")),
    "lightgbm": (LIGHTGBM, ("lightgbm", "scikit-learn")),
    "xgboost": (XGBOOST, ("xgboost-cpu", "scikit-learn", "pandas")),
    "catboost": (CATBOOST, ("catboost",)),
    "onnx": (ONNX, ("onnxruntime", "skl2onnx", "scikit-learn", "pandas")),
    "torch": (TORCH, ("torch", "safetensors")),
}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return environments(tmp_path_factory.mktemp("environments"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_bundles_and_bare_files_give_the_librarys_own_answers(library: str, environment: Environments, tmp_path: Path) -> None:
    code, requirements = LIBRARIES[library]
    (tmp_path / "nets.py").write_text(TORCH_MODULE)
    (tmp_path / "check.py").write_text(PRELUDE + code)
    done = subprocess.run([environment(*requirements), "check.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
