"""LightGBM, XGBoost and CatBoost: their own model files, which hold no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shipwheel_serve.errors import ModelError
from shipwheel_serve.formats.loaded import Ask, Loaded, Write, columns_of, method_of
from shipwheel_serve.formats.scikit import writers as pickled
from shipwheel_serve.formats.trust import Trust
from shipwheel_serve.schema import Field


def live(model: Any, library: str, kind: str = "") -> Loaded:
    """A booster or an estimator of one of the three."""
    ask = _ask_booster(model) if library == "xgboost" and type(model).__name__ == "Booster" else method_of(model)
    described = {"lightgbm": _lightgbm_inputs, "xgboost": _xgboost_inputs, "catboost": _catboost_inputs}[library](model)
    return Loaded(library=library, format=kind, object=model, ask=ask, described=described)


def writers(model: Any, library: str) -> list[tuple[str, Write]]:
    """The library's own format, then pickle."""
    own: dict[str, tuple[str, Write]] = {
        "lightgbm": ("text", lambda folder, _: _write_lightgbm(model, folder)),
        "xgboost": ("ubj", lambda folder, _: _write_xgboost(model, folder)),
        "catboost": ("cbm", lambda folder, _: _write_catboost(model, folder)),
    }
    return [own[library], *pickled(model, library)]


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


def _write_lightgbm(model: Any, folder: Path) -> Mapping[str, Any]:
    booster = getattr(model, "booster_", model)
    booster.save_model(folder / "model.txt")
    classes = getattr(model, "classes_", None)
    more = {} if classes is None else {"classes": np.asarray(classes).tolist()}
    return {"format": "text", "path": "model.txt", **more}


def read_lightgbm(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """LightGBM's text file; `classes` of a classifier stand in `table`."""
    import lightgbm

    booster = lightgbm.Booster(model_file=path)
    return live(LightGBM(booster, table["classes"]) if "classes" in table else booster, "lightgbm", "text")


def _lightgbm_inputs(model: Any) -> Any:
    booster = getattr(model, "booster", None) or (getattr(model, "booster_", model))
    names, categories = booster.feature_name(), getattr(booster, "pandas_categorical", None)
    if not categories:
        return columns_of(None if names[:1] == ["Column_0"] else names, len(names))
    params = getattr(booster, "params", None) or {}
    at = params.get("categorical_feature") or params.get("categorical_column") or ()
    if isinstance(at, str):
        at = [int(each) for each in at.split(",") if each.isdigit()]
    kinds = dict(zip(at, categories, strict=False))
    return (
        "frame",
        tuple(
            Field(name=name, dtype="category", categories=tuple(kinds[index]), nullable=True)
            if index in kinds
            else Field(name=name, dtype="float64", nullable=True)
            for index, name in enumerate(names)
        ),
        (),
    )


def _ask_booster(booster: Any) -> Any:
    """A Booster of XGBoost takes its own matrix."""

    def ask(method: str) -> Ask:
        import xgboost

        call = method_of(booster)(method)

        def predict(value: Any) -> Any:
            names = None if hasattr(value, "columns") else booster.feature_names
            return call(xgboost.DMatrix(value, feature_names=names, enable_categorical=True))

        return predict

    return ask


def _write_xgboost(model: Any, folder: Path) -> Mapping[str, Any]:
    model.save_model(folder / "model.ubj")
    params = model.get_params() if hasattr(model, "get_params") else {}
    kept = {name: params[name] for name in ("enable_categorical",) if params.get(name)}
    if isinstance(missing := params.get("missing"), (int, float)) and np.isfinite(missing):
        kept["missing"] = missing
    return {"format": "ubj", "path": "model.ubj", "class": type(model).__name__, "params": kept}


def read_xgboost(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """A booster in UBJSON or JSON, as the class that `table` or the file itself names."""
    import xgboost

    name = table.get("class") or _xgboost_class(xgboost.Booster(model_file=path))
    made = getattr(xgboost, name, None) if name.startswith("XGB") or name == "Booster" else None
    if not isinstance(made, type):
        raise ModelError(f"xgboost has no class '{name}'", hint="write the bundle again")
    model = made(**table.get("params", {})) if name != "Booster" else made()
    model.load_model(path)
    return live(model, "xgboost", table["format"])


def _xgboost_class(booster: Any) -> str:
    """An estimator leaves its kind in the file."""
    try:
        kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type", "")
    except ValueError:
        kind = ""
    return {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}.get(kind, "Booster")


def _xgboost_inputs(model: Any) -> Any:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return columns_of(booster.feature_names, booster.num_features(), "float32")


def _write_catboost(model: Any, folder: Path) -> Mapping[str, Any]:
    model.save_model(str(folder / "model.cbm"))
    return {"format": "cbm", "path": "model.cbm", "class": type(model).__name__}


def read_catboost(path: Path, table: Mapping[str, Any], _trust: Trust) -> Loaded:
    """A .cbm file, as the class that `table` names, or that fits."""
    import catboost

    names = [table["class"]] if "class" in table else ["CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker", "CatBoost"]
    for name in names:
        model: Any = getattr(catboost, name)() if name.startswith("CatBoost") else None
        try:
            model.load_model(str(path))
        except catboost.CatBoostError:
            if name == names[-1]:
                raise
            continue
        if len(names) == 1 or name != "CatBoostClassifier" or len(model.classes_):
            break
    return live(model, "catboost", "cbm")


def _catboost_inputs(model: Any) -> Any:
    names, texts = model.feature_names_, {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    if not texts:
        return columns_of(names, len(names))
    fields = [
        Field(name=name, dtype="any" if at in texts else "float64", nullable=at not in texts) for at, name in enumerate(names)
    ]
    return "frame", tuple(fields), ()
