"""Which GPUs are asked for, how, and what an image says of them."""

from __future__ import annotations

from typing import Any

import pytest

from shipwheel.engines.devices import docker_requests
from shipwheel.engines.gpus import AMD, NVIDIA, Gpus
from shipwheel.engines.libpod import needs_libpod
from shipwheel.engines.needs import ImageNeeds
from shipwheel.engines.spec import GPUS_LABEL, Limits, RunSpec
from shipwheel.errors import UsageError
from shipwheel.oci.image import RuntimeConfig
from support.images import image

UUID = "GPU-520e01f2-cf30-6396-abef-e8e9a5233b0e"
MIG = "MIG-4404041a-04cf-5ccf-9e70-f139a9b1e23c"


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("all", Gpus(), "all"),
        ("1", Gpus(count=1), "1"),
        ("12", Gpus(count=12), "12"),
        ("device=0", Gpus(devices=("0",)), "device=0"),
        ("device=0,2", Gpus(devices=("0", "2")), "device=0,2"),
        ('"device=0,2"', Gpus(devices=("0", "2")), "device=0,2"),
        ("0,2", Gpus(devices=("0", "2")), "device=0,2"),
        ("0:1", Gpus(devices=("0:1",)), "device=0:1"),
        (UUID, Gpus(devices=(UUID,)), f"device={UUID}"),
        (f"device={UUID},{MIG}", Gpus(devices=(UUID, MIG)), f"device={UUID},{MIG}"),
    ],
)
def test_selections(text: str, expected: Gpus, written: str) -> None:
    assert Gpus.parse(text) == expected
    assert str(expected) == written
    assert Gpus.parse(written) == expected
    assert expected.selects is (text != "all")


def test_none_is_none() -> None:
    assert Gpus.parse("none") is None


@pytest.mark.parametrize(
    "text",
    ["", "0", "00", "-1", "1.5", "some", "device=", "device=all", "0,", "0,0", "gpu0", "GPU-1", "count=2", "a=0", UUID[:-1]],
)
def test_what_selects_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="--gpus") as caught:
        Gpus.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize(("text", "twice"), [("device=0,0", "0"), ("1,0,1", "1"), (f"device={UUID},0,{UUID}", UUID)])
def test_a_gpu_that_is_named_twice(text: str, twice: str) -> None:
    with pytest.raises(UsageError, match=f"names GPU {twice} twice") as caught:
        Gpus.parse(text)
    assert caught.value.hint == "name each once"


@pytest.mark.parametrize(
    ("gpus", "names"),
    [
        (Gpus(), ("nvidia.com/gpu=all",)),
        (Gpus(count=2), ("nvidia.com/gpu=0", "nvidia.com/gpu=1")),
        (Gpus(devices=("2", UUID)), ("nvidia.com/gpu=2", f"nvidia.com/gpu={UUID}")),
        (Gpus(kind=AMD), ("amd.com/gpu=all",)),
    ],
)
def test_names_of_the_container_device_interface(gpus: Gpus, names: tuple[str, ...]) -> None:
    assert gpus.names == names


CLASSIC = {"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
CDI = {"Driver": "cdi", "Count": 0, "DeviceIDs": [], "Capabilities": [], "Options": {}}


@pytest.mark.parametrize(
    ("gpus", "folders", "expected"),
    [
        (Gpus(), [], [{**CLASSIC, "Count": -1}]),
        (Gpus(count=2), [], [{**CLASSIC, "Count": 2}]),
        (Gpus(devices=("0", UUID)), None, [{**CLASSIC, "DeviceIDs": ["0", UUID]}]),
        (Gpus(), ["/etc/cdi"], [{**CLASSIC, "Count": -1}, {**CDI, "DeviceIDs": ["nvidia.com/gpu=all"]}]),
        (Gpus(count=1, kind=AMD), ["/etc/cdi"], [{**CDI, "DeviceIDs": ["amd.com/gpu=0"]}]),
        (Gpus(kind=AMD), [], [{**CDI, "DeviceIDs": ["amd.com/gpu=all"]}]),
    ],
)
def test_docker_is_asked_as_its_own_cli_asks_then_by_cdi(gpus: Gpus, folders: Any, expected: list[dict[str, Any]]) -> None:
    assert docker_requests(gpus, {"CDISpecDirs": folders}) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("4.3.1", True), ("4.9.3", True), ("5.3.2", True), ("5.4.0", False), ("5.10.0-dev", False), ("?", False)],
)
def test_old_podmans_know_no_device_requests(version: str, expected: bool) -> None:
    assert needs_libpod(version) is expected


def needs(env: dict[str, str] | None = None, **labels: str) -> ImageNeeds:
    said = {f"dev.shipwheel.{key.replace('_', '-')}": value for key, value in labels.items()}
    return ImageNeeds.of(image(config=RuntimeConfig(cmd=("x",), env=env or {}, labels=said)))


def test_labels_of_an_image_are_read() -> None:
    found = needs(cuda="12.6", shm_size="8g")
    assert (found.cuda, found.rocm, found.shm_size) == ("12.6", "", 8 << 30)
    assert (needs().cuda, needs().shm_size, needs(shm_size="much").shm_size) == ("", 0, 0)


@pytest.mark.parametrize(
    ("labels", "env", "text", "expected"),
    [
        ({"cuda": "12.6"}, {}, None, ["it holds CUDA 12.6; --gpus all gives it the GPUs"]),
        ({"rocm": "6.2"}, {}, None, ["it holds ROCm 6.2; --gpus all gives it the GPUs"]),
        ({"cuda": "12.6"}, {}, "all", []),
        ({"cuda": "12.6"}, {}, "none", []),
        ({}, {}, None, []),
        ({}, {}, "none", []),
        ({}, {}, "all", ["it gets GPUs, but nothing in it is known to use them"]),
        ({}, {"CUDA_VERSION": "12.4.1"}, "all", []),
    ],
)
def test_what_is_remarked(labels: dict[str, str], env: dict[str, str], text: str | None, expected: list[str]) -> None:
    assert list(needs(env, **labels).remarks(text)) == expected


@pytest.mark.parametrize("text", ["1", "device=0", UUID])
@pytest.mark.parametrize(("of_image", "of_flag"), [({"CUDA_VISIBLE_DEVICES": "1"}, {}), ({}, {"CUDA_VISIBLE_DEVICES": "1"})])
def test_a_selection_is_never_narrowed_down_twice(of_image: dict[str, str], of_flag: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError, match="numbered anew from 0") as caught:
        needs(of_image).gpus(text, of_flag)
    assert "--gpus all" in caught.value.hint


def test_all_gpus_may_be_narrowed_down_inside() -> None:
    assert needs({"CUDA_VISIBLE_DEVICES": "1"}).gpus("all", {}) == Gpus()
    assert needs({"CUDA_VISIBLE_DEVICES": "1"}).gpus(None, {}) is None


def test_the_kind_is_that_of_the_image() -> None:
    assert [needs(**each).gpus("all", {}) for each in ({"cuda": "12.6"}, {"rocm": "6.2"}, {})] == [
        Gpus(kind=NVIDIA), Gpus(kind=AMD), Gpus()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Limits(), 8 << 30),
        (Limits(shm_size=1 << 20), 1 << 20),
        (Limits(memory=4 << 30), 2 << 30),
        (Limits(memory=64 << 30), 8 << 30),
        (Limits(memory=4 << 30, shm_size=3 << 30), 3 << 30),
    ],
)
def test_shared_memory_is_what_the_image_asks_for(given: Limits, expected: int) -> None:
    assert needs(shm_size="8g").limits(given).shm_size == expected
    assert needs().limits(given) == given


def test_the_container_is_marked_with_what_it_got() -> None:
    assert RunSpec(image="a", name="a", gpus=Gpus(count=2)).labels[GPUS_LABEL] == "2"
    assert GPUS_LABEL not in RunSpec(image="a", name="a").labels
