"""Every row of the tables: what is installed, how it is started, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving.places import ROOT

OURS = "shipwheel"
SERVERS = Path(__file__).parent / "servers"

SERVE = f"{ROOT / 'serve'}"
"""Our runtime, from its sources."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "shipwheel": (f"shipwheel-serve[skops] @ file://{SERVE}", "joblib", "scikit-learn"),
    "fastapi": ("fastapi", "uvicorn[standard]", "orjson", "scikit-learn"),
    "litserve": ("litserve", "scikit-learn"),
    "mlserver": ("mlserver", "mlserver-sklearn", "uvloop<0.22"),  # its workers do not start with a newer one
    "bentoml": ("bentoml", "scikit-learn"),
    "kserve": ("kserve", "scikit-learn"),
    "pytriton": ("nvidia-pytriton>=0.7",),
    "shipwheel-torch": (f"shipwheel-serve @ file://{SERVE}", "torch"),
    "fastapi-torch": ("fastapi", "uvicorn[standard]", "orjson", "numpy", "torch"),
    "litserve-torch": ("litserve", "numpy", "torch"),
}
"""Requirements by environment; the newest that the index has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server and one way to ask it.

    `command` and `files` have {bin} (its environment's), {servers}, {data}, {port} and {port2}, {port3} (more free ports).
    `request` names what inputs.py wrote. `group` is what goals are told for: fastapi, or a peer.
    """

    name: str
    scenario: str
    env: str
    command: str
    path: str = "/predict"
    request: str = "inputs"
    group: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def _ours(name: str, scenario: str, model: str, env: str, **more: str) -> Contender:
    command = f"{{bin}}/python -m shipwheel_serve --model {model} --port {{port}} --workers 1"
    return Contender(name=name, scenario=scenario, env=env, command=command, group=OURS, **more)  # type: ignore[arg-type]


def _fastapi(name: str, scenario: str, module: str, env: str = "fastapi", group: str = "", **more: str) -> Contender:
    command = f"{{bin}}/uvicorn --app-dir {{servers}} --port {{port}} --no-access-log {module}:app"
    return Contender(name=name, scenario=scenario, env=env, command=command, group=group, **more)  # type: ignore[arg-type]


def _lit(name: str, scenario: str, options: str, env: str = "litserve") -> Contender:
    command = f"{{bin}}/python {{servers}}/lit.py {scenario} {{port}} {options}"
    return Contender(name=name, scenario=scenario, env=env, command=command, group="peer")


def _bento(name: str, service: str) -> Contender:
    return Contender(
        name=name,
        scenario="iris",
        env="bentoml",
        command=f"{{bin}}/bentoml serve --port {{port}} --working-dir {{servers}} bento:{service}",
        group="peer",
    )


_MLSERVER = '{"debug": false, "http_port": {port}, "grpc_port": {port2}, "metrics_port": {port3}%s}'
_MLSERVER_IRIS = (
    '{"name": "iris", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "{data}/iris.joblib"}%s}'
)


def _mlserver(name: str, settings: str = "", model: str = "") -> Contender:
    return Contender(
        name=name,
        scenario="iris",
        env="mlserver",
        command="{bin}/mlserver start .",
        path="/v2/models/iris/infer",
        request="oip",
        group="peer",
        files={"settings.json": _MLSERVER % settings, "model-settings.json": _MLSERVER_IRIS % model},
    )


IRIS = (
    _ours("shipwheel", "iris", "{data}/iris", "shipwheel"),
    _ours(
        "shipwheel, Open Inference Protocol", "iris", "{data}/iris", "shipwheel", path="/v2/models/iris/infer", request="oip"
    ),
    _fastapi("FastAPI, pydantic, thread pool", "iris", "fastapi_pydantic", group="fastapi"),
    _fastapi("FastAPI, dict, thread pool", "iris", "fastapi_dict", group="fastapi"),
    _fastapi("FastAPI + orjson, on the loop", "iris", "fastapi_inline"),
    _lit("LitServe", "iris", ""),
    _lit("LitServe, batching", "iris", "batch"),
    _lit("LitServe, batching, zmq", "iris", "batch zmq"),
    _mlserver("MLServer"),
    _mlserver("MLServer, no workers", ', "parallel_workers": 0'),
    _mlserver("MLServer, no workers, batching", ', "parallel_workers": 0', ', "max_batch_size": 32, "max_batch_time": 0.002'),
    _bento("BentoML", "Plain"),
    _bento("BentoML, adaptive batching", "Adaptive"),
    Contender(
        name="KServe",
        scenario="iris",
        env="kserve",
        command="{bin}/python {servers}/kserve_models.py iris {port}",
        path="/v2/models/iris/infer",
        request="oip",
        group="peer",
    ),
)

_MLP_OURS = {"model": "{data}/mlp", "env": "shipwheel-torch"}

TORCH = (
    _ours("shipwheel", "torch", **_MLP_OURS),
    _ours("shipwheel, binary", "torch", path="/v2/models/mlp/infer", request="binary", **_MLP_OURS),
    _fastapi("FastAPI, one by one", "torch", "fastapi_torch", "fastapi-torch", "fastapi"),
    _fastapi("FastAPI, one by one, raw bytes", "torch", "fastapi_torch", "fastapi-torch", path="/raw", request="raw"),
    _lit("LitServe", "torch", "", "litserve-torch"),
    _lit("LitServe, batching", "torch", "batch", "litserve-torch"),
    _lit("LitServe, batching, zmq", "torch", "batch zmq", "litserve-torch"),
)


def _mean(name: str, env: str, command: str, files: Mapping[str, str] | None = None) -> Contender:
    more = {"path": "/v2/models/mean/infer", "request": "binary", "group": "peer"}
    return Contender(name=name, scenario="tensor", env=env, command=command, files=files or {}, **more)


_MLSERVER_MEAN = {
    "settings.json": _MLSERVER % ', "parallel_workers": 0',
    "model-settings.json": '{"name": "mean", "implementation": "mlserver_mean.Mean"}',
}

TENSOR = (
    _ours("shipwheel", "tensor", "{servers}/mean.py:Mean", "shipwheel", path="/v2/models/Mean/infer", request="binary"),
    _fastapi("FastAPI, raw body (the bound)", "tensor", "fastapi_raw", request="raw", group="bound"),
    _mean("PyTriton", "pytriton", "{bin}/python {servers}/triton.py mean {port} {port2} {port3}"),
    _mean("KServe", "kserve", "{bin}/python {servers}/kserve_models.py mean {port}"),
    _mean("MLServer", "mlserver", "{bin}/mlserver start .", _MLSERVER_MEAN),
)

ALL = (*IRIS, *TORCH, *TENSOR)
CONNECTIONS = {"iris": 32, "torch": 32, "tensor": 4}
"""Requests at a time; large tensors with fewer, for some servers take a second each."""
