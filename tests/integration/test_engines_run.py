"""Containers behave the same on Docker, Podman and runc."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipwheel.engines.engine import Container
from shipwheel.engines.spec import Limits, Port, Volume
from shipwheel.engines.wait import addresses, check_end, wait_until_answers
from shipwheel.errors import ContainerError, EngineError, UsageError
from support.engines import free_port
from support.images import image

SLEEPER = ("sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
"""A service that ends on SIGTERM."""


def output(container: Container, *command: str) -> str:
    pieces: list[bytes] = []
    assert container.exec(command, pieces.append) == 0, pieces
    return b"".join(pieces).decode().strip()


def wait_for(condition: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def said(container: Container) -> str:
    return b"".join(container.logs()).decode()


def test_a_service_answers_logs_and_stops(yard: Any) -> None:
    container = yard.run(image(), ports=(Port(container=8000),))
    state = wait_until_answers(container, addresses(container.state()), 20)
    where = addresses(state)[0]
    with urllib.request.urlopen(f"{where}/index.html") as answer:
        assert answer.read() == b"hello from the container\n"
    assert output(container, "echo", "inside") == "inside"
    assert container.exec(["sh", "-c", "exit 7"], lambda _: None) == 7
    wait_for(lambda: "response:200" in said(container))
    assert [each.name for each in yard.engine.containers()] == [container.name]
    container.stop(within=1)
    assert not container.state().running
    container.remove()
    assert yard.engine.containers() == []


def test_the_stop_signal_is_heeded_before_the_kill(yard: Any) -> None:
    container = yard.run(image(cmd=SLEEPER))
    wait_for(lambda: "ready" in said(container))
    began = time.monotonic()
    container.stop()
    assert time.monotonic() - began < 5
    assert container.state().exit_code == 0
    assert said(container) == "ready\nbye\n"


def test_a_command_that_ends_well_is_no_error_without_a_port(yard: Any) -> None:
    container = yard.run(image(), command=("echo", "done"))
    state = wait_until_answers(container, ())
    assert state.exit_code == 0 or not wait_for(lambda: not container.state().running)
    assert said(container) == "done\n"


def test_following_a_log_ends_with_the_container(yard: Any) -> None:
    container = yard.run(image(), command=("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done; echo end >&2"))
    assert b"".join(container.logs(follow=True)).decode().strip() == "1\n2\n3\nend"
    assert b"".join(container.logs(tail=2)).decode().strip() == "3\nend"


@pytest.mark.parametrize(
    ("flags", "command", "expected"),
    [
        ({}, ("env",), "GREETING=hello"),
        ({"env": {"GREETING": "hi there"}}, ("env",), "GREETING=hi there"),
        ({}, ("id", "-u"), "1000"),
        ({"user": "0"}, ("id", "-u"), "0"),
        ({"user": "worker"}, ("id", "-u"), "1000"),
        ({"user": "31337:0"}, ("sh", "-c", "id -u; id -g"), "31337\n0"),
        ({}, ("pwd",), "/app"),
        ({"limits": Limits(shm_size=32 << 20)}, ("sh", "-c", "df -k /dev/shm | tail -n1"), " 32768 "),
        ({}, ("sh", "-c", "df -k /dev/shm | tail -n1"), " 65536 "),
        ({"read_only": True}, ("sh", "-c", "touch /tmp/x && echo writable"), "writable"),
        ({"network": "none"}, ("sh", "-c", "ip -o link | grep -v lo: | grep -c UP || true"), "0"),
        ({}, ("grep", "NoNewPrivs", "/proc/1/status"), "1"),
    ],
)
def test_flags_mean_the_same(yard: Any, flags: dict[str, Any], command: tuple[str, ...], expected: str) -> None:
    container = yard.run(image(cmd=SLEEPER), **flags)
    assert expected in output(container, *command)


def test_limits_reach_the_control_group(yard: Any) -> None:
    container = yard.run(image(cmd=SLEEPER), limits=Limits(memory=64 << 20, cpus=0.5))
    script = (
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu.max"
        " /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; true"
    )
    told = output(container, "sh", "-c", script)
    assert str(64 << 20) in told
    assert "50000" in told


def test_volumes_are_seen_and_read_only_ones_protected(yard: Any, tmp_path: Path) -> None:
    for name in ("data", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    (tmp_path / "data" / "x").write_text("from outside")
    volumes = (
        Volume(source=str(tmp_path / "data"), target="/data", read_only=True),
        Volume(source=str(tmp_path / "out"), target="/out"),
        Volume(source="yard-cache", target="/cache"),
    )
    container = yard.run(image(cmd=SLEEPER), volumes=volumes, user="0")
    assert output(container, "cat", "/data/x") == "from outside"
    assert "safe" in output(container, "sh", "-c", "touch /data/y 2>/dev/null || echo safe")
    output(container, "sh", "-c", "echo made > /out/z; echo kept > /cache/k")
    assert (tmp_path / "out" / "z").read_text() == "made\n"
    container.remove()
    again = yard.run(image(cmd=SLEEPER), volumes=volumes[2:])
    assert output(again, "cat", "/cache/k") == "kept"


def test_the_network_of_the_host_is_shared_on_request(yard: Any) -> None:
    port = free_port()
    command = ("httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/app")
    container = yard.run(image(cmd=command), network="host", ports=(Port(container=port),))
    state = wait_until_answers(container, addresses(container.state()), 20)
    assert [(each.host, each.container) for each in state.ports] == [(port, port)]


def test_a_port_is_published_on_the_address_asked_for(yard: Any) -> None:
    port = free_port()
    container = yard.run(image(), ports=(Port(container=8000, host=port, ip="127.0.0.1"),))
    wait_until_answers(container, addresses(container.state()), 20)
    assert [(each.ip, each.host) for each in container.state().ports] == [("127.0.0.1", port)]


def failure(yard: Any, command: tuple[str, ...], **flags: Any) -> ContainerError:
    """Of a container that should die, at its start or soon after."""
    with pytest.raises(ContainerError) as caught:
        _run_to_the_end(yard, command, **flags)
    return caught.value


def _run_to_the_end(yard: Any, command: tuple[str, ...], **flags: Any) -> None:
    container = yard.run(image(), command=command, **flags)
    wait_for(lambda: not container.state().running)
    check_end(container)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo \"ModuleNotFoundError: No module named 'lightgbm'\" >&2; exit 1",
            "the module 'lightgbm' is missing in the image",
        ),
        ("exit 3", "exit code 3"),
        ("kill -s SEGV $$; sleep 1; exit 139", "ended by SIGSEGV (exit code 139)"),
        ("touch /usr/x", "it may not touch '/usr/x': permission denied"),
        ("echo \"PermissionError: [Errno 13] Permission denied: '/app/cache'\"; exit 1", "it may not touch '/app/cache'"),
        ("no-such-program", "not found"),
    ],
)
def test_the_reason_of_a_death_is_one_sentence(yard: Any, script: str, sentence: str) -> None:
    error = failure(yard, ("sh", "-c", script))
    assert sentence in error.message or sentence in str(error.fields["log"])
    assert "\n" not in error.message


def test_a_write_to_a_read_only_root_is_named(yard: Any) -> None:
    error = failure(yard, ("sh", "-c", "touch /usr/x"), user="0", read_only=True)
    assert "read-only" in error.message


def test_a_kill_for_memory_is_named(yard: Any) -> None:
    error = failure(yard, ("sh", "-c", "x=$(tail /dev/zero)"), limits=Limits(memory=24 << 20))
    assert "for memory" in error.message
    assert "--memory" in error.hint


def test_a_missing_command_is_named_and_leaves_nothing(yard: Any) -> None:
    error = failure(yard, ("nope", "--now"))
    assert "the command 'nope' is not in the image" in error.message
    assert yard.engine.containers() == []


def test_a_taken_port_is_named_and_leaves_nothing(yard: Any) -> None:
    import socket

    with socket.create_server(("0.0.0.0", 0)) as holder:
        port = holder.getsockname()[1]
        error = failure(yard, (), ports=(Port(container=8000, host=port),))
    assert f"port {port} is taken" in error.message
    assert "-p" in error.hint
    assert yard.engine.containers() == []


def test_a_service_that_ends_before_it_answers_is_an_error(yard: Any) -> None:
    container = yard.run(image(), command=("echo", "over already"), ports=(Port(container=8000),))
    with pytest.raises(ContainerError, match="before it answered") as caught:
        wait_until_answers(container, addresses(container.state()) or (_nowhere(),), 20)
    assert caught.value.fields["log"] == "over already\n"


def test_a_service_that_never_answers_is_an_error_with_a_hint(yard: Any) -> None:
    container = yard.run(image(cmd=SLEEPER), ports=(Port(container=8000),))
    with pytest.raises(ContainerError, match="nothing answers at") as caught:
        wait_until_answers(container, addresses(container.state()), 0.5)
    assert "0.0.0.0" in caught.value.hint


def test_a_name_is_given_once(yard: Any) -> None:
    yard.run(image(cmd=SLEEPER), name="only-one")
    with pytest.raises(UsageError, match="'only-one' exists"):
        yard.run(image(cmd=SLEEPER), name="only-one")


def test_an_unknown_image_is_named(yard: Any) -> None:
    from shipwheel.engines.spec import RunSpec

    with pytest.raises(EngineError, match="has no image 'yard/absent:9'"):
        yard.engine.run(RunSpec(image="yard/absent:9", name="nobody"))


def _nowhere() -> Any:
    from shipwheel.engines.wait import Address

    return Address(host="127.0.0.1", port=free_port())
