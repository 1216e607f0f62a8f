"""Plain FastAPI with a torch model, one request at a time in the thread pool; `/raw` takes the tensor's bytes."""

import os
from pathlib import Path

import numpy as np
import torch
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

app = FastAPI()
model = torch.jit.load(Path(os.environ["BENCH_DATA"], "mlp.pt")).eval()


class Rows(BaseModel):
    """Rows of 512 numbers."""

    inputs: list[list[float]]


def _ask(rows: torch.Tensor) -> dict[str, list[list[float]]]:
    with torch.inference_mode():
        return {"predictions": model(rows).tolist()}


@app.post("/predict")
def predict(rows: Rows) -> dict[str, list[list[float]]]:
    """Ten numbers a row."""
    return _ask(torch.tensor(rows.inputs))


@app.post("/raw")
async def raw(request: Request) -> dict[str, list[list[float]]]:
    """The same of raw float32."""
    body = await request.body()
    return await run_in_threadpool(_ask, torch.from_numpy(np.frombuffer(body, np.float32).copy().reshape(-1, 512)))
