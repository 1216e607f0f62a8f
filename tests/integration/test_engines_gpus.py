"""`--gpus` on Docker, Podman and runc, with devices of a made CDI specification, and without any."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.conftest import KINDS, Yard
from shipwheel.engines.find import Surroundings, find_engine
from shipwheel.engines.gpus import Gpus
from shipwheel.engines.spec import Limits, Port, Volume
from shipwheel.engines.wait import addresses, wait_until_answers
from shipwheel.errors import EngineError
from shipwheel.oci.copy import copy
from shipwheel.oci.image import RuntimeConfig
from shipwheel.oci.store import Store
from support.engines import engine_folder, need, start_docker, start_podman
from support.images import image

UUID = "GPU-520e01f2-cf30-6396-abef-e8e9a5233b0e"

MADE = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  deviceNodes: [{{path: /dev/nvidiactl, hostPath: /dev/null}}]
  mounts: [{{hostPath: {library}, containerPath: /usr/lib/libcuda.so.575.64.03, options: [ro, nosuid, nodev, bind]}}]
  hooks: [{{hookName: createContainer, path: {hook}, args: [hook, update-ldcache]}}]
devices:
- {{name: "0", containerEdits: {{deviceNodes: [{{path: /dev/nvidia0, hostPath: /dev/zero}}]}}}}
- {{name: "1", containerEdits: {{deviceNodes: [{{path: /dev/nvidia1, hostPath: /dev/zero}}]}}}}
- {{name: {uuid}, containerEdits: {{deviceNodes: [{{path: /dev/nvidia1, hostPath: /dev/zero}}]}}}}
- name: all
  containerEdits: {{deviceNodes: [{{path: /dev/nvidia0, hostPath: /dev/zero}}, {{path: /dev/nvidia1, hostPath: /dev/zero}}]}}
"""
"""As NVIDIA's toolkit writes it, with devices that every machine has."""

STALE = """\
cdiVersion: 0.5.0
kind: stale.example.com/gpu
devices:
- {name: "0", containerEdits: {deviceNodes: [{path: /dev/gone}]}}
- {name: "1", containerEdits: {mounts: [{hostPath: /opt/gone.so, containerPath: /usr/lib/gone.so, options: [ro, bind]}]}}
- {name: "2", containerEdits: {hooks: [{hookName: createContainer, path: /opt/gone-hook}]}}
"""
"""Of a driver and a toolkit that are no longer there."""

HOOK = """\
#!{python} -I
import json, pathlib, sys
bundle = pathlib.Path(json.load(sys.stdin)["bundle"])
root = bundle / json.loads((bundle / "config.json").read_text())["root"]["path"]
(root / "app" / "hooked").write_text(" ".join(sys.argv[1:]))
"""
"""Writes into the container's root, which it finds as NVIDIA's hooks do."""

SLEEP = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")


@pytest.fixture(scope="module")
def devices() -> Iterator[Path]:
    """A folder of CDI specifications, with what they name beside it."""
    folder = engine_folder()
    (folder / "cdi").mkdir()
    hook, library = folder / "hook", folder / "library"
    hook.write_text(HOOK.format(python=sys.executable))
    hook.chmod(0o755)
    library.write_text("a library\n")
    (folder / "cdi" / "nvidia.yaml").write_text(MADE.format(hook=hook, library=library, uuid=UUID))
    (folder / "cdi" / "stale.yaml").write_text(STALE)
    yield folder / "cdi"
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=KINDS)
def surroundings(request: pytest.FixtureRequest, devices: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """An engine with those devices, and the environment that leads to it."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "CONTAINER_"))}
    if request.param == "runc":
        need("runc", "runc")
        yield "runc", {**own, "XDG_CONFIG_HOME": str(devices.parent)}
        return
    folder = engine_folder()
    if request.param == "docker":
        need("docker", "dockerd", "ip")
        settings = folder / "daemon.json"
        settings.write_text(json.dumps({"features": {"cdi": True}, "cdi-spec-dirs": [str(devices)]}))
        engine = start_docker(folder, flags=("--config-file", str(settings)))
    else:
        need("podman", "podman", "runc", "unshare")
        engine = start_podman(folder, devices=devices)
    yield request.param, {**own, **engine.environment}
    engine.stop()


@pytest.fixture
def gpu_yard(surroundings: tuple[str, dict[str, str]], tmp_path: Path) -> Iterator[Yard]:
    """That engine; what a test leaves running is removed."""
    kind, environment = surroundings
    where = Surroundings(home=tmp_path / "home", environment=environment)
    with find_engine(kind, where) as engine:
        yield Yard(engine=engine, where=where)
        for container in engine.containers():
            container.remove()


def output(container: Any, script: str) -> str:
    pieces: list[bytes] = []
    assert container.exec(("sh", "-c", script), pieces.append) == 0, pieces
    return b"".join(pieces).decode().strip()


def plain(**labels: str) -> Any:
    env = {"PATH": "/usr/bin:/bin", "NVIDIA_VISIBLE_DEVICES": "all"}
    return image(config=RuntimeConfig(cmd=SLEEP, user="1000:0", working_dir="/app", env=env, labels=labels))


def test_devices_libraries_variables_and_hooks_reach_the_container(gpu_yard: Yard) -> None:
    container = gpu_yard.run(plain(), gpus=Gpus())
    assert output(container, "cd /dev; echo nvidia*") == "nvidia0 nvidia1 nvidiactl"
    assert output(container, "dd if=/dev/nvidia0 bs=4 count=1 2>/dev/null; id -u").strip("\0") == "1000"
    assert output(container, "cat /usr/lib/libcuda.so.575.64.03 /app/hooked") == "a library\nupdate-ldcache"
    assert "NVIDIA_VISIBLE_DEVICES=void" in output(container, "cat /proc/1/environ")
    assert container.state().gpus == "all"


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        (Gpus(count=1), "nvidia0 nvidiactl"),
        (Gpus(devices=("1",)), "nvidia1 nvidiactl"),
        (Gpus(devices=(UUID,)), "nvidia1 nvidiactl"),
        (Gpus(devices=("0", "1")), "nvidia0 nvidia1 nvidiactl"),
        (None, "nvidia*"),
    ],
)
def test_only_what_is_selected_is_there(gpu_yard: Yard, gpus: Gpus | None, expected: str) -> None:
    assert output(gpu_yard.run(plain(), gpus=gpus), "cd /dev; echo nvidia*") == expected


def test_the_other_flags_mean_the_same_with_gpus(gpu_yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("from outside")
    volumes = (Volume(source=str(tmp_path / "data"), target="/data", read_only=True), Volume(source="cache", target="/cache"))
    container = gpu_yard.run(
        image(), gpus=Gpus(), ports=(Port(container=8000, ip="127.0.0.1"),), env={"A": "b"}, volumes=volumes, user="1001:0",
        limits=Limits(memory=64 << 20, shm_size=32 << 20, cpus=0.5), read_only=True,
    )  # fmt: skip
    state = wait_until_answers(container, addresses(container.state()), 20)
    assert [(port.ip, port.container) for port in state.ports] == [("127.0.0.1", 8000)]
    assert (state.image, state.memory) == ("yard/test:1", 64 << 20)
    assert output(container, "cat /data/x; echo $A $GREETING; id -u; id -g") == "from outsideb hello\n1001\n0"
    assert output(container, "touch /data/y /usr/x 2>/dev/null || touch /tmp/x && echo safe") == "safe"
    assert " 32768 " in output(container, "df -k /dev/shm | tail -n1")
    assert output(container, "grep NoNewPrivs /proc/1/status").split() == ["NoNewPrivs:", "1"]
    assert output(container, "grep CapBnd /proc/1/status")[-8:] in ("800405fb", "a80425fb")


def test_a_gpu_that_is_not_there_is_named(gpu_yard: Yard) -> None:
    with pytest.raises(EngineError, match=r"offers no GPU '(nvidia\.com/gpu=)?7'") as caught:
        gpu_yard.run(plain(), gpus=Gpus(devices=("7",)))
    assert "nvidia-ctk" in caught.value.hint
    assert gpu_yard.engine.containers() == []


@pytest.mark.parametrize(("name", "path"), [("0", "/dev/gone"), ("1", "/opt/gone.so"), ("2", "/opt/gone-hook")])
def test_what_a_specification_names_and_is_gone_is_told(gpu_yard: Yard, name: str, path: str) -> None:
    with pytest.raises(EngineError, match=rf"{path}'? is not on the machine|names {path}, which is no device") as caught:
        gpu_yard.run(plain(), gpus=Gpus(devices=(name,), kind="stale.example.com/gpu"))
    assert "nvidia-ctk cdi generate" in f"{caught.value.message} {caught.value.hint}"
    assert gpu_yard.engine.containers() == []


def test_without_gpus_a_sentence_says_so_and_how_to_get_them(yard: Yard) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError, match="GPU") as caught:
        yard.run(plain(), gpus=Gpus())
    assert "\n" not in caught.value.message
    assert "NVIDIA Container Toolkit" in caught.value.hint
    assert "leave out --gpus" in caught.value.hint
    assert yard.engine.containers() == []


MAIN = "from shipwheel.cli.main import main; main()"


def test_run_tells_what_the_image_says_and_gives_what_it_asks_for(gpu_yard: Yard) -> None:
    labels = {"dev.shipwheel.cuda": "12.6", "dev.shipwheel.shm-size": "96m"}
    copy(plain(**labels), Store(gpu_yard.where.home), "cuda:latest")
    environment = {**gpu_yard.where.environment, "SHIPWHEEL_HOME": str(gpu_yard.where.home)}

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        script = "cd /dev; echo nvidia*; df -k /dev/shm | tail -n1"
        words = ("run", "cuda", "--engine", gpu_yard.engine.kind, *flags, "--", "sh", "-c", script)
        command = [sys.executable, "-W", "error", "-c", MAIN, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    without = run()
    assert "it holds CUDA 12.6; --gpus all gives it the GPUs" in without.stderr
    assert "nvidia*" in without.stdout
    given = run("--gpus", "device=1", "--memory", "128m")
    assert (given.returncode, "CUDA" in given.stderr) == (0, False), given.stderr
    assert "nvidia1 nvidiactl" in given.stdout
    assert (" 98304 " in without.stdout, " 65536 " in given.stdout) == (True, True)
