"""What only runc's own engine has to get right: layers, mounts, its supervisor, its proxy, users without root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shipwheel
from shipwheel.engines.spec import Port
from shipwheel.engines.wait import addresses, wait_until_answers
from shipwheel.errors import EngineAbsentError, EngineError
from shipwheel.oci.tree import Entry
from support.engines import need
from support.images import image, layer

pytestmark = pytest.mark.runc

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")


def status(container: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((container.folder.path / "status.json").read_text())
    return found


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_as_many_layers_as_an_image_may_have(runc_yard: Any) -> None:
    layers = [
        layer([Entry.data(f"app/{number:03}", b"x"), Entry.data("app/top", str(number).encode())]) for number in range(124)
    ]
    container = runc_yard.run(image(*layers), command=("sh", "-c", "ls /app | head -n 200; cat /app/top"))
    text = b"".join(container.logs(follow=True)).decode().splitlines()
    assert text[-1].endswith("123")
    assert {f"{number:03}" for number in range(124)} <= set(text)


def test_layers_are_unpacked_once_and_never_written(runc_yard: Any) -> None:
    shared = layer([Entry.data("app/shared", b"as it was")])
    first = runc_yard.run(image(shared), user="0", command=("sh", "-c", "echo changed > /app/shared; cat /app/shared"))
    assert b"".join(first.logs(follow=True)) == b"changed\n"
    unpacked = runc_yard.where.home / "unpacked"
    before = sorted(unpacked.iterdir())
    second = runc_yard.run(image(shared, layer([Entry.data("app/x", b"")])), command=("cat", "/app/shared"))
    assert b"".join(second.logs(follow=True)) == b"as it was"
    assert len(list(unpacked.iterdir())) == len(before) + 1


def test_nothing_is_mounted_outside_and_nothing_is_left(runc_yard: Any) -> None:
    container = runc_yard.run(image(cmd=FOREVER))
    home = str(runc_yard.where.home)
    assert home not in Path("/proc/self/mountinfo").read_text()
    pids = [status(container)["pid"], status(container)["supervisor"]]
    container.stop()
    assert all(gone(pid) for pid in pids)
    container.remove()
    assert not list((runc_yard.where.home / "runc" / "containers").iterdir())
    assert not list((runc_yard.where.home / "runc" / "state").iterdir())


def test_a_killed_supervisor_breaks_nothing(runc_yard: Any) -> None:
    container = runc_yard.run(image(cmd=FOREVER))
    told = status(container)
    helpers = children(told["supervisor"])
    os.kill(told["supervisor"], signal.SIGKILL)
    assert gone(told["supervisor"])
    assert all(gone(each) for each in helpers if each != told["pid"])
    assert container.state().running, "the container itself lives on"
    container.stop()
    state = container.state()
    assert (state.running, state.exit_code) == (False, 137)
    container.remove()
    assert gone(told["pid"])
    assert str(runc_yard.where.home) not in Path("/proc/self/mountinfo").read_text()
    again = runc_yard.run(image(cmd=FOREVER), name=container.name)
    assert again.state().running


def test_a_process_without_a_handler_is_not_waited_for(runc_yard: Any) -> None:
    container = runc_yard.run(image(), command=("sleep", "1000"))
    began = time.monotonic()
    container.stop(within=10)
    assert time.monotonic() - began < 5


def test_many_connections_at_once_and_large_answers_pass_the_proxy(runc_yard: Any) -> None:
    big = layer([Entry.data("app/big", os.urandom(1 << 20) * 4)])
    container = runc_yard.run(image(big), ports=(Port(container=8000),))
    where = addresses(wait_until_answers(container, addresses(container.state()), 20))[0]
    sizes: list[int] = []

    def get() -> None:
        with urllib.request.urlopen(f"{where}/big") as answer:
            sizes.append(len(answer.read()))

    threads = [threading.Thread(target=get) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [4 << 20] * 20


def test_the_proxy_listens_on_both_families(runc_yard: Any) -> None:
    container = runc_yard.run(image(), ports=(Port(container=8000),))
    state = wait_until_answers(container, addresses(container.state()), 20)
    with socket.create_connection(("::1", state.ports[0].host)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(5) == b"HTTP/"


def test_the_container_has_few_rights(runc_yard: Any) -> None:
    container = runc_yard.run(image(cmd=FOREVER), user="0")
    text: list[bytes] = []
    script = "grep -E 'CapEff|Seccomp:' /proc/self/status; mount -t tmpfs x /tmp 2>&1; hostname other 2>&1; ls /proc/scsi"
    container.exec(["sh", "-c", script], text.append)
    told = b"".join(text).decode()
    assert "CapEff:\t00000000800405fb" in told
    assert "Seccomp:\t2" in told
    assert told.lower().count("permission denied") + told.lower().count("not permitted") >= 2


def test_logs_carry_times_in_the_file(runc_yard: Any) -> None:
    container = runc_yard.run(image(), command=("echo", "hello"))
    b"".join(container.logs(follow=True))
    line = (container.folder.path / "log").read_text()
    assert line[10] == "T"
    assert line.endswith("+00:00 hello\n")


def test_without_runc_the_error_says_so(tmp_path: Path) -> None:
    from shipwheel.engines.find import Surroundings, find_engine

    (tmp_path / "bin").mkdir()
    where = Surroundings(home=tmp_path, environment={"PATH": str(tmp_path / "bin"), "DOCKER_HOST": f"unix://{tmp_path}/none"})
    with pytest.raises(EngineAbsentError, match="no runc program"), find_engine("runc", where):
        pass
    with (
        pytest.raises(EngineAbsentError, match=r"(?s)no engine to run images with.*Docker.*Podman.*runc"),
        find_engine(None, where),
    ):
        pass


ROOTLESS = """
import json, os, sys, urllib.request
from pathlib import Path
from shipwheel.engines.find import Surroundings, find_engine
from shipwheel.engines.gpus import Gpus
from shipwheel.engines.spec import Port, RunSpec
from shipwheel.engines.wait import addresses, wait_until_answers
from shipwheel.oci.copy import copy
from shipwheel.oci.layout import OciLayout
from shipwheel.oci.store import Store

home = Path(sys.argv[1])
with find_engine("runc", Surroundings(home=home, environment=os.environ)) as engine:
    copy(Store(home).resolve("rootless:1"), engine.target(), "rootless:1")
    container = engine.run(RunSpec(image="rootless:1", name="mine", ports=(Port(container=8000),), gpus=Gpus()))
    try:
        state = wait_until_answers(container, addresses(container.state()), 20)
        page = urllib.request.urlopen(str(addresses(state)[0])).read().decode()
        pieces = []
        script = "echo inside; touch /app/mine; dd if=/dev/nvidia0 count=1 of=/dev/null && exit 5"
        code = container.exec(["sh", "-c", script], pieces.append)
        container.stop()
        left = container.state()
    finally:
        container.remove()
    print(json.dumps({"uid": os.getuid(), "page": page, "said": b"".join(pieces).decode(), "code": code,
                      "running": left.running, "left": os.listdir(home / "runc" / "containers")}))
"""


GPU = """
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices: [{name: all, containerEdits: {deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/zero}]}}]
"""
"""Of the user's own folder; no GPU is needed for it."""


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[list[str]]:
    """A command prefix that runs Python with our packages as an unprivileged user, where that user may read them."""
    need("runc", "runc", "runuser", "unshare")
    folder = Path("/tmp") / f"shipwheel-rootless-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "cdi").mkdir()
    (folder / "cdi" / "made.yaml").write_text(GPU)
    packages = [str(Path(shipwheel.__file__).parents[1]), *(path for path in sys.path if "site-packages" in path)]
    prefix = ["runuser", "-u", "nobody", "--", "env", f"PYTHONPATH={os.pathsep.join(packages)}", f"HOME={folder}"]
    prefix.append(f"XDG_CONFIG_HOME={folder}")
    for python in (sys.executable, "/usr/bin/python3"):
        command = [*prefix, python]
        checks = [[*command, "-c", "import shipwheel.oci.layer"], [*prefix, "unshare", "--user", "--map-root-user", "true"]]
        if all(subprocess.run(each, capture_output=True, check=False, cwd=folder).returncode == 0 for each in checks):
            yield [*command, "-c", ROOTLESS, str(folder / "home")]
            break
    else:
        pytest.skip("no interpreter that an unprivileged user can run, or no user namespaces for one")
    shutil.rmtree(folder, ignore_errors=True)


def test_an_unprivileged_user_runs_containers_too(nobody: list[str]) -> None:
    from shipwheel.oci.copy import copy
    from shipwheel.oci.store import Store

    home = Path(nobody[-1])
    copy(image(), Store(home), "rootless:1")
    subprocess.run(["chown", "-R", "nobody", str(home)], check=True)
    done = subprocess.run(nobody, capture_output=True, text=True, check=False, cwd=home, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["uid"] != 0
    assert told["page"] == "hello from the container\n"
    assert (told["said"].splitlines()[0], told["code"]) == ("inside", 5), told
    assert (told["running"], told["left"]) == (False, [])


def test_limits_need_control_groups(runc_yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from shipwheel.engines.spec import Limits

    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(EngineError, match="cannot limit memory"):
        runc_yard.run(image(), limits=Limits(memory=1 << 20))
