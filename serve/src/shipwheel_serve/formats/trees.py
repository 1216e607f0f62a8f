"""LightGBM, XGBoost and CatBoost: their own model files, which hold no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats.loaded import Described, Loaded, Table, columns_of, frame_of, method_of
from shipwheel_serve.formats.trust import Trust


def live(model: Any, library: str, kind: str = "") -> Loaded:
    """A booster or an estimator of one of the three."""
    ask = method_of(XGBoost(model) if library == "xgboost" and type(model).__name__ == "Booster" else model)
    described = {"lightgbm": _lightgbm_inputs, "xgboost": _xgboost_inputs, "catboost": _catboost_inputs}[library](model)
    return Loaded(library=library, format=kind, object=model, ask=ask, described=described)


class LightGBM:
    """A booster that answers as the estimator that it was trained by: labels and probabilities."""

    def __init__(self, booster: Any, classes: list[Any]) -> None:
        self.booster, self.classes = booster, np.array(classes)

    def predict(self, value: Any) -> np.ndarray:
        """The most probable label."""
        return np.asarray(self.classes[np.argmax(self.predict_proba(value), axis=1)])

    def predict_proba(self, value: Any) -> np.ndarray:
        """A probability by class."""
        found = np.asarray(self.booster.predict(value))
        return np.vstack((1.0 - found, found)).transpose() if found.ndim == 1 else found


def write_lightgbm(model: Any, path: Path, _sample: Any) -> Table:
    """LightGBM's text file, and the labels of a classifier."""
    getattr(model, "booster_", model).save_model(path)
    classes = getattr(model, "classes_", None)
    return {} if classes is None else {"classes": np.asarray(classes).tolist()}


def read_lightgbm(path: Path, table: Table, _trust: Trust) -> Loaded:
    """LightGBM's text file; `classes` of a classifier stand in `table`."""
    import lightgbm

    booster = lightgbm.Booster(model_file=path)
    return live(LightGBM(booster, table["classes"]) if "classes" in table else booster, "lightgbm", "text")


def _lightgbm_inputs(model: Any) -> Described:
    booster = getattr(model, "booster", None) or getattr(model, "booster_", model)
    names, categories = booster.feature_name(), getattr(booster, "pandas_categorical", None)
    if not categories:
        return columns_of(None if names[:1] == ["Column_0"] else names, len(names))
    params = getattr(booster, "params", None) or {}
    at = params.get("categorical_feature") or params.get("categorical_column") or ()
    places = [int(each) for each in at.split(",") if each.isdigit()] if isinstance(at, str) else at
    found = zip(places, categories, strict=False)
    return frame_of(names, {names[place]: {"dtype": "category", "categories": tuple(of)} for place, of in found})


class XGBoost:
    """A booster that is asked as the estimators are: it takes its own matrix."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    def predict(self, value: Any) -> Any:
        """What the booster predicts."""
        import xgboost

        names = None if hasattr(value, "columns") else self.booster.feature_names
        return self.booster.predict(xgboost.DMatrix(value, feature_names=names, enable_categorical=True))


def write_xgboost(model: Any, path: Path, _sample: Any) -> Table:
    """XGBoost's UBJSON, and what it does not hold of an estimator."""
    model.save_model(path)
    params = model.get_params() if hasattr(model, "get_params") else {}
    kept: dict[str, Any] = {"enable_categorical": True} if params.get("enable_categorical") else {}
    if isinstance(missing := params.get("missing"), (int, float)) and np.isfinite(missing):
        kept["missing"] = missing
    return {"class": type(model).__name__, "params": kept}


def read_xgboost(path: Path, table: Table, _trust: Trust) -> Loaded:
    """A booster in UBJSON or JSON, as the class that `table` or the file itself names."""
    import xgboost

    booster = xgboost.Booster(model_file=path)
    kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type", "")  # an estimator leaves it in the file
    name = table.get("class") or {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}.get(kind)
    if name in (None, "Booster"):
        return live(booster, "xgboost", table["format"])
    if not name.startswith("XGB") or not hasattr(xgboost, name):
        raise ModelError(f"xgboost has no class '{name}'", hint="write the bundle again")
    model = getattr(xgboost, name)(**table.get("params", {}))
    model.load_model(path)
    return live(model, "xgboost", table["format"])


def _xgboost_inputs(model: Any) -> Described:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return columns_of(booster.feature_names, booster.num_features(), "float32")


def write_catboost(model: Any, path: Path, _sample: Any) -> Table:
    """A .cbm file."""
    model.save_model(str(path))
    return {"class": type(model).__name__}


def read_catboost(path: Path, table: Table, _trust: Trust) -> Loaded:
    """A .cbm file, as the class that `table` names, or that fits."""
    import catboost

    classes = {
        each: getattr(catboost, each) for each in ("CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker", "CatBoost")
    }
    for name in [table["class"]] if "class" in table else classes:
        try:
            model = classes[name]().load_model(str(path))
        except catboost.CatBoostError as error:  # the loss is one of another class, or the file is broken
            reason = error
            continue
        if "class" in table or name != "CatBoostClassifier" or len(model.classes_):
            return live(model, "catboost", "cbm")
    raise ModelError(f"{path.name} cannot be loaded by CatBoost: {reason}", hint="save the model again")


def _catboost_inputs(model: Any) -> Described:
    names, texts = model.feature_names_, {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    if not texts:
        return columns_of(names, len(names))
    return frame_of(names, {names[place]: {"dtype": "any", "nullable": False} for place in texts})
