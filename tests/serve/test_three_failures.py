"""Three ways in which a model that was right in training is wrong in service, with the real versions; and no false alarm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.environments import Environments, environments
from support.serving import serving

pytestmark = pytest.mark.network

RUNS = "numpy<2", "joblib<1.4"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return environments(tmp_path_factory.mktemp("environments"))


def train(python: str, folder: Path, code: str, **modules: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run([python, "-W", "ignore", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check(python: str, folder: Path, **env: str) -> dict[str, Any]:
    """What `shipwheel build` asks inside the image."""
    command = [python, "-m", "shipwheel_serve", "check", "--json", "--model", "model"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", **env}
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if report["ready"] else 1), done.stderr
    return report


def start(python: str, folder: Path, **env: str) -> dict[str, Any]:
    """What `/ready` says when everything has been looked at; and that predictions are refused where it says no."""
    with serving(folder, "model", env, python) as service:
        while service.ask("/startupz").status != 200:
            pass
        answer = service.ask("/ready")
        assert answer.status == (200 if answer.json()["ready"] else 503)
        golden = (folder / "model" / "golden" / "request.json").read_bytes()
        assert service.ask("/predict", golden).status == answer.status
        return dict(answer.json())


def whole(report: dict[str, Any]) -> str:
    return "\n".join(report["reasons"])


VISITS = """
import pandas as pd

class Visits:
    def features(self, frame):
        days = pd.to_datetime(frame["day"])
        return pd.DataFrame({"day_of_year": days.dt.dayofyear, "pages": frame["pages"]})

    def predict(self, frame):
        made = self.features(frame)
        return (made["day_of_year"] * 0.5 + made["pages"]).to_numpy()
"""

SAVE_VISITS = """
import pandas as pd
from shipwheel_serve import bundle
from visits import Visits
frame = pd.DataFrame({"day": ["13/02/2020", "01/02/2020", "05/03/2020"], "pages": [3, 4, 5]})
bundle.save("model", Visits(), inputs=frame)
"""


def test_features_that_pandas_makes_otherwise_without_any_exception(environment: Environments, tmp_path: Path) -> None:
    old, new = environment("pandas==1.5.3", *RUNS), environment("pandas==2.0.3", *RUNS)
    train(old, tmp_path, SAVE_VISITS, visits=VISITS)
    assert check(old, tmp_path)["golden"] == "passed"
    for report in (check(new, tmp_path), start(new, tmp_path)):
        assert not report["ready"]
        assert report["golden"] == "failed"
        assert "day_of_year" in report["reasons"][0]  # the column, and how far off
        assert "largest absolute error" in report["reasons"][0]
        assert "pandas is 2.0.3, training had 1.5.3" in whole(report)


SAVE_SKLEARN = """
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from shipwheel_serve import bundle
x, y = load_iris(return_X_y=True)
bundle.save("model", {}.fit(x, y), inputs=x)
"""


def test_scikit_learn_that_loads_and_fails(environment: Environments, tmp_path: Path) -> None:
    new, old = environment("scikit-learn==1.4.2", *RUNS), environment("scikit-learn==1.3.2", *RUNS)
    train(new, tmp_path, SAVE_SKLEARN.format("GradientBoostingClassifier(n_estimators=5)"))
    assert start(new, tmp_path)["golden"] == "passed"
    for report in (check(old, tmp_path), start(old, tmp_path)):
        assert not report["ready"]
        assert "scikit-learn is 1.3.2, training had 1.4.2" in whole(report)


def test_scikit_learn_that_loads_and_works_is_warned_of_and_refused_only_when_strict(
    environment: Environments, tmp_path: Path
) -> None:
    new, old = environment("scikit-learn==1.4.2", *RUNS), environment("scikit-learn==1.3.2", *RUNS)
    train(new, tmp_path, SAVE_SKLEARN.format("LogisticRegression(max_iter=500)"))
    for report in (check(old, tmp_path, SHIPWHEEL_ENVIRONMENT="warn"), start(old, tmp_path, SHIPWHEEL_ENVIRONMENT="warn")):
        assert report["ready"]
        assert report["golden"] == "passed"
        assert {"package": "scikit-learn", "trained": "1.4.2", "here": "1.3.2"} in report["mismatches"]
        assert any("1.4.2" in note for note in report["notes"])  # the library's own warning, kept
    strict = check(old, tmp_path, SHIPWHEEL_ENVIRONMENT="strict")
    assert not strict["ready"]
    assert "scikit-learn is 1.3.2, training had 1.4.2" in whole(strict)
    one = check(old, tmp_path, SHIPWHEEL_PACKAGES='{"scikit-learn": "strict"}')
    assert not one["ready"]


BOOST = """
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from shipwheel_serve import bundle
import {library} as library
x = np.random.default_rng(7).normal(size=(200, 4))
y = (x[:, 0] + x[:, 1] > 0).astype(int)
model = make_pipeline(StandardScaler(), library.{kind}(n_estimators=5))
bundle.save("model", model.fit(x, y), inputs=x)
"""


@pytest.mark.parametrize(
    ("library", "kind", "newer", "older"),
    [("lightgbm", "LGBMClassifier", "4.3.0", "3.3.5"), ("xgboost", "XGBClassifier", "2.0.3", "1.7.6")],
)
def test_a_booster_in_a_pickle_of_another_major_version(
    environment: Environments, tmp_path: Path, library: str, kind: str, newer: str, older: str
) -> None:
    sklearn = "scikit-learn==1.3.2"
    new, old = environment(f"{library}=={newer}", sklearn, *RUNS), environment(f"{library}=={older}", sklearn, *RUNS)
    train(new, tmp_path, BOOST.format(library=library, kind=kind))
    assert check(new, tmp_path)["golden"] == "passed"
    for report in (check(old, tmp_path), start(old, tmp_path)):
        assert not report["ready"]
        assert f"{library} is {older}, training had {newer}" in whole(report)


def test_no_false_alarm_where_floats_move_and_the_machine_is_another(environment: Environments, tmp_path: Path) -> None:
    python = environment("scikit-learn==1.4.2", *RUNS)
    train(
        python,
        tmp_path,
        SAVE_SKLEARN.format("LogisticRegression(max_iter=500)").replace("inputs=x", "inputs=x, method='predict_proba'"),
    )
    folder = tmp_path / "model"
    table = json.loads((folder / "bundle.json").read_text())
    response = json.loads((folder / "golden" / "response.json").read_text())
    response["predictions"] = [[value * (1 + 3e-16) for value in row] for row in response["predictions"]]
    text = json.dumps(response)
    (folder / "golden" / "response.json").write_text(text)
    table["files"]["golden/response.json"] = {"sha256": _sha256(text), "size": len(text)}
    table["environment"]["machine"] = "aarch64"
    (folder / "bundle.json").write_text(json.dumps(table))
    report = check(python, tmp_path)
    assert report["ready"]
    assert report["golden"] == "passed"
    assert 0 < report["max_error"] < 1e-15


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
