"""A model that is not in the image: mounted, or downloaded at start; the lock vouches for it all the same."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.engines import free_port
from support.ship import Ship

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.runc, pytest.mark.usefixtures("runc_present")]

TRAIN = """
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from shipwheel_serve import bundle
inputs, labels = load_iris(return_X_y=True)
bundle.save("model", LogisticRegression(max_iter=500).fit(inputs, labels), inputs=inputs, name="iris")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A bundle, and what it needs: the next build may be where no model is."""
    folder = tmp_path / "iris"
    folder.mkdir()
    subprocess.run([sys.executable, "-W", "ignore", "-c", TRAIN], cwd=folder, check=True)
    (folder / "requirements.txt").write_text("scikit-learn\n")
    return folder


@pytest.fixture
def shop(project: Path, tmp_path: Path) -> Iterator[str]:
    """A web server with the bundle as it was trained; its address."""
    shutil.copytree(project / "model", tmp_path / "shop" / "iris")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "shop"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/iris"
        server.shutdown()


def ask(port: int) -> object:
    body = json.dumps({"inputs": [[5.1, 3.5, 1.4, 0.2]]}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/predict", body, timeout=10) as answer:
        return json.load(answer)


def test_a_mounted_model_is_served_and_another_in_its_place_is_refused(docked: Ship, project: Path) -> None:
    (project / "shipwheel.toml").write_text('[serve]\ndelivery = "mount"\n')
    docked("lock", project)
    (verdict,) = docked.build(project)["verified"]
    assert verdict["state"] == "skipped"
    port = free_port()
    words = ("run", project, "-d", "--engine", "runc", "-p", f"{port}:8080", "--name", "iris")
    docked(*words)
    assert ask(port) == {"predictions": [0]}
    docked("stop", "iris", "--engine", "runc")
    assert '"exit_code": 0' in docked("ps", "--all", "--json", "--engine", "runc").out
    docked("rm", "iris", "--engine", "runc")
    (project / "model" / "model.skops").write_bytes(b"another")
    where = ("-p", f"{port}:8080", "-v", f"{project / 'model'}:/mnt/models:ro")
    said = docked.fails(8, "run", "iris", "-d", "--engine", "runc", *where, "--name", "other")
    assert "model.skops" in said.error
    docked("rm", "other", "--engine", "runc", "--force")


def test_a_downloaded_model_is_ready_afterwards(docked: Ship, project: Path, shop: str) -> None:
    (project / "shipwheel.toml").write_text(f'[serve]\ndelivery = "download"\nsource = "{shop}"\n')
    docked("lock", project)
    shutil.rmtree(project / "model")
    docked("build", project)
    port = free_port()
    docked(
        "run",
        "iris",
        "-d",
        "--engine",
        "runc",
        "--network",
        "host",
        "-e",
        f"PORT={port}",
        "-p",
        f"{port}:{port}",
        "--name",
        "far",
    )
    assert ask(port) == {"predictions": [0]}
    assert "MB" in docked("logs", "far", "--engine", "runc").out
    docked("stop", "far", "--engine", "runc")
    docked("rm", "far", "--engine", "runc")
