"""From `docker run` to the first 200."""

from __future__ import annotations

import time
import urllib.request
from contextlib import suppress

from engine import Engine

PORT = 8000
PATH = "/ready"
WITHIN = 60
"""Seconds that a service may take."""

POLL = 0.005
"""Seconds between two questions."""


def start_seconds(engine: Engine, image: str) -> float:
    """Run the image as it is, ask it until it answers 200, take it away again."""
    begun = time.perf_counter()
    container = engine.docker("run", "--detach", image).strip()
    try:
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = engine.docker("inspect", "--format", shown, container).strip()
        while time.perf_counter() - begun < WITHIN:
            with suppress(OSError), urllib.request.urlopen(f"http://{address}:{PORT}{PATH}", timeout=5) as answer:
                if answer.status == 200:
                    return time.perf_counter() - begun
            time.sleep(POLL)
        raise SystemExit(f"{image} did not answer within {WITHIN} s:\n{engine.docker('logs', container)}")
    finally:
        engine.docker("rm", "--force", container)
