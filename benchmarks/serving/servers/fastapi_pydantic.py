"""Plain FastAPI as most guides write it: a pydantic body and `def`, which FastAPI runs in its thread pool."""

import os
from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(Path(os.environ["BENCH_DATA"], "iris.joblib"))


class Flowers(BaseModel):
    """Rows of four lengths in centimetres."""

    inputs: list[list[float]]


class Kinds(BaseModel):
    """One class a row."""

    predictions: list[int]


@app.post("/predict")
def predict(flowers: Flowers) -> Kinds:
    """Classes of flowers."""
    return Kinds(predictions=model.predict(np.array(flowers.inputs)).tolist())
