"""Models as a user serves them: run waits until they are ready, build checks them, serve needs no container."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipwheel.cli.workshop import this_machine
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, RuntimeConfig
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Entry
from shipwheel.verify import LABEL
from support.engines import free_port
from support.images import image, layer
from support.ship import Ship

ANSWER = "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
"""What the stand-ins say to any request."""


def telling(port: int, *answers: tuple[int, dict[str, object]]) -> Image:
    """A stand-in for the runtime, which gives these answers one after the other, the last one for ever."""
    files = []
    for number, (status, told) in enumerate(answers):
        body = json.dumps(told)
        text = ANSWER.format(status=status, length=len(body), body=body)
        files.append(Entry.data(f"app/{number}", text.encode()))
    last = len(answers) - 1
    script = f"n=0; while :; do nc -l -p {port} </app/$n >/dev/null 2>&1; [ $n -lt {last} ] && n=$((n+1)); done"
    config = RuntimeConfig(
        cmd=("sh", "-c", script), ports=(port,), user="1000:0", env={"PATH": "/usr/bin"}, labels={LABEL: "1"}
    )
    return replace(image(layer(files), config=config), platform=this_machine())


@pytest.fixture
def shore(tmp_path: Path) -> Ship:
    """A user with runc and a store of their own."""
    return Ship.at(tmp_path)


@pytest.mark.runc
@pytest.mark.usefixtures("runc_present")
class TestRun:
    def start(self, ship: Ship, *answers: tuple[int, dict[str, object]]) -> tuple[str, ...]:
        copy(telling(free_port(), *answers), Store(ship.home), "wine:latest")
        return ("run", "wine", "--engine", "runc", "--name", "wine")

    def test_it_waits_until_the_model_is_ready_and_says_what_there_is_to_know(self, shore: Ship) -> None:
        words = self.start(
            shore,
            (503, {"state": "loading"}),
            (503, {"state": "checking"}),
            (200, {"state": "ready", "notes": ["the model has no golden answers"]}),
        )
        said = shore(*words, "-d")
        assert said.out == "wine\n"
        assert "wine: the model has no golden answers" in said.err
        assert "wine runs at http://127.0.0.1:" in said.err
        shore("stop", "wine", "--engine", "runc", "--time", "0")

    def test_a_model_that_never_will_be_ready_ends_it_at_once(self, shore: Ship) -> None:
        words = self.start(shore, (503, {"state": "failed", "reasons": ["pandas is 2.0.3, training had 1.5.3"]}))
        said = shore.fails(8, *words, "-d")
        assert said.error == "container 'wine' will not be ready\n  pandas is 2.0.3, training had 1.5.3"
        assert "'shipwheel rm wine' removes it" in said.err
        assert "wine" in shore("ps", "--all", "--engine", "runc").out
        shore("stop", "wine", "--engine", "runc", "--time", "0")
        shore("rm", "wine", "--engine", "runc")

    def test_in_the_foreground_nothing_is_left_of_it(self, shore: Ship) -> None:
        words = self.start(shore, (503, {"state": "failed", "reasons": ["day: largest error 11"]}))
        assert "day: largest error 11" in shore.fails(8, *words).error
        assert "wine" not in shore("ps", "--all", "--engine", "runc").out

    def test_another_command_of_that_image_is_no_service_of_the_runtime(self, shore: Ship) -> None:
        words = self.start(shore, (503, {"state": "failed"}))
        assert "hello" in shore(*words, "--network", "none", "--", "echo", "hello").out


TRAIN = """\
import sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from shipwheel_serve import bundle
inputs, labels = load_iris(return_X_y=True)
bundle.save(sys.argv[1], LogisticRegression(max_iter=500).fit(inputs, labels), inputs=inputs, name="iris")
"""


def spoil(bundle: Path) -> None:
    """Other golden answers, in a bundle whose hashes are right."""
    path = bundle / "golden" / "response.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    about = json.loads((bundle / "bundle.json").read_text())
    about["files"]["golden/response.json"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(about))


def ready(port: int, process: subprocess.Popen[str]) -> dict[str, Any]:
    """What /ready says once it says 200, or that it never will."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            told = dict(json.load(error))
            if told["state"] == "failed":
                return told
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is nothing but a bundle."""
    folder = tmp_path_factory.mktemp("iris")
    subprocess.run([sys.executable, "-W", "ignore", "-c", TRAIN, folder / "model"], check=True)
    return folder


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.runc
@pytest.mark.usefixtures("runc_present")
def test_a_model_is_checked_in_its_image_before_that_gets_its_name(docked: Ship, iris: Path, tmp_path: Path) -> None:
    project = shutil.copytree(iris, tmp_path / "iris")
    (verdict,) = docked.build(project)["verified"]
    assert (verdict["state"], verdict["rows"], verdict["max_error"]) == ("passed", 32, 0.0)
    said = docked("build", project)
    assert "verified: 32 golden rows, largest error 0" in said.err
    assert "checking" not in said.err  # it is remembered
    digest = docked.build(project)["digest"]

    spoil(project / "model")
    docked("lock", project)
    said = docked.fails(9, "build", project)
    assert "iris:latest would never be ready" in said.error
    assert "output 'output' differs" in said.error
    assert str(docked.image("iris:latest").manifest.digest) == digest
    docked("build", project, "--no-verify")
    said = docked.fails(8, "run", "iris", "--engine", "runc", "-p", f"{free_port()}:8080")
    assert "will not be ready" in said.error


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("target", [".", "model", "model/model.skops"])
def test_serve_needs_no_container(shore: Ship, iris: Path, tmp_path: Path, target: str) -> None:
    project = shutil.copytree(iris, tmp_path / "iris")
    port = free_port()
    with shore.start("serve", target, "--port", port, cwd=project) as process:
        told = ready(port, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert told["state"] == "ready"
    assert told["golden"] == ("absent" if target.endswith("skops") else "passed")
    assert process.returncode in (0, 130)
    assert "installing" in err
    assert "Traceback" not in err


def test_serve_takes_an_interpreter_as_it_is(shore: Ship, tmp_path: Path) -> None:
    text = "class Double:\n    def load(self, *_):\n        pass\n\n    def predict(self, rows):\n        return rows * 2\n"
    (tmp_path / "own.py").write_text(text)
    port = free_port()
    with shore.start("serve", "own:Double", "--port", port, "--python", sys.executable, cwd=tmp_path) as process:
        told = ready(port, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert told["state"] == "ready", told
    assert process.returncode in (0, 130)
    assert "Traceback" not in err
