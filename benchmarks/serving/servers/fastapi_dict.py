"""The same without models of the body: a dict in, a dict out, in the thread pool."""

import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI

app = FastAPI()
model = joblib.load(Path(os.environ["BENCH_DATA"], "iris.joblib"))


@app.post("/predict")
def predict(body: dict[str, Any]):
    """Classes of flowers."""
    return {"predictions": model.predict(np.array(body["inputs"])).tolist()}
