"""Answers with what the model says; it is loaded once, when the service starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
from fastapi import FastAPI, Request
from pydantic import BaseModel


class Row(BaseModel):
    values: list[float]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.model = torch.jit.load("/models/model.pt").eval()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/live")
@app.get("/ready")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(row: Row, request: Request) -> dict[str, float]:
    return {"prediction": float(request.app.state.model(torch.tensor([row.values]))[0])}
