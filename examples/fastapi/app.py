"""Tells which of three cultivars a wine is made of, from thirteen measurements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

MODEL = Path(__file__).parent / "model" / "model.joblib"


class Wine(BaseModel):
    """One wine, by the names of the columns that the model was trained on."""

    model_config = ConfigDict(extra="forbid")

    alcohol: float = Field(gt=0, lt=100, description="percent by volume")
    malic_acid: float
    ash: float
    alcalinity_of_ash: float
    magnesium: float
    total_phenols: float
    flavanoids: float
    nonflavanoid_phenols: float
    proanthocyanins: float
    color_intensity: float
    hue: float
    od280: float = Field(alias="od280/od315_of_diluted_wines")
    proline: float


class Wines(BaseModel):
    """What is asked: one wine or several."""

    wines: list[Wine] = Field(min_length=1, max_length=10_000)


class Prediction(BaseModel):
    """The cultivar that fits best, and how sure the model is of it (0 to 1)."""

    cultivar: str
    probability: float


class Predictions(BaseModel):
    """One prediction for each wine, in the same order."""

    predictions: list[Prediction]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the model once, before the first request."""
    app.state.model = joblib.load(MODEL)
    yield


app = FastAPI(title="Wine cultivars", lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, str]:
    """Answers while the process lives."""
    return {"status": "ok"}


@app.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Answers 200 once the model is loaded."""
    if getattr(request.app.state, "model", None) is None:
        raise HTTPException(503, "the model is not loaded")
    return {"status": "ready"}


@app.post("/predict")
def predict(asked: Wines, request: Request) -> Predictions:
    """The cultivar of each wine."""
    model = request.app.state.model
    frame = pd.DataFrame([wine.model_dump(by_alias=True) for wine in asked.wines])[model.feature_names_in_]
    probabilities = model.predict_proba(frame)
    return Predictions(
        predictions=[
            Prediction(cultivar=model.classes_[row.argmax()], probability=round(float(row.max()), 4)) for row in probabilities
        ]
    )
