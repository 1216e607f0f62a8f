"""environment.py: what training's environment is, and which differences refuse service."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from shipwheel_serve import environment
from shipwheel_serve.model import Environment
from shipwheel_serve.settings import Settings

NOW = environment.here(["numpy", "pandas"])


def trained(**packages):
    return replace(NOW, packages={**NOW.packages, **packages})


def moved(version: str, part: int) -> str:
    numbers = [int(each) for each in version.split(".")]
    numbers[part] += 1
    return ".".join(map(str, numbers))


def test_the_same_environment_has_nothing_to_say():
    for check in ("auto", "strict", "warn"):
        assert environment.compare(NOW, Settings(environment=check), has_golden=False) == ([], [])
    assert environment.compare(None, Settings(environment="strict"), has_golden=False) == ([], [])
    assert environment.compare(Environment(packages={"numpy": np.__version__}), Settings(), has_golden=False) == ([], [])


@pytest.mark.parametrize(
    ("check", "part", "has_golden", "refused"),
    [
        ("auto", 0, True, False),
        ("auto", 1, False, True),
        ("auto", 2, False, False),
        ("strict", 2, True, True),
        ("warn", 0, False, False),
    ],
)
def test_what_a_version_that_differs_does(check, part, has_golden, refused):
    other = moved(pd.__version__, part)
    found, refusals = environment.compare(trained(pandas=other), Settings(environment=check), has_golden)
    assert [str(each) for each in found] == [f"pandas is {pd.__version__}, training had {other}"]
    assert bool(refusals) is refused
    assert not refused or refusals[0].startswith(f"pandas is {pd.__version__}, training had {other}")


def test_goldens_that_are_not_compared_decide_nothing():
    other = trained(pandas=moved(pd.__version__, 0))
    assert environment.compare(other, Settings(golden="off"), has_golden=True)[1]
    assert environment.compare(other, Settings(golden="warn"), has_golden=True)[1]


def test_single_packages_have_their_own_check():
    given = trained(pandas=moved(pd.__version__, 2), numpy=moved(np.__version__, 0))
    settings = Settings(environment="warn", packages={"Pandas": "strict", "numpy": "off"})
    found, refusals = environment.compare(given, settings, has_golden=True)
    assert [each.package for each in found] == ["pandas"]
    assert len(refusals) == 1
    assert "strict" in refusals[0]
    assert environment.compare(given, Settings(environment="off"), has_golden=False) == ([], [])


def test_an_absent_package_is_a_difference():
    found, refusals = environment.compare(trained(xgboost="2.1.0"), Settings(), has_golden=False)
    assert str(found[0]) == "xgboost is absent, training had 2.1.0"
    assert refusals


def test_word_size_refuses_and_machine_only_warns():
    other = replace(NOW, machine="riscv64", bits=32, python="2.7.18")
    found, refusals = environment.compare(other, Settings(), has_golden=False)
    assert {each.package for each in found} == {"python", "machine", "bits"}
    assert [each.split()[0] for each in refusals] == ["python", "bits"]
    assert environment.compare(other, Settings(), has_golden=True)[1] == []


def test_here_tells_this_machine():
    assert (NOW.python, NOW.machine) == (platform.python_version(), platform.machine())
    assert NOW.bits == sys.maxsize.bit_length() + 1
    assert NOW.packages == {"numpy": np.__version__, "pandas": pd.__version__}


def test_what_the_model_imports_is_recorded_and_nothing_else():
    found = environment.record(LinearRegression(), np.zeros((1, 1)), names=["sklearn.linear_model._base.LinearRegression"])
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"} <= set(found.packages)
    assert not {"pandas", "pytest", "lightgbm", "shipwheel-serve", "shipwheel", "orjson", "pip"} & set(found.packages)
    assert "pandas" in environment.record(LinearRegression(), pd.DataFrame()).packages
    assert environment.record(1, 2, packages=["PyYAML"]).packages.keys() == {"pyyaml"}


def test_pandas_is_recorded_when_only_the_feature_code_imports_it(tmp_path, monkeypatch):
    (tmp_path / "helper_b.py").write_text("from pandas import DataFrame\nimport yaml\n")
    (tmp_path / "features_b.py").write_text("from helper_b import DataFrame as D\nimport json\nclass Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import features_b

    found = environment.record(features_b.Model(), np.zeros(1), names=["features_b.Model"])
    assert {"pandas", "numpy"} <= set(found.packages)
    assert not {"pytest", "scikit-learn"} & set(found.packages)
    for name in ("features_b", "helper_b"):
        del sys.modules[name]
