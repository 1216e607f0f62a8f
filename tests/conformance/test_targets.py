"""What every target must do, run over each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipwheel.errors import ImageError, IntegrityError
from shipwheel.oci.archive import DockerArchive, OciArchive, OciLayout
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.copy import Target, copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.load import load
from shipwheel.oci.reference import Reference
from shipwheel.oci.store import Store
from shipwheel.oci.validate import validate
from shipwheel.registry.registries import Registries
from shipwheel.registry.repository import Repository
from support.registry import registry
from support.trees import foreign, image


@dataclass(frozen=True)
class Medium:
    """A kind of target: how to make one, and how to read an image back from where it wrote."""

    target: Callable[[Path], Target]
    takes_index: bool = True

    def read(self, place: Path, name: str, scratch: Path) -> Image | Index:
        made = self.target(place)
        if isinstance(made, Store | OciLayout | InRegistry):
            return made.resolve(name)
        store = Store(scratch)
        assert load(place, store, scratch=scratch / "scratch") == (name,)
        return store.resolve(name)


@dataclass(frozen=True)
class InRegistry:
    """A repository under the names that the other media take: its own are tags."""

    repository: Repository

    def has(self, descriptor: Descriptor) -> bool:
        return self.repository.has(descriptor)

    def write(self, blob: Blob) -> None:
        self.repository.write(blob)

    def tag(self, name: str, image: Image | Index) -> None:
        self.repository.tag(Reference.parse(name).tag, image)

    def resolve(self, name: str) -> Image | Index:
        return self.repository.resolve(Reference.parse(name).tag)


@contextmanager
def in_registry() -> Iterator[Medium]:
    """A registry of its own, with a repository for each place."""
    with registry() as served, Registries() as registries:
        yield Medium(lambda place: InRegistry(registries.repository(Reference.parse(f"{served.host}/{place.name}"))))


MEDIA = {
    "store": Medium(Store),
    "layout": Medium(OciLayout),
    "oci-archive": Medium(OciArchive),
    "docker-archive": Medium(DockerArchive, takes_index=False),
}


@pytest.fixture(params=[*MEDIA, "registry"])
def medium(request: pytest.FixtureRequest) -> Iterator[Medium]:
    with in_registry() if request.param == "registry" else nullcontext(MEDIA[request.param]) as found:
        yield found


class TestTarget:
    def test_gives_back_the_image_it_took(self, medium: Medium, tmp_path: Path) -> None:
        given = image("a", "b", "c")
        copy(given, medium.target(tmp_path / "x"), "team/app:1.0")
        found = medium.read(tmp_path / "x", "team/app:1.0", tmp_path / "y")
        assert isinstance(found, Image)
        assert found.manifest.read() == given.manifest.read()
        assert [(each.diff_id, each.created_by) for each in found.layers] == [
            (each.diff_id, each.created_by) for each in given.layers
        ]
        validate(found)

    def test_gives_back_an_index_of_several_platforms(self, medium: Medium, tmp_path: Path) -> None:
        given = compose_index([image("a"), image("a", "b", platform="linux/arm64")])
        if not medium.takes_index:
            with pytest.raises(ImageError, match="one platform"):
                copy(given, medium.target(tmp_path / "x"), "app:1.0")
            return
        copy(given, medium.target(tmp_path / "x"), "app:1.0")
        found = medium.read(tmp_path / "x", "app:1.0", tmp_path / "y")
        assert isinstance(found, Index)
        assert found.manifest.digest == given.manifest.digest
        validate(found)

    def test_refuses_a_blob_that_is_not_what_it_promises(self, medium: Medium, tmp_path: Path) -> None:
        good = image("a")
        lying = replace(good.layers[0].blob, open=foreign(b"something else").open)
        bad = replace(good, layers=(replace(good.layers[0], blob=lying),))
        place = tmp_path / "x"
        with pytest.raises(IntegrityError, match="damaged"):
            copy(bad, medium.target(place), "app:1.0")
        assert not place.is_file()
        copy(good, medium.target(place), "app:1.0")
        validate(medium.read(place, "app:1.0", tmp_path / "y"))

    def test_takes_a_layer_that_stands_twice_once(self, medium: Medium, tmp_path: Path) -> None:
        given = image("a", "b", "a")
        copy(given, medium.target(tmp_path / "x"), "app:1.0")
        validate(medium.read(tmp_path / "x", "app:1.0", tmp_path / "y"))

    def test_does_not_ask_for_blobs_that_it_has(self, medium: Medium, tmp_path: Path) -> None:
        given, target = image("a"), medium.target(tmp_path / "x")
        copy(given, target, "app:1.0")
        assert all(target.has(blob.descriptor) for blob in given.blobs)
        unreadable = replace(given, layers=tuple(replace(each, blob=_unreadable(each.blob)) for each in given.layers))
        copy(unreadable, target, "app:1.0")

    def test_names_one_image_at_a_time(self, medium: Medium, tmp_path: Path) -> None:
        copy(image("a"), medium.target(tmp_path / "x"), "app:1.0")
        second = image("b")
        copy(second, medium.target(tmp_path / "x"), "app:1.0")
        assert medium.read(tmp_path / "x", "app:1.0", tmp_path / "y").manifest.digest == second.manifest.digest

    def test_writes_the_same_bytes_each_time(self, medium: Medium, tmp_path: Path) -> None:
        for place in ("x", "y"):
            copy(image("a", "b"), medium.target(tmp_path / place), "app:1.0")
        assert _contents(tmp_path / "x") == _contents(tmp_path / "y")


def _unreadable(blob: Blob) -> Blob:
    def refuse() -> None:
        raise AssertionError("read although the target has it")

    return replace(blob, open=refuse)  # type: ignore[arg-type]


def _contents(place: Path) -> dict[str, bytes]:
    if place.is_file():
        return {"": place.read_bytes()}
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
