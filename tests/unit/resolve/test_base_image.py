"""Pinning a base from a registry: which manifest, kept or moved, and what nothing can be built on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import ImageError, ProjectError, ResolveError
from shipwheel.lock import BaseImage
from shipwheel.oci.blob import Platform
from shipwheel.oci.tree import Entry
from shipwheel.project import Project, load_project
from shipwheel.registry.registries import Registries
from shipwheel.resolve.base_image import lock_base
from support.bases import CASES, DOCKER, OCI, REFUSED, put_image, put_index
from support.images import layer
from support.registry import Served, registry

SLIM, FULL = CASES[0], CASES[1]
AMD64, ARM64 = Platform(), Platform("linux", "arm64")


@pytest.fixture
def served() -> Iterator[Served]:
    with registry() as running:
        yield running


Lock = Callable[..., BaseImage]


@pytest.fixture
def lock(tmp_path: Path, served: Served) -> Iterator[Lock]:
    """Locks a project on NAME of the registry, with more settings."""
    with Registries() as registries:

        def locked(name: str, more: str = "", platform: Platform = AMD64, kept: BaseImage | None = None) -> BaseImage:
            return lock_base(project(tmp_path, f'base = "{served.host}/{name}"\n{more}'), platform, registries.repository, kept)

        yield locked


def project(folder: Path, settings: str) -> Project:
    (folder / "shipwheel.toml").write_text(settings)
    (folder / "app.py").write_text("print('ready')\n")
    return load_project(folder)


def test_only_manifest_and_config_are_read(served: Served, lock: Lock) -> None:
    digest = put_image(served, "library/python:3.12-slim", SLIM)
    base = lock("library/python:3.12-slim")
    assert base == BaseImage(
        reference=f"{served.host}/library/python:3.12-slim",
        digest=digest,
        size=len(served.manifests["library/python"][digest][1]),
        python="3.12.7",
        interpreter="/usr/local/bin/python3.12",
        glibc=36,
        distribution="bookworm",
    )
    assert len([each for each in served.said("GET") if "/blobs/" in each]) == 1


def test_each_platform_has_its_own_manifest(served: Served, lock: Lock) -> None:
    amd64 = put_image(served, "base/python", SLIM)
    arm64 = put_image(served, "base/python", SLIM, architecture="arm64")
    put_index(served, "base/python:3.12", linux_amd64=amd64, linux_arm64_v8=arm64, unknown_unknown=amd64)
    assert lock("base/python:3.12").digest == amd64
    assert lock("base/python:3.12", platform=ARM64).digest == arm64


def test_a_platform_that_is_not_there(served: Served, lock: Lock) -> None:
    put_index(served, "base/python:3.12", linux_amd64=put_image(served, "base/python", SLIM))
    with pytest.raises(ResolveError, match="no image for linux/arm64") as caught:
        lock("base/python:3.12", platform=ARM64)
    assert "linux/amd64" in caught.value.hint


def test_a_tag_that_moved_is_followed_only_where_nothing_is_kept(served: Served, lock: Lock) -> None:
    before = put_image(served, "base/python:3", SLIM)
    kept = lock("base/python:3")
    after = put_image(served, "base/python:3", FULL)
    assert lock("base/python:3", kept=kept).digest == before
    assert lock("base/python:3").digest == after
    other = replace(kept, reference=f"{served.host}/base/python:2")
    assert lock("base/python:3", kept=other).digest == after


def test_a_digest_in_the_settings_is_that_manifest(served: Served, lock: Lock) -> None:
    before = put_image(served, "base/python:3", SLIM)
    put_image(served, "base/python:3", FULL)
    assert lock(f"base/python:3@{before}").digest == before
    assert lock(f"base/python:3@{before}").reference == f"{served.host}/base/python@{before}"


def test_a_kept_digest_that_is_gone_names_the_way_out(served: Served, lock: Lock) -> None:
    digest = put_image(served, "base/python:3", SLIM)
    kept = lock("base/python:3")
    put_image(served, "base/python:3", FULL)
    del served.manifests["base/python"][digest]
    with pytest.raises(ResolveError, match="has no image") as caught:
        lock("base/python:3", kept=kept)
    assert "lock --upgrade" in caught.value.hint


def test_no_such_image(lock: Lock) -> None:
    with pytest.raises(ResolveError, match=r"has no image .*/base/none:1"):
        lock("base/none:1")


def test_what_is_no_image_is_refused(served: Served, lock: Lock) -> None:
    served.put_manifest("base/chart", "1", f"{OCI}.manifest.v1+json", b'{"schemaVersion": 2}')
    with pytest.raises(ResolveError, match="nothing can be built on"):
        lock("base/chart:1")


@pytest.mark.parametrize(
    "media_type", [f"{DOCKER}.image.rootfs.diff.tar.gzip", f"{OCI}.layer.v1.tar+zstd", f"{OCI}.layer.v1.tar"]
)
def test_layers_of_all_usual_kinds_will_do(served: Served, lock: Lock, media_type: str) -> None:
    put_image(served, "base/python:3.12", SLIM, media_type=media_type)
    assert lock("base/python:3.12").python == "3.12.7"


@pytest.mark.parametrize(
    "media_type",
    [f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip", f"{OCI}.layer.nondistributable.v1.tar+gzip", "text/plain"],
)
def test_layers_that_registries_do_not_give_away_are_refused(served: Served, lock: Lock, media_type: str) -> None:
    put_image(served, "base/python:3.12", SLIM, media_type=media_type)
    with pytest.raises(ImageError, match="a layer of the base"):
        lock("base/python:3.12")


def test_a_base_that_leaves_no_layer_for_the_project_is_refused(served: Served, lock: Lock) -> None:
    layers = [layer([Entry.data(f"f{number}", b"x")]) for number in range(125)]
    put_image(served, "base/python:3.12", SLIM, *layers)
    with pytest.raises(ImageError, match="125 layers"):
        lock("base/python:3.12")


def test_what_it_has_must_be_what_the_project_asks_for(served: Served, lock: Lock) -> None:
    put_image(served, "ours/base:1", SLIM)
    with pytest.raises(ProjectError, match=r"has Python 3\.12\.7, the project asks for another"):
        lock("ours/base:1", 'python = "3.11"')
    assert lock("ours/base:1", 'python = "3.12"').python == "3.12.7"


def test_the_interpreter_can_be_named(served: Served, lock: Lock) -> None:
    ubuntu = next(case for case in REFUSED if case.base == "ubuntu:24.04")
    put_image(served, "ours/ubuntu:24.04", ubuntu)
    with pytest.raises(ProjectError, match="where its Python is"):
        lock("ours/ubuntu:24.04")
    base = lock("ours/ubuntu:24.04", 'base-python = "/usr/bin/python3.12"')
    assert (base.python, base.interpreter, base.glibc) == ("3.12", "/usr/bin/python3.12", 39)
