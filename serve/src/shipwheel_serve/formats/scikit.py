"""scikit-learn, and any other object that is pickled: skops where it can, else pickle."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from shipwheel_serve.formats.loaded import Ask, Described, Loaded, Table, columns_of, frame_of, method_of
from shipwheel_serve.formats.trust import Trust
from shipwheel_serve.schema import Field

PROTOCOL = 5
"""Of pickles: since Python 3.8."""


def live(model: Any, library: str, kind: str = "") -> Loaded:
    """An object with `predict` and the like; its features are those of the pipeline, or what its own `features` gives."""
    ask = method_of(model)
    if library == "python":
        features = ask("features") if callable(getattr(model, "features", None)) else None
        return Loaded(library=library, format=kind, object=model, ask=ask, features=features)
    described, features = _described(model), _features(getattr(model, "best_estimator_", model))
    return Loaded(library=library, format=kind, object=model, ask=ask, described=described, features=features)


def read_skops(path: Path, _table: Table, trust: Trust) -> Loaded:
    """A skops file, whose types must be allowed as those of a pickle."""
    import skops.io

    types = skops.io.get_untrusted_types(file=path)
    trust.check(types, path.name)
    return live(skops.io.load(path, trusted=types), "scikit-learn", "skops")


def write_skops(model: Any, path: Path, _sample: Any) -> None:
    """A skops file."""
    import skops.io

    skops.io.dump(model, path)


def write_pickle(model: Any, path: Path, _sample: Any) -> None:
    """A pickle."""
    path.write_bytes(pickle.dumps(model, PROTOCOL))


def _features(model: Any) -> Ask | None:
    """What all steps of a pipeline but the last give."""
    if len(getattr(model, "steps", ())) < 2:
        return None

    def features(value: Any) -> Any:
        made = value
        for _, step in model.steps[:-1]:  # a step without transform is passthrough, or only for training
            made = step.transform(made) if hasattr(step, "transform") else made
        if hasattr(made, "columns") or getattr(made, "ndim", 0) != 2:
            return made
        try:
            names = [str(name) for name in model[:-1].get_feature_names_out()]
        except Exception:  # noqa: BLE001 - names are only nicer; steps that have none fail in many ways
            names = [f"feature {index}" for index in range(made.shape[1])]
        made = made.toarray() if hasattr(made, "toarray") else made
        return dict(zip(names, made.T, strict=False))

    return features


def _described(model: Any) -> Described | None:
    """What an estimator says itself: names of columns, or how many there are; types are a guess: text where it was encoded."""
    names, count = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", 0)
    if names is not None:
        return frame_of(names, {name: {"dtype": "any"} for name in _texts(model)})
    first = model.steps[0][1] if getattr(model, "steps", ()) else getattr(model, "best_estimator_", model)
    if hasattr(first, "vocabulary_"):
        return "array", (Field(name="input", dtype="string"),), ()
    return columns_of(None, count) if count else None


def _texts(model: Any) -> set[str]:
    """Columns that some encoder within saw as texts."""
    names = set[str]()
    for _, part in getattr(model, "steps", ()):
        names |= _texts(part)
    for _, part, columns in getattr(model, "transformers_", ()):
        inner = [step for _, step in getattr(part, "steps", ())] or [part]
        if any(map(_knows_texts, inner)):
            names |= set(columns if isinstance(columns, list) else [])
    return names | set(getattr(model, "feature_names_in_", ()) if _knows_texts(model) else ())


def _knows_texts(step: Any) -> bool:
    return any(getattr(getattr(each, "dtype", None), "kind", "") in "OUT" for each in getattr(step, "categories_", ()))
