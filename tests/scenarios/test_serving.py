"""Models as a user serves them: run waits until they are ready, build checks them, serve needs no container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

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
