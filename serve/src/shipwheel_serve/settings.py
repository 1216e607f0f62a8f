"""`Settings`: what decides how the service runs: /app/shipwheel.json, then the environment over it."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from shipwheel_serve.errors import ModelError

FILE = "shipwheel.json"
"""Written into the image by `shipwheel build`, beside the project's files."""

CHECKS = ("auto", "strict", "warn", "off")
PREFIX = "SHIPWHEEL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every one is a key of shipwheel.json and, with SHIPWHEEL_ before it, a variable (lists and tables as JSON)."""

    model: str = "model"
    """Bundle, model file or MODULE:CLASS, relative to the folder of shipwheel.json."""

    name: str = ""
    """The model's name in addresses and metrics. Default: the bundle's, or the file's."""

    sha256: str = ""
    """Of the bundle's bundle.json, or of the model file; empty: nothing is pinned."""

    files: tuple[Mapping[str, Any], ...] = ()
    """What `delivery = "download"` fetches: path, sha256, size."""

    delivery: str = "bake"
    """bake (the model is in the image), download (at start, from `source`), mount (it appears at `mount`)."""

    source: str = ""
    """Where to download from: http(s)://, s3://, gs:// or file:."""

    mount: str = "/mnt/models"
    """Where a mounted model appears."""

    cache: str = "/tmp/shipwheel-models"
    """Where downloads are kept; a volume there saves them from one start to the next."""

    environment: str = "auto"
    """Differences from training: strict (any refuses), warn, off; auto: warn where golden answers decide, else a
    difference in the first two numbers of a version refuses."""

    packages: Mapping[str, str] = field(default_factory=dict)
    """The same for single packages, python, machine or bits: {"pandas": "strict"}."""

    golden: str = "strict"
    """Golden answers that differ: strict (never ready), warn, off (not compared)."""

    allow_pickle: bool = False
    """Load a pickle that no bundle and no lock vouches for."""

    allow_globals: tuple[str, ...] = ()
    """More names that a pickle may use, such as mypackage.features.Scaler or mypackage.*"""

    host: str = "0.0.0.0"
    """Address to listen on."""

    port: int = 8080
    """TCP port; PORT and AIP_HTTP_PORT are honoured."""

    workers: int = 0
    """Processes, each with the model; 0: one a GPU, else one."""

    threads: int = 0
    """Threads of numeric libraries in each worker; 0: the CPU limit of the container, divided by the workers."""

    max_batch_size: int = 256
    """Rows that one call of the model gets at most; 1: requests are never joined."""

    max_batch_delay_ms: float = 0.0
    """How long a request waits for others; 0: whatever is queued goes together, nothing waits."""

    max_queue_size: int = 512
    """Requests that wait; one more gets 429."""

    max_concurrency: int = 1
    """Calls of the model at the same time, in each worker."""

    request_timeout_s: float = 60.0
    """Then the answer is 504."""

    graceful_timeout_s: float = 30.0
    """How long running requests may take to end after SIGTERM."""

    drain_delay_s: float = 0.5
    """How long requests are still taken after SIGTERM, not ready, so that load balancers can notice."""

    max_payload_size: int = 64 << 20
    """Bytes of a request; more gets 413."""

    keep_alive_s: int = 75
    """How long an idle connection stays open: longer than proxies keep theirs (60 s)."""

    health_route: str = ""
    """One more path for `/ready`, such as Vertex AI's AIP_HEALTH_ROUTE."""

    predict_route: str = ""
    """One more path for `/predict`, such as AIP_PREDICT_ROUTE."""

    access_log: bool = False
    """A log line for every request, not only for those that fail."""

    log_format: str = "json"
    """json or text."""

    root: Path = Path()
    """The folder of shipwheel.json; not a setting of the file."""


def load_settings(root: Path, env: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Settings:
    """The settings of `root`/shipwheel.json where it is there, `env` over them, and `given` (of a command line) over all.

    Raises:
        ModelError: mistakes, all of them.
    """
    path = root / FILE
    try:
        table = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    kinds = typing.get_type_hints(Settings)
    names = [each.name for each in fields(Settings) if each.name != "root"]
    values, wrong = dict[str, Any](), list[str]()
    for name in names:
        key = PREFIX + name.upper()
        if name in table:
            values[name] = _checked(kinds[name], table[name], f"{FILE}: {name}", wrong)
        for source in (*OTHER_NAMES.get(name, ()), key):
            if env.get(source, "") != "":
                values[name] = _checked(kinds[name], _parsed(kinds[name], env[source]), source, wrong)
    values |= given or {}
    wrong += [f"{FILE}: {name} is unknown" for name in table if name not in (*names, "format")]
    for name, allowed in _CHOICES.items():
        if values.get(name, allowed[0]) not in allowed:
            wrong.append(f"{name} must be one of {', '.join(allowed)}, not '{values[name]}'")
    if wrong:
        raise ModelError("; ".join(wrong), hint="correct these settings; each has a default")
    return replace(Settings(root=root), **values)


OTHER_NAMES = {
    "port": ("AIP_HTTP_PORT", "PORT"),
    "source": ("AIP_STORAGE_URI",),
    "health_route": ("AIP_HEALTH_ROUTE",),
    "predict_route": ("AIP_PREDICT_ROUTE",),
}
"""Names that platforms use; ours come first."""

_CHOICES = {
    "environment": CHECKS,
    "golden": CHECKS[1:],
    "delivery": ("bake", "download", "mount"),
    "log_format": ("json", "text"),
}


def _parsed(kind: Any, text: str) -> Any:
    """A value of the environment as JSON would have it; text stays text."""
    if kind is str:
        return text
    if kind is bool:
        return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}.get(
            text.lower(), text
        )
    try:
        return json.loads(text)
    except ValueError:
        return text


def _checked(kind: Any, value: Any, where: str, wrong: list[str]) -> Any:
    origin = typing.get_origin(kind)
    if kind is float and type(value) is int:
        value = float(value)
    if origin is tuple and isinstance(value, list):
        return tuple(value)
    expected = dict if origin is not None and issubclass(origin, Mapping) else kind
    if isinstance(expected, type) and type(value) is expected and not (isinstance(value, (int, float)) and value < 0):
        return value
    name = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}.get(
        expected, "a list"
    )
    wrong.append(f"{where} must be {name}, 0 or more" if expected in (int, float) else f"{where} must be {name}")
    return value
