"""Project folders made of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"
REQUIREMENTS = "fastapi\nuvicorn\n"

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that writes a folder called demo: `make({"app.py": "..."})`; `bare=False` adds an app and requirements."""

    def write(files: Mapping[str, str | bytes], *, bare: bool = True) -> Path:
        root = tmp_path / "demo"
        root.mkdir(exist_ok=True)
        whole = dict(files) if bare else {"app.py": APP, "requirements.txt": REQUIREMENTS, **files}
        for name, content in whole.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write
