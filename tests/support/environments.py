"""Virtual environments with exactly these versions, made by uv from the registry; each once for a run of the tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]

Environments = Callable[..., str]
"""From requirements to the path of a Python that has them, and the runtime."""


def environments(folder: Path) -> Environments:
    """Makes environments below `folder`; they stay there until the folder goes."""

    def make(*requirements: str) -> str:
        place = folder / hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:16]
        python = place / "bin" / "python"
        if not (place / "whole").exists():
            _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(place))
            _uv("pip", "install", "--quiet", "--python", str(python), *requirements, str(ROOT / "serve"))
            (place / "whole").touch()
        return str(python)

    return make


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).parent / "uv"
    links = {"UV_FIND_LINKS": os.environ["PIP_FIND_LINKS"]} if os.environ.get("PIP_FIND_LINKS") else {}
    subprocess.run([uv, *arguments], check=True, env={**os.environ, **links})
