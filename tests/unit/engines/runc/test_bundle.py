"""config.json of a bundle, without running it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from shipwheel.engines.gpus import Gpus
from shipwheel.engines.runc.bundle import Setting, User, arguments, config_json
from shipwheel.engines.runc.places import ContainerFolder, ImageRecord, Places, Status
from shipwheel.engines.runc.proxy import listen
from shipwheel.engines.runc.rootfs import ensure_folder, find_user, remove_folder
from shipwheel.engines.spec import Limits, Port, RunSpec, Volume
from shipwheel.errors import EngineError

RECORD = ImageRecord(
    config={"Entrypoint": ["python"], "Cmd": ["-m", "app"], "Env": ["A=image", "B=image"], "WorkingDir": "/app"},
    diff_ids=("0",),
)


def config(*, uid: int = 1000, nested: bool = False, **flags: Any) -> dict[str, Any]:
    spec = RunSpec(image="app:1", name="app", **flags)
    setting = Setting(
        user=User(uid=uid, gid=0, home="/app"),
        cgroup="/shipwheel/app",
        files={"/etc/hosts": Path("/x/hosts")},
        volumes=tuple(Path(each.source) for each in spec.volumes),
        nested=nested,
        swap_counted=True,
    )
    return config_json(RECORD, spec, setting)


def test_a_command_replaces_the_images_own_but_not_its_entrypoint() -> None:
    assert arguments(RECORD, RunSpec(image="a", name="a")) == ["python", "-m", "app"]
    assert arguments(RECORD, RunSpec(image="a", name="a", command=("x", "y"))) == ["python", "x", "y"]


def test_the_users_variables_win() -> None:
    env = config(env={"A": "mine"})["process"]["env"]
    assert "A=mine" in env
    assert "B=image" in env
    assert any(each.startswith("PATH=") for each in env)
    assert "HOME=/app" in env


def test_only_root_keeps_capabilities_and_nobody_gains_any() -> None:
    assert config()["process"]["capabilities"]["effective"] == []
    assert "CAP_SYS_ADMIN" not in config(uid=0)["process"]["capabilities"]["effective"]
    assert config()["process"]["noNewPrivileges"] is True


def test_limits_and_volumes() -> None:
    made = config(
        limits=Limits(memory=1 << 20, cpus=1.5, shm_size=1 << 21), volumes=(Volume(source="/s", target="/t", read_only=True),)
    )
    resources = made["linux"]["resources"]
    assert resources["memory"] == {"limit": 1 << 20, "swap": 1 << 20}
    assert resources["cpu"] == {"quota": 150_000, "period": 100_000}
    mounts = {each["destination"]: each for each in made["mounts"]}
    assert f"size={1 << 21}" in mounts["/dev/shm"]["options"]
    assert (mounts["/t"]["source"], "ro" in mounts["/t"]["options"]) == ("/s", True)


def test_the_hosts_network_has_no_namespace() -> None:
    kinds = [each["type"] for each in config(network="host")["linux"]["namespaces"]]
    assert "network" not in kinds
    assert "network" in [each["type"] for each in config()["linux"]["namespaces"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(uid=0, gid=0, home="/root")),
        ("worker", User(uid=1000, gid=7, home="/app")),
        ("1000", User(uid=1000, gid=7, home="/app")),
        ("worker:staff", User(uid=1000, gid=50, home="/app")),
        ("31337", User(uid=31337, gid=0, home="/")),
        ("31337:12", User(uid=31337, gid=12, home="/")),
    ],
)
def test_users_are_looked_up_in_the_image(tmp_path: Path, text: str, expected: User) -> None:
    for number, passwd in enumerate(("root:x:0:0::/old:", "root:x:0:0::/root:/bin/sh\nworker:x:1000:7::/app:\nbroken\n")):
        (tmp_path / str(number) / "etc").mkdir(parents=True)
        (tmp_path / str(number) / "etc" / "passwd").write_text(passwd)
        (tmp_path / str(number) / "etc" / "group").write_text("staff:x:50:\n")
    layers = [tmp_path / "0", tmp_path / "1", tmp_path]
    assert find_user(text, layers) == expected
    with pytest.raises(EngineError, match="no user 'nobody'"):
        find_user("nobody", layers)
    with pytest.raises(EngineError, match="no group 'wheel'"):
        find_user("0:wheel", layers)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    folder: ContainerFolder = Places(tmp_path).container("app")
    spec = RunSpec(
        image="app:1", name="app", command=("x",), ports=(Port(container=1, host=2),), env={"A": "b"},
        volumes=(Volume(source="/s", target="/t"),), limits=Limits(memory=5), network="host", user="7", read_only=True,
        gpus=Gpus(devices=("0",)),
    )  # fmt: skip
    assert folder.spec() is None
    folder.write_spec(spec)
    assert folder.spec() == spec
    status = Status(phase="running", pid=5, began=6, ports=(Port(container=1, host=2),), notes=("n",))
    folder.write_status(status)
    assert folder.status() == status


def test_the_lock_tells_whether_a_supervisor_lives(tmp_path: Path) -> None:
    import os

    folder = Places(tmp_path).container("app")
    folder.path.mkdir(parents=True)
    assert not folder.supervised()
    handle = folder.supervise()
    assert folder.supervised()
    os.close(handle)
    assert not folder.supervised()


def test_a_taken_port_is_worded_as_engines_word_it() -> None:
    with listen(Port(container=1, ip="127.0.0.1")) as first:
        taken = first.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{taken}: bind: address already in use"):
            listen(Port(container=1, host=taken, ip="127.0.0.1"))


def test_a_port_of_all_addresses_is_taken_by_one_of_them() -> None:
    with socket.create_server(("0.0.0.0", 0)) as holder, pytest.raises(OSError, match="already in use"):
        listen(Port(container=1, host=holder.getsockname()[1]))


def test_a_working_folder_is_made_but_no_link_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    user = User(uid=0, gid=0, home="/")
    ensure_folder(root, "/a/b", user)
    ensure_folder(root, "/link/c", user)
    assert (root / "a" / "b").is_dir()
    assert not (tmp_path / "c").exists()


def test_folders_that_nobody_may_enter_are_removed(tmp_path: Path) -> None:
    inner = tmp_path / "x" / "work" / "work"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    inner.chmod(0)
    remove_folder(tmp_path / "x")
    assert not (tmp_path / "x").exists()
