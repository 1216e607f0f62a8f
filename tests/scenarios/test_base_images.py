"""`base = "python:3.12-slim"`: locked and built on an image of a registry, whose layers nobody fetches until it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.lock import read_lock
from shipwheel.oci.image import Image, Index, read_json
from shipwheel.oci.tree import Entry
from support.bases import CASES, CUDA, put_image, put_index
from support.cargo import make_script
from support.images import layer
from support.registry import Served, registry
from support.ship import Ship
from support.wheels import make_wheel

SLIM = CASES[0]


@pytest.fixture
def served() -> Iterator[Served]:
    with registry() as running:
        yield running


@pytest.fixture
def hub(ship: Ship, served: Served) -> Ship:
    """A user whose docker.io is the test's registry."""
    return ship.having(SHIPWHEEL_REGISTRY_MIRRORS=f"docker.io=http://{served.host}")


@pytest.fixture
def project(tmp_path: Path, shelf: Path) -> Path:
    """One wheel on python:3.12-slim, of which Debian has neither Python nor bytecode: nothing is asked of its archive."""
    folder = make_script(tmp_path / "project", "alpha")
    (folder / "shipwheel.toml").write_text('base = "python:3.12-slim"\n')
    make_wheel(shelf, "alpha", "1.0")
    return folder


def base_layer() -> list[Entry]:
    return [Entry.data("etc/marker", b"the base")]


def test_what_lock_says_and_writes(hub: Ship, served: Served, project: Path) -> None:
    digest = put_image(served, "library/python:3.12-slim", SLIM)
    said = hub("lock", project)
    assert "Python 3.12.7 at /usr/local/bin/python3.12, glibc 2.36 (bookworm)" in said.err
    assert "no bytecode: Debian has no Python 3.12" in said.err
    lock = read_lock(project / "shipwheel.lock")
    assert (lock.python, lock.suite, dict(lock.interpreters), dict(lock.dates)) == ("3.12", "", {}, {})
    (locked,) = lock.platforms
    assert locked.base is not None
    assert (locked.base.reference, locked.base.digest) == ("docker.io/library/python:3.12-slim", digest)
    assert locked.debs == ()
    assert served.host not in (project / "shipwheel.lock").read_text()
    hub("lock", "--check", project)


def test_the_image_lies_on_layers_that_stay_in_the_registry(hub: Ship, served: Served, project: Path) -> None:
    below = layer(base_layer(), "the base")
    put_image(served, "library/python:3.12-slim", SLIM, below)
    hub("lock", project)
    data = hub("build", project, "--json").json
    image = hub.image(data["name"])
    assert isinstance(image, Image)
    assert image.layers[0].blob.digest == below.blob.digest
    assert image.layers[0].blob.origins == ("docker.io/library/python",)
    assert not (hub.home / "oci/blobs/sha256" / below.blob.digest.hex).exists()
    assert not any(str(below.blob.digest.hex) in said for said in served.said())
    config = read_json(image.config)["config"]  # type: ignore[index]
    assert f"PATH=/opt/venv/bin:/usr/local/bin:{SLIM.env[0].partition('/usr/local/bin:')[2]}" in config["Env"]
    assert "PYTHON_VERSION=3.12.7" in config["Env"]
    assert config["Cmd"] == ["python", "app.py"]
    assert config["WorkingDir"] == "/app"
    assert config["User"] == "1000:0"
    manifest = read_json(image.manifest)
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == "docker.io/library/python:3.12-slim"  # type: ignore[index]


def test_opening_a_layer_of_the_base_brings_it(hub: Ship, served: Served, project: Path, tmp_path: Path) -> None:
    below = layer(base_layer(), "the base")
    put_image(served, "library/python:3.12-slim", SLIM, below)
    hub("lock", project)
    hub("build", project)
    hub("save", "project", tmp_path / "image.tar")
    assert (hub.home / "oci/blobs/sha256" / below.blob.digest.hex).exists()
    hub.check_store()


def test_an_unchanged_build_asks_no_registry(hub: Ship, served: Served, project: Path) -> None:
    put_image(served, "library/python:3.12-slim", SLIM)
    hub("lock", project)
    first = hub("build", project, "--json").json
    served.forget_log()
    again = hub("build", project, "--json").json
    assert again["digest"] == first["digest"]
    assert served.said() == []


def test_a_moved_tag_counts_from_the_next_upgrade_on(hub: Ship, served: Served, project: Path) -> None:
    before = put_image(served, "library/python:3.12-slim", SLIM)
    hub("lock", project)
    after = put_image(served, "library/python:3.12-slim", replace(SLIM, labels={"moved": "yes"}))
    hub("lock", project)
    assert pinned(project) == before
    hub("lock", project, "--upgrade")
    assert pinned(project) == after


def pinned(project: Path) -> str:
    (locked,) = read_lock(project / "shipwheel.lock").platforms
    assert locked.base
    return locked.base.digest


def test_each_platform_lies_on_its_own_image(hub: Ship, served: Served, project: Path) -> None:
    amd64 = put_image(served, "library/python", SLIM, layer(base_layer(), "amd64"))
    arm64 = put_image(served, "library/python", SLIM, layer([Entry.data("etc/arm", b"")], "arm64"), architecture="arm64")
    put_index(served, "library/python:3.12-slim", linux_amd64=amd64, linux_arm64_v8=arm64)
    both = ("--platform", "linux/amd64", "--platform", "linux/arm64")
    hub("lock", project, *both)
    index = hub.image(hub("build", project, *both, "--json").json["name"])
    assert isinstance(index, Index)
    first, second = index.images
    assert first.layers[0].diff_id != second.layers[0].diff_id
    assert [each.diff_id for each in first.layers[1:]] == [each.diff_id for each in second.layers[1:]]


def test_cuda_keeps_what_tells_the_driver_where_to_mount(hub: Ship, served: Served, project: Path) -> None:
    case = next(case for case in CASES if case.env == CUDA)
    put_image(served, "nvidia/cuda:12.4.1-runtime-ubuntu22.04", case)
    (project / "shipwheel.toml").write_text(
        'base = "nvidia/cuda:12.4.1-runtime-ubuntu22.04"\nbase-python = "/usr/bin/python3.10"\n'
    )
    hub("lock", project)
    image = hub.image(hub("build", project, "--json").json["name"])
    assert isinstance(image, Image)
    env = read_json(image.config)["config"]["Env"]  # type: ignore[index]
    assert {*CUDA[1:]} <= {*env}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('base = "python"', "neither tag nor digest"),
        ('base = "python:3.12-slim"\npython = "3.11"', "exclude each other"),
        ('base = "python:3.12-slim"\nshell = true', "shell belongs to the debian base alone"),
        ('base-python = "/usr/bin/python3"', "base-python without a base from a registry"),
        ('base = "python:3.12-slim"\nbase-python = "python3"', "not an absolute path"),
    ],
)
def test_settings_that_cannot_be_meant(hub: Ship, project: Path, settings: str, words: str) -> None:
    (project / "shipwheel.toml").write_text(settings)
    assert words in hub.fails(2, "lock", project).error


def test_system_packages_need_a_base_that_is_debian(hub: Ship, served: Served, project: Path) -> None:
    put_image(served, "library/python:3.12-slim", replace(SLIM, history=()))
    (project / "shipwheel.toml").write_text('base = "python:3.12-slim"\nsystem-packages = ["libgomp1"]\n')
    assert "system-packages are Debian's" in hub.fails(2, "lock", project).error
