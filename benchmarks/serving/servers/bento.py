"""BentoML, as its guide has it: `bentoml serve bento:Plain`, or `bento:Adaptive` with its adaptive batching."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np

MODEL = Path(os.environ["BENCH_DATA"], "iris.joblib")
QUIET = {"access": {"enabled": False}}


@bentoml.service(workers=1, logging=QUIET)
class Plain:
    """One request at a time."""

    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Classes of flowers."""
        return self.model.predict(inputs)


@bentoml.service(workers=1, logging=QUIET)
class Adaptive:
    """Requests are joined as BentoML finds best."""

    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Classes of flowers."""
        return self.model.predict(inputs)
