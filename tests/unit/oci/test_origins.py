"""A store whose blobs may lie in registries only."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from shipwheel.errors import IntegrityError, NetworkError, StoreError
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image
from shipwheel.oci.layer import Layer, pack
from shipwheel.oci.origins import KEPT, Origins
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Tree
from support.trees import entries, image
from support.trees import layer as packed

FAR = "registry.example/team/layers"


def layer(name: str) -> Layer:
    return packed(entries(name), name)


class Registry:
    """Blobs by digest, and who asked for which."""

    def __init__(self, *layers: Layer) -> None:
        self.data = {each.blob.digest: each.blob.read() for each in layers}
        self.asked: list[str] = []

    def __call__(self, origin: str, descriptor: Descriptor) -> BinaryIO:
        self.asked.append(origin)
        return io.BytesIO(self.data[descriptor.digest])


def far(made: Layer, *origins: str) -> Layer:
    def unreachable() -> BinaryIO:
        raise AssertionError("opened past the store")

    return replace(made, blob=Blob(descriptor=made.blob.descriptor, open=unreachable, origins=origins or (FAR,)))


def blob_file(store: Store, made: Layer) -> Path:
    return store.root / "oci/blobs/sha256" / made.blob.digest.hex


def remote(made: Layer) -> Image:
    """An image whose one layer lies in a registry."""
    return replace(image(made.created_by), layers=(far(made),))


class TestStore:
    def test_names_an_image_whose_layer_only_a_registry_has_and_brings_it_when_it_is_opened(self, tmp_path: Path) -> None:
        made = layer("a")
        registry = Registry(made)
        store = Store(tmp_path, fetch=registry)
        copy(remote(made), store, "app:1")
        assert not blob_file(store, made).exists()
        found = Store(tmp_path, fetch=registry).resolve("app:1")
        assert isinstance(found, Image)
        assert found.layers[0].blob.origins == (FAR,)
        assert registry.asked == []
        assert found.layers[0].blob.read() == made.blob.read()
        assert found.layers[0].blob.read() == made.blob.read()
        assert registry.asked == [FAR]
        assert blob_file(store, made).exists()

    def test_refuses_to_name_one_whose_layer_is_nowhere(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        whole = image("a")
        store.write(whole.config)
        with pytest.raises(StoreError, match="lacks blob"):
            store.tag("app:1", whole)

    def test_brings_all_at_once_and_keeps_what_came_when_one_is_wrong(self, tmp_path: Path) -> None:
        good, bad = layer("a"), layer("b")
        registry = Registry(good, bad)
        registry.data[bad.blob.digest] = b"poison"
        store = Store(tmp_path, fetch=registry)
        for each in (good, bad):
            store.take(far(each))
        with pytest.raises(IntegrityError, match="is damaged"):
            store.bring([far(good).blob, far(bad).blob])
        assert blob_file(store, good).exists()
        assert not blob_file(store, bad).exists()
        registry.asked.clear()
        store.bring([far(good).blob])
        assert registry.asked == []

    def test_remembers_a_layer_of_a_key_without_its_bytes(self, tmp_path: Path) -> None:
        made = layer("a")
        store = Store(tmp_path, fetch=Registry(made))
        kept = store.keep("k1", far(made))
        assert kept.blob.read() == made.blob.read()
        known = Store(tmp_path).layer("k1")
        assert known is not None
        assert (known.diff_id, known.unpacked, known.blob.origins) == (made.diff_id, made.unpacked, (FAR,))

    def test_what_one_repository_lost_comes_from_another_and_what_all_lost_is_made_again(self, tmp_path: Path) -> None:
        made = layer("a")
        lost = {"registry.example/old"}

        def fetch(origin: str, descriptor: Descriptor) -> BinaryIO:
            if origin in lost:
                raise NetworkError("GET failed: 404", status=404)
            return io.BytesIO(made.blob.read())

        store = Store(tmp_path, fetch=fetch)
        kept = store.keep("k1", far(made, "registry.example/old", FAR))
        assert kept.blob.read() == made.blob.read()
        blob_file(store, made).unlink()
        lost.add(FAR)
        with pytest.raises(StoreError, match=r"has no blob .* any more") as caught:
            kept.blob.open()
        assert "build" in caught.value.hint
        assert store.layer("k1") is None

    def test_a_registry_that_is_down_is_passed_over_and_named_when_it_is_the_only_one(self, tmp_path: Path) -> None:
        made = layer("a")

        def fetch(origin: str, descriptor: Descriptor) -> BinaryIO:
            if origin == "down.example/app":
                raise NetworkError("GET failed: connection refused", retryable=True)
            return io.BytesIO(made.blob.read())

        store = Store(tmp_path, fetch=fetch)
        kept = store.keep("k1", far(made, "down.example/app"))
        with pytest.raises(NetworkError, match="refused") as caught:
            kept.blob.open()
        assert "only down.example/app has this layer" in caught.value.hint
        store.take(far(made))
        assert kept.blob.read() == made.blob.read()

    def test_a_repository_that_lost_one_blob_is_not_asked_for_others(self, tmp_path: Path) -> None:
        def fetch(origin: str, descriptor: Descriptor) -> BinaryIO:
            raise NetworkError("GET failed: 404", status=404)

        store = Store(tmp_path, fetch=fetch)
        first, second = store.keep("k1", far(layer("a"))), store.keep("k2", far(layer("b"), FAR, "other.example/app"))
        with pytest.raises(StoreError, match="any more"):
            first.blob.open()
        assert store.layer("k1") is None
        known = store.layer("k2")
        assert known is not None
        assert known.blob.origins == ("other.example/app",)
        assert second.blob.origins == (FAR, "other.example/app")

    def test_what_was_pushed_is_known_to_be_there(self, tmp_path: Path) -> None:
        whole = image("a")
        store = Store(tmp_path)
        copy(whole, store, "app:1")
        store.note_origin(store.resolve("app:1"), FAR)
        found = store.resolve("app:1")
        assert isinstance(found, Image)
        assert {blob.origins for blob in found.blobs} == {(FAR,)}

    def test_pruning_keeps_what_a_registry_has_while_a_name_or_a_memo_needs_it(self, tmp_path: Path) -> None:
        named, of_key = layer("a"), layer("b")
        store = Store(tmp_path, fetch=Registry(named, of_key))
        copy(remote(named), store, "app:1")
        store.keep("k1", far(of_key))
        store.prune()
        assert store.layer("k1") is not None
        store.prune(all=True)
        assert store.layer("k1") is None
        assert store.resolve("app:1").manifest.size
        store.untag("app:1")
        store.prune()
        assert not list(Origins(tmp_path / "origins").all())

    def test_a_store_made_before_there_were_origins_takes_them(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        store.put_layer("k1", "", lambda sink: pack(Tree.of(entries("a")), sink))
        assert not (tmp_path / "origins").exists()
        store.take(far(layer("b")))
        assert (tmp_path / "origins").is_dir()


def test_origins_are_the_newest_first_and_not_without_end(tmp_path: Path) -> None:
    origins, digest = Origins(tmp_path), layer("a").blob.digest
    for number in range(KEPT + 3):
        data = origins.with_new(digest, (f"r.example/{number}",))
        assert data
        origins.path(digest).write_bytes(data)
    assert origins.of(digest)[0] == f"r.example/{KEPT + 2}"
    assert len(origins.of(digest)) == KEPT
    assert origins.with_new(digest, (f"r.example/{KEPT}",)) is None
    origins.path(digest).write_bytes(b"{")
    assert origins.of(digest) == ()
