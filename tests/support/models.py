"""Bundles in form only: bundle.json and files that no library could load, for tests of what ships them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from support.wheels import make_wheel

PACKAGES = {"alpha": "1.0", "numpy": "1.26.4"}


def bundle_files(place: str = "model", *, weights: str = "weights", **keys: object) -> dict[str, str]:
    """The files of a bundle of format 1 in the folder `place`, as texts by path; `keys` go over those of its bundle.json."""
    files = {"model.skops": weights, "golden/request.json": "[]"}
    listed = {name: {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text)} for name, text in files.items()}
    table = {
        "format": 1,
        "name": "demo",
        "library": "scikit-learn",
        "model": {"format": "skops", "path": "model.skops"},
        "files": listed,
        "environment": {"python": "3.11.7", "packages": PACKAGES},
        **keys,
    }
    start = f"{place}/" if place else ""
    return {f"{start}{name}": text for name, text in {"bundle.json": json.dumps(table), **files}.items()}


def write_files(root: Path, files: Mapping[str, str]) -> Path:
    """Write texts below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def stock_runtime(shelf: Path) -> None:
    """Put small wheels of what the runtime needs onto a shelf: numpy in two versions, the rest in one, too new for doubt."""
    for name in ("httptools", "nvidia_ml_py", "orjson", "prometheus_client", "uvicorn", "uvloop", "skops", "fsspec", "aiohttp"):
        make_wheel(shelf, name, "9999.0")
    for version in ("1.26.4", "2.1.0"):
        make_wheel(shelf, "numpy", version)
