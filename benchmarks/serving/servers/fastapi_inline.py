"""FastAPI with nothing in the way: orjson both ways, and the model on the event loop, which it holds up meanwhile."""

import os
from pathlib import Path

import joblib
import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

app = FastAPI()
model = joblib.load(Path(os.environ["BENCH_DATA"], "iris.joblib"))


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Classes of flowers."""
    inputs = orjson.loads(await request.body())["inputs"]
    answer = {"predictions": model.predict(np.array(inputs))}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
