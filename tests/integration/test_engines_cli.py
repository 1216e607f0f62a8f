"""run, ps, logs, exec, stop and rm as a user types them, on each engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from shipwheel.oci.copy import copy
from shipwheel.oci.image import RuntimeConfig
from shipwheel.oci.store import Store
from support.engines import free_port
from support.images import image

MAIN = "from shipwheel.cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where shipwheel is typed."""

    yard: Any
    environment: dict[str, str]
    own_port: int

    @property
    def kind(self) -> str:
        return str(self.yard.engine.kind)

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-c", MAIN, *words]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __call__(self, *words: str, status: int = 0) -> tuple[str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, (words, out, err)
        return out, err


@pytest.fixture
def sw(yard: Any) -> Shell:
    port = free_port()
    serves = RuntimeConfig(
        cmd=("httpd", "-f", "-v", "-p", str(port), "-h", "/app"), ports=(port,), user="1000:0", env={"PATH": "/usr/bin"}
    )
    copy(image(config=serves), Store(yard.where.home), "web:latest")
    return Shell(yard=yard, own_port=port, environment={**yard.where.environment, "SHIPWHEEL_HOME": str(yard.where.home)})


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        text: str = answer.read().decode()
        return text


def test_the_life_of_a_container(sw: Shell) -> None:
    port = free_port()
    name, talk = sw("run", "web", "-d", "-p", f"{port}:{sw.own_port}", "--engine", sw.kind, "-e", "A=b", "--name", "life")
    assert name == "life\n"
    assert f"http://127.0.0.1:{port}" in talk
    assert get(port) == "hello from the container\n"
    listed = json.loads(sw("ps", "--json", "--engine", sw.kind)[0])
    assert [(each["name"], each["image"], each["engine"]) for each in listed] == [("life", "web:latest", sw.kind)]
    assert "life" in sw("ps", "--engine", sw.kind)[0]
    assert sw("exec", "--engine", sw.kind, "life", "sh", "-c", "echo $A; exit 9", status=9)[0] == "b\n"
    assert "response:200" in sw("logs", "life", "--engine", sw.kind)[0]
    assert "runs" in sw("rm", "life", "--engine", sw.kind, status=2)[1]
    sw("stop", "life", "--engine", sw.kind, "--time", "1")
    assert "life" not in sw("ps", "--engine", sw.kind)[0]
    assert "ended" in sw("ps", "--all", "--engine", sw.kind)[0]
    sw("rm", "life", "--engine", sw.kind)
    assert "no container is named 'life'" in sw("logs", "life", "--engine", sw.kind, status=8)[1]


def test_ctrl_c_stops_and_removes_what_runs_in_the_foreground(sw: Shell) -> None:
    script = "trap 'echo stopping; exit 0' INT TERM; echo started; while :; do sleep 0.05; done"
    process = sw.start("run", "web", "--engine", sw.kind, "--network", "none", "--", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "stopping" in out
    assert sw.yard.engine.containers() == []


def test_arguments_behind_two_dashes_replace_the_command(sw: Shell) -> None:
    out, _ = sw("run", "web", "--engine", sw.kind, "--network", "none", "--", "echo", "-n", "instead")
    assert out.strip() == "instead"
    assert sw.yard.engine.containers() == []


def test_a_death_in_the_foreground_is_told_in_a_sentence(sw: Shell) -> None:
    script = "echo \"ModuleNotFoundError: No module named 'torch'\"; exit 1"
    out, err = sw("run", "web", "--engine", sw.kind, "-p", f"{free_port()}:{sw.own_port}", "--", "sh", "-c", script, status=8)
    assert "ModuleNotFoundError" in out
    assert "error: container" in err
    assert "died: the module 'torch' is missing in the image" in err
    assert sw.yard.engine.containers() == []


def test_a_death_in_the_background_shows_the_last_lines(sw: Shell) -> None:
    out, err = sw(
        "run", "web", "-d", "--engine", sw.kind, "--name", "dead", "--", "sh", "-c", "echo last words; exit 4", status=8
    )
    assert out == ""
    assert "| last words" in err
    assert "exit code 4" in err
    assert "last words" in sw("logs", "dead", "--engine", sw.kind)[0]


def test_an_images_own_port_is_published_on_the_loopback(sw: Shell) -> None:
    sw("run", "web", "-d", "--engine", sw.kind, "--name", "own")
    ports = json.loads(sw("ps", "--json", "--engine", sw.kind)[0])[0]["ports"]
    assert ports == [{"host": sw.own_port, "container": sw.own_port, "ip": "127.0.0.1"}]
    assert get(sw.own_port) == "hello from the container\n"


def test_mistakes_in_flags_are_named_before_anything_starts(sw: Shell, tmp_path: Path) -> None:
    for words, expected in (
        (["-p", "80:x"], "-p '80:x' is not a port"),
        (["-v", "data"], "-v 'data' is not a volume"),
        (["-v", f"{tmp_path}/nowhere:/data"], "does not exist"),
        (["--memory", "much"], "--memory 'much' is not a size"),
        (["--name", "a b"], "'a b' is not a container name"),
        (["-e", "=x"], "names no variable"),
        (["--gpus", "some"], "--gpus: 'some' selects no GPUs"),
        (["--gpus", "1", "-e", "CUDA_VISIBLE_DEVICES=0"], "exclude each other"),
    ):
        assert expected in sw("run", "web", "-d", "--engine", sw.kind, *words, status=2)[1]
    assert sw.yard.engine.containers() == []


def test_an_engine_that_is_absent_is_named_with_what_was_tried(sw: Shell) -> None:
    environment = {
        **sw.environment,
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "CONTAINER_HOST": "unix:///nowhere/podman.sock",
    }
    lost = replace(sw, environment=environment)
    for kind in ("docker", "podman"):
        _, err = lost("run", "web", "--engine", kind, status=8)
        assert f"unix:///nowhere/{kind}.sock" in err
        assert "no such file" in err
        assert "hint:" in err


@pytest.mark.podman
def test_podman_without_a_service_gets_one_for_the_time_of_the_command(podman_engine: Any, tmp_path: Path) -> None:
    environment = {**os.environ, **podman_engine.environment, "SHIPWHEEL_HOME": str(tmp_path)}
    environment.pop("CONTAINER_HOST")
    copy(image(), Store(tmp_path), "web:latest")
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", MAIN, "run", "web", "--engine", "podman", "--network=none", "--", "echo", "hi"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (out.returncode, out.stdout) == (0, "hi\n"), out.stderr
