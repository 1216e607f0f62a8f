"""Where the user's files lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def user_home(env: Mapping[str, str]) -> Path:
    """HOME, else what the system says; / for a number without a name, as in containers."""
    try:
        return Path(env["HOME"]) if env.get("HOME") else Path.home()
    except RuntimeError:
        return Path("/")
