"""`Model`: a loaded model as the service sees it, whatever library it came from; and what checks found out about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shipwheel_serve.schema import Arrays, Schema

Predict = Callable[[Arrays], Arrays]
"""From input arrays to output arrays with as many rows, in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Inputs and the outputs that training had for them.

    `request` and `response` are the bodies of `/predict`, as bytes. `features` are what the model's own feature step made
    of the inputs, by column (empty: it has none). `tolerance` is (relative, absolute) by output or feature name; the rest
    takes the default of its dtype.
    """

    request: bytes
    response: bytes
    features: Arrays = field(default_factory=dict)
    tolerance: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a model was trained: `python` 3.11.7, `machine` x86_64, `bits` 64, `packages` name -> version.

    Of a bare model file only what the file says is there: often one package.
    """

    python: str = ""
    machine: str = ""
    bits: int = 0
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, ready to be asked.

    `library` is scikit-learn, xgboost, lightgbm, catboost, torch, onnx or python; `format` skops, pickle, json, ...
    `row_wise`: each row's answer depends on that row alone, so requests may be joined; None: not known, the golden rows
    tell. `trained` is None where nothing says. `warnings` are what libraries said while it loaded.
    """

    name: str
    version: str
    library: str
    format: str
    schema: Schema
    predict: Predict
    features: Predict | None = None
    row_wise: bool | None = None
    golden: Golden | None = None
    trained: Environment | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A package, python, machine or bits that differs from training; `here` is empty where it is absent."""

    package: str
    trained: str
    here: str

    def __str__(self) -> str:
        return f"{self.package} is {self.here or 'absent'}, training had {self.trained}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a worker stands: what `/ready` answers.

    `state` is starting, downloading, loading, checking, ready, failed or draining. `reasons` say why it is not ready,
    `notes` what a person should know all the same. `golden` is passed, failed or absent once it is known;
    `max_error` the largest absolute error of a golden number; `rows` how many rows were compared.
    """

    state: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    golden: str = ""
    max_error: float = 0.0
    rows: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self.state == "ready"
