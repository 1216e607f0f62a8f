"""Answers with what the model says; it is loaded once, when the service starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import joblib
from fastapi import FastAPI, Request
from pydantic import BaseModel


class Row(BaseModel):
    values: list[float]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.model = joblib.load("/models/model.joblib")
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(row: Row, request: Request) -> dict[str, float]:
    return {"prediction": float(request.app.state.model.predict([row.values])[0])}
