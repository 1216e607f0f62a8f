"""Models, requests and the right answers of one scenario, in the runtime's own environment: `inputs.py SCENARIO DATA`.

A request is NAME.body, and NAME.json with its headers; `answers.json` has what every contender must answer, flat.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 2_000_000
"""Numbers of float32 in the large tensor: 8 MB."""


def iris(data: Path) -> list[float]:
    """A logistic regression of four features, as a bundle for us and as joblib for all others."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    from shipwheel_serve import bundle

    rows, kinds = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(rows, kinds)
    joblib.dump(model, data / "iris.joblib")
    bundle.save(data / "iris", model, inputs=rows[::5])
    one = rows[140:141]
    _request(data, "inputs", json.dumps({"inputs": one.tolist()}).encode())
    tensor = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": one.ravel().tolist()}
    _request(data, "oip", json.dumps({"inputs": [tensor]}).encode())
    return model.predict(one).tolist()


def torch(data: Path) -> list[float]:
    """Three linear layers, 512-2048-2048-10: 21 MB of weights, which one row reads as a batch does."""
    import torch as library

    from shipwheel_serve import bundle

    library.manual_seed(0)
    layers = library.nn
    model = layers.Sequential(
        layers.Linear(512, 2048), layers.ReLU(), layers.Linear(2048, 2048), layers.ReLU(), layers.Linear(2048, 10)
    ).eval()
    rows = library.randn(32, 512)
    library.jit.save(library.jit.trace(model, rows), data / "mlp.pt")
    bundle.save(data / "mlp", model, inputs=rows)
    _request(data, "inputs", json.dumps({"inputs": rows[:1].tolist()}).encode())
    _request(data, "raw", rows[:1].numpy().tobytes())
    _binary(data, rows[:1].numpy())
    with library.inference_mode():
        return model(rows[:1]).ravel().tolist()


def tensor(data: Path) -> list[float]:
    """Only the requests: the model, a mean, is in every server's own code."""
    row = np.random.default_rng(0).random((1, WIDTH), np.float32)
    _request(data, "raw", row.tobytes())
    _binary(data, row)
    return row.mean(axis=1).tolist()


def _binary(data: Path, rows: np.ndarray) -> None:
    """The Open Inference Protocol's binary tensors; the answer is asked for as JSON."""
    about: dict[str, Any] = {"name": "input", "shape": list(rows.shape), "datatype": "FP32"}
    head = {"inputs": [{**about, "parameters": {"binary_data_size": rows.nbytes}}], "outputs": [_PLAIN_OUTPUT]}
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text)), "Content-Type": "application/octet-stream"}
    _request(data, "binary", text + rows.tobytes(), headers)


_PLAIN_OUTPUT = {"name": "output", "parameters": {"binary_data": False}}


def _request(data: Path, name: str, body: bytes, headers: dict[str, str] | None = None) -> None:
    kind = "application/octet-stream" if name == "raw" else "application/json"
    (data / f"{name}.body").write_bytes(body)
    (data / f"{name}.json").write_text(json.dumps(headers or {"Content-Type": kind}))


SCENARIOS: dict[str, Callable[[Path], list[float]]] = {"iris": iris, "torch": torch, "tensor": tensor}

if __name__ == "__main__":
    scenario, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answers.json").write_text(json.dumps(SCENARIOS[scenario](folder)))
