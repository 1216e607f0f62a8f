"""Specifications of the Container Device Interface: what they offer, what is taken of it, what it changes in config.json."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from shipwheel.engines.gpus import AMD, Gpus
from shipwheel.engines.runc.cdi import Offer, choose, edits_from_json, edits_to_json, merged, read_offer
from shipwheel.engines.runc.edits import edit
from shipwheel.errors import EngineError

CASES = Path(__file__).parent / "cdi"
UUID = "GPU-520e01f2-cf30-6396-abef-e8e9a5233b0e"

GPUS = """\
cdiVersion: "0.5.0"
kind: nvidia.com/gpu
devices:
"""


def offer(tmp_path: Path, *texts: str) -> Offer:
    """Of files a.yaml, b.yaml ... in one folder."""
    for number, text in enumerate(texts):
        (tmp_path / f"{chr(97 + number)}.yaml").write_text(text)
    return read_offer((tmp_path,))


def gpus(*names: str) -> str:
    return GPUS + "".join(f'- {{name: "{name}", containerEdits: {{env: ["D={name}"]}}}}\n' for name in names)


def config(uid: int = 1000) -> dict[str, Any]:
    return {
        "process": {"user": {"uid": uid, "gid": 0}, "env": ["PATH=/usr/bin", "A=b"]},
        "mounts": [{"destination": "/etc/hosts", "type": "bind", "source": "/x", "options": ["rbind"]}],
        "linux": {"resources": {"devices": [{"allow": False, "access": "rwm"}]}},
    }


def chosen(found: Offer, text: str) -> list[str]:
    wanted = Gpus.parse(text)
    assert wanted
    return [device.name.partition("=")[2] for device in choose(found, wanted)]


def test_what_the_nvidia_container_toolkit_writes_is_understood(tmp_path: Path) -> None:
    shutil.copy(CASES / "nvidia.yaml", tmp_path)
    found = read_offer((tmp_path,))
    assert found.problems == ()
    assert list(found.devices) == ["nvidia.com/gpu=0", f"nvidia.com/gpu={UUID}", "nvidia.com/gpu=all"]
    edits = merged([found.devices["nvidia.com/gpu=0"]])
    assert [node.path for node in edits.device_nodes][3:5] == ["/dev/nvidiactl", "/dev/nvidia0"]
    assert [hook.args[1] for hook in edits.hooks] == ["create-symlinks", "enable-cuda-compat", "update-ldcache", "chmod"]
    assert edits.mounts[2].host_path == "/usr/lib/x86_64-linux-gnu/libcuda.so.575.64.03"


def test_every_edit_reaches_config_json(tmp_path: Path) -> None:
    shutil.copy(CASES / "every-edit.json", tmp_path)
    edits = merged(read_offer((tmp_path,)).devices.values())
    made = config()
    edit(made, edits_from_json(edits_to_json(edits)), nested=False)
    assert made == json.loads((CASES / "every-edit.golden.json").read_text())


def test_in_a_user_namespace_device_nodes_are_the_hosts_own(tmp_path: Path) -> None:
    made = config()
    (tmp_path / "a.yaml").write_text(
        GPUS + '- {name: "0", containerEdits: {deviceNodes: [{path: /dev/x, hostPath: /dev/null}]}}\n'
    )
    edit(made, merged(read_offer((tmp_path,)).devices.values()), nested=True)
    assert "devices" not in made["linux"]
    assert made["linux"]["resources"] == config()["linux"]["resources"]
    assert (made["mounts"][-1]["source"], made["mounts"][-1]["destination"]) == ("/dev/null", "/dev/x")


@pytest.mark.parametrize("nested", [False, True])
def test_a_device_that_is_not_there_is_named(tmp_path: Path, nested: bool) -> None:
    found = offer(tmp_path, GPUS + '- {name: "0", containerEdits: {deviceNodes: [{path: /dev/no-such-gpu}]}}\n')
    with pytest.raises(EngineError, match=r"names /dev/no-such-gpu, which is no device") as caught:
        edit(config(), merged(found.devices.values()), nested=nested)
    assert "nvidia-ctk cdi generate" in caught.value.hint


def test_a_node_has_the_hosts_numbers_and_the_containers_user(tmp_path: Path) -> None:
    found = offer(tmp_path, GPUS + '- {name: "0", containerEdits: {deviceNodes: [{path: /dev/x, hostPath: /dev/zero}]}}\n')
    made = config(uid=1000)
    edit(made, merged(found.devices.values()), nested=False)
    host = Path("/dev/zero").stat()
    numbers, mode = {"major": os.major(host.st_rdev), "minor": os.minor(host.st_rdev)}, host.st_mode & 0o7777
    assert made["linux"]["devices"] == [{"path": "/dev/x", "type": "c", **numbers, "fileMode": mode, "uid": 1000, "gid": 0}]
    assert made["linux"]["resources"]["devices"][-1] == {"allow": True, "type": "c", **numbers, "access": "rwm"}


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (("1", "0", "all"), "all", ["all"]),
        (("1", "0"), "all", ["0", "1"]),
        (("10", "9", UUID, "all"), "1", ["9"]),
        (("0", "1", "2", UUID, "all"), "2", ["0", "1"]),
        (("0:1", "0:0", "all"), "1", ["0:0"]),
        (("0:1", "0:0", "all"), "device=0:1", ["0:1"]),
        (("gpu0", "gpu1", "all"), "2", ["gpu0", "gpu1"]),
        (("all",), "1", ["all"]),
        (("0", "1", UUID), "device=1,0", ["1", "0"]),
        (("0", UUID), UUID, [UUID]),
    ],
)
def test_what_is_asked_for_is_chosen(tmp_path: Path, names: tuple[str, ...], text: str, expected: list[str]) -> None:
    assert chosen(offer(tmp_path, gpus(*names)), text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [("device=2", "offers no GPU '2'"), ("3", "3 GPUs were asked for, and this machine offers 2")],
)
def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        chosen(offer(tmp_path, gpus("0", "1", "all")), text)
    assert "name 0, 1, all" in caught.value.hint


def test_without_a_specification_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no CDI specification of nvidia\.com/gpu in .*none") as caught:
        chosen(read_offer((tmp_path / "none",)), "all")
    assert "nvidia-ctk cdi generate" in caught.value.hint
    assert "leave out --gpus" in caught.value.hint
    with pytest.raises(EngineError, match=r"amd\.com/gpu") as caught:
        choose(read_offer(()), Gpus(kind=AMD))
    assert "amd-ctk cdi generate" in caught.value.hint


def test_a_later_folder_comes_first_and_equals_exclude_each_other(tmp_path: Path) -> None:
    for name in ("static", "dynamic"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(gpus("0").replace("D=0", f"D={name}"))
    both = read_offer((tmp_path / "static", tmp_path / "dynamic"))
    assert both.devices["nvidia.com/gpu=0"].own.env == ("D=dynamic",)
    (tmp_path / "dynamic" / "y.json").write_text(
        json.dumps({"cdiVersion": "0.3.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0"}]})
    )
    found = read_offer((tmp_path / "dynamic",))
    assert found.devices == {}
    assert "nvidia.com/gpu=0 is in" in found.problems[0]


def test_shared_edits_are_made_once(tmp_path: Path) -> None:
    found = offer(tmp_path, gpus("0", "1") + "containerEdits: {env: [S=1]}\n")
    assert merged(found.devices.values()).env == ("S=1", "D=0", "D=1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "neither YAML nor JSON"),
        ("[]", "Input should be an object"),
        (gpus("0").replace("0.5.0", "2.0.0"), "its version 2.0.0"),
        (gpus("0").replace("nvidia.com/gpu", "gpu"), "'gpu' is not a kind"),
        (GPUS + "- {name: 0}", "devices.0.name"),
        (GPUS + "- {name: a, containerEdits: {env: [X]}}", "'X' is not NAME=VALUE"),
        (GPUS + "- {name: a, containerEdits: {netDevices: []}}", "netDevices"),
        (GPUS + "- {name: a, containerEdits: {hooks: [{hookName: later, path: /x}]}}", "hookName"),
        (GPUS + "- {name: a, containerEdits: {deviceNodes: [{path: /x, permissions: x}]}}", "'x' are no permissions"),
        (GPUS + "- {name: a, containerEdits: {env: 2020-01-01}}", "containerEdits.env"),
    ],
)
def test_what_is_not_understood_is_left_out_and_told(tmp_path: Path, text: str, problem: str) -> None:
    found = offer(tmp_path, text)
    assert found.devices == {}
    assert problem in found.problems[0]
    with pytest.raises(EngineError, match=r"a\.yaml"):
        chosen(found, "all")


def test_other_files_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("{")
    (tmp_path / "folder.yaml").mkdir()
    assert read_offer((tmp_path,)) == Offer(folders=(tmp_path,), devices={})
