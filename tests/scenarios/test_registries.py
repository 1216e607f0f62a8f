"""Images to and from a registry, over the command line: an in-process one that counts what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shipwheel.oci.image import Image, Index
from shipwheel.oci.validate import validate
from support.cargo import AMD64, ARM64, Mirror, make_script
from support.registry import Fault, Served, registry
from support.ship import Ship
from support.wheels import make_wheel


@pytest.fixture
def far() -> Iterator[Served]:
    with registry() as served:
        yield served


@pytest.fixture
def stranger(ship: Ship, tmp_path: Path) -> Ship:
    """Another machine: an empty home."""
    return ship.having(SHIPWHEEL_HOME=str(tmp_path / "stranger"))


@pytest.fixture
def built(ship: Ship, project: Path) -> dict[str, object]:
    return ship.build(project, "--no-bytecode", "-t", "demo:1")


def test_what_was_pushed_can_be_pulled_elsewhere(ship: Ship, stranger: Ship, built: dict[str, object], far: Served) -> None:
    said = ship("push", "demo:1", f"{far.host}/team/demo:1")
    assert said.out == f"{far.host}/team/demo@{built['digest']}\n"
    assert "sent" in said.err
    assert stranger("pull", f"{far.host}/team/demo:1").out.split() == [f"{far.host}/team/demo:1", built["digest"]]
    stranger.check_store()
    far.forget_log()
    assert "fetched 0 B of" in stranger("pull", f"{far.host}/team/demo:1").err
    assert not [each for each in far.said("GET") if "/blobs/" in each and "config" not in each][1:]


def test_a_project_is_built_and_pushed_at_once_and_only_what_changed_travels(ship: Ship, project: Path, far: Served) -> None:
    ship.build(project, "--no-bytecode")
    ship("push", project, f"{far.host}/team/demo:1")
    far.forget_log()
    ship("push", project, f"{far.host}/team/demo:1")
    assert far.said() == ["GET /v2/team/demo/manifests/1 200"]
    far.forget_log()
    (project / "app.py").write_text('print("changed")\n')
    ship.build(project, "--no-bytecode")
    done = ship("push", project, f"{far.host}/team/demo:1", "--json").json
    uploads = [each for each in far.said("PUT") if "/uploads/" in each]
    assert len(uploads) == 2  # the code and the config
    assert done["sent"] < 10_000


def test_the_project_of_the_folder_here_is_pushed_where_none_is_named(ship: Ship, project: Path, far: Served) -> None:
    digest = ship.build(project, "--no-bytecode")["digest"]
    assert ship("push", f"{far.host}/team/demo:1", cwd=project).out == f"{far.host}/team/demo@{digest}\n"


def test_a_layer_is_mounted_from_the_repository_that_has_it(ship: Ship, built: dict[str, object], far: Served) -> None:
    ship("push", "demo:1", f"{far.host}/team/demo:1")
    far.forget_log()
    ship("push", "demo:1", f"{far.host}/other/demo:1")
    posts = far.said("POST")
    assert posts
    assert all("mount=" in each and each.endswith("201") for each in posts)
    assert not [each for each in far.said("PUT") if "/uploads/" in each]


def test_copies_between_all_kinds_of_places_keep_the_digest(
    ship: Ship, built: dict[str, object], far: Served, tmp_path: Path
) -> None:
    places = (
        f"{far.host}/a/demo:1",
        f"{far.host}/b/demo:2",
        f"oci:{tmp_path}/layout:named:3",
        f"oci-archive:{tmp_path}/oci.tar",
        f"docker-archive:{tmp_path}/docker.tar",
        "store:again:1",
    )
    source = "store:demo:1"
    for place in places:
        assert str(built["digest"]) in ship("copy", source, place).err
        source = place
    assert str(ship.image("again:1").manifest.digest) == built["digest"]
    ship.check_store()


def test_an_index_of_several_platforms_travels_whole_or_one_of_them(
    ship: Ship, stranger: Ship, shelf: Path, tmp_path: Path, mirror: Mirror, far: Served
) -> None:
    project = make_script(tmp_path / "both", "alpha")
    mirror.lock(project, [make_wheel(shelf, "alpha", "1.0")], (AMD64, ARM64))
    flags = ("--platform", "linux/amd64", "--platform", "linux/arm64")
    ship.build(project, "--no-bytecode", *flags)
    ship("push", project, f"{far.host}/team/both:1", *flags)
    stranger("pull", f"{far.host}/team/both:1", "--platform", "all")
    whole = stranger.image(f"{far.host}/team/both:1")
    assert isinstance(whole, Index)
    validate(whole)
    stranger("pull", f"{far.host}/team/both:1", "--platform", "linux/arm64")
    one = stranger.image(f"{far.host}/team/both:1")
    assert isinstance(one, Image)
    assert one.platform == ARM64
    ship("copy", f"{far.host}/team/both:1", f"oci:{tmp_path}/one", "--platform", "linux/arm64")
    assert (
        "is for linux/amd64, linux/arm64, not"
        in ship.fails(2, "copy", f"{far.host}/team/both:1", f"oci:{tmp_path}/one", "--platform", "linux/s390x").error
    )


def test_an_image_of_a_registry_can_be_inspected_there(
    ship: Ship, stranger: Ship, built: dict[str, object], far: Served
) -> None:
    ship("push", "demo:1", f"{far.host}/team/demo:1")
    far.forget_log()
    shown = stranger("inspect", f"{far.host}/team/demo:1", "--json").json
    assert shown["digest"] == built["digest"]
    assert len(far.said("GET")) == 2  # the manifest and the config


def test_a_pull_that_ends_early_leaves_no_name(ship: Ship, stranger: Ship, built: dict[str, object], far: Served) -> None:
    ship("push", "demo:1", f"{far.host}/team/demo:1")
    far.faults.append(Fault(method="GET", path=f"/blobs/{ship.image('demo:1').layers[0].blob.digest}", status=403))  # type: ignore[union-attr]
    stranger.fails(5, "pull", f"{far.host}/team/demo:1")
    assert stranger("images", "--json").json == []


def test_a_push_that_broke_goes_on_where_it_broke(ship: Ship, built: dict[str, object], far: Served) -> None:
    far.faults.append(Fault(method="PUT", path="/manifests/", status=403))
    ship.fails(5, "push", "demo:1", f"{far.host}/team/demo:1")
    far.forget_log()
    ship("push", "demo:1", f"{far.host}/team/demo:1")
    assert [each for each in far.said("PUT") if "/uploads/" in each] == []


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("push",), 2, "a push takes a registry's name"),
        (("push", "demo:1", "HOST/a:1", "HOST/a:2"), 2, "a push takes a registry's name"),
        (("push", "none:1", "HOST/a:1"), 2, "there is no image 'none:1'"),
        (("push", "demo:1", "HOST/A:1"), 2, "'HOST/A:1' is not an image name"),
        (("push", "demo:1", "HOST/a@sha256:" + "0" * 64), 2, "is a digest, which no image can be given"),
        (("push", "demo:1", "HOST/a:1", "--platform", "linux/arm64"), 2, "--platform is for projects"),
        (("push", "demo:1", "HOST/a:1", "--sign-key", "no.pem"), 2, "no.pem"),
        (("pull", "HOST/none:1"), 5, "HOST/none has no '1'"),
        (("run", "HOST/none:1"), 5, "HOST/none has no '1'"),
        (("run", "none"), 2, "there is no image 'none:latest'"),
        (("copy", "store:", "HOST/a:1"), 2, "'store:' names no image"),
        (("copy", "demo:1", "HOST/a:1"), 2, "'demo:1' could be two images"),
        (("copy", "oci:nowhere", "HOST/a:1"), 2, "oci:nowhere holds no image"),
        (("copy", "store:demo:1", "HOST/a@sha256:" + "0" * 64), 2, "is a digest"),
    ],
)
def test_what_cannot_be_is_said(
    ship: Ship, built: dict[str, object], far: Served, words: tuple[str, ...], status: int, error: str
) -> None:
    said = ship.fails(status, *(word.replace("HOST", far.host) for word in words))
    assert error.replace("HOST", far.host) in said.error
