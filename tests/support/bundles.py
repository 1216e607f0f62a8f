"""Small models that are really trained, saved as bundles, and a class that takes and gives every datatype."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shipwheel_serve import bundle


def iris(folder: Path) -> Path:
    """A matrix of four named columns; a species (text) and three probabilities come out."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris()
    model = LogisticRegression(max_iter=500).fit(data.data, data.target_names[data.target])
    methods = {"species": "predict", "probability": "predict_proba"}
    return bundle.save(folder / "iris", model, inputs=data.data, method=methods, name="iris", rows=12)


def people(folder: Path) -> Path:
    """A frame of every kind of column; a number comes out."""
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    chance, count = np.random.default_rng(5), 40
    data = pd.DataFrame(
        {
            "height": chance.normal(170, 9, count),
            "children": chance.integers(0, 5, count),
            "colour": pd.Categorical(chance.choice(["red", "green"], count), categories=["red", "green"]),
            "city": chance.choice(["Köln", "Paris"], count),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(chance.integers(0, 999, count), "D"),
        }
    )
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour", "city"]), ("passthrough", ["height", "children"])
    )
    model = make_pipeline(encoded, LinearRegression()).fit(data, data["height"] / 2 + (data["city"] == "Köln"))
    return bundle.save(folder / "people", model, inputs=data, name="people", version="2", rows=12)


EVERY = '''
import numpy as np
from shipwheel_serve.schema import Field, Schema

KINDS = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
KINDS = (*KINDS, "float16", "float32", "float64", "bfloat16", "string")
FIELDS = tuple(Field(name=kind, dtype=kind, shape=(-1, 2)) for kind in KINDS)


class Every:
    """Gives back what it gets, one tensor of each datatype."""

    row_wise = True
    schema = Schema(layout="tensors", inputs=FIELDS, outputs=FIELDS)

    def predict(self, tensors):
        return tensors


class Wide:
    """One large tensor, negated."""

    row_wise = True
    schema = Schema(layout="array", inputs=(Field(name="input", dtype="float32", shape=(-1, 1024)),))

    def predict(self, x):
        return -x
'''
"""A module: `every:Every` and `every:Wide`."""
