"""What the store keeps of an image beside it."""

from pathlib import Path

import pytest

from shipwheel.oci.blob import Digest
from shipwheel.oci.copy import copy
from shipwheel.oci.image import compose_index
from shipwheel.oci.store import Store
from support.trees import image


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_note_is_kept_with_its_image_and_goes_with_it(store: Store) -> None:
    one, two = image("a"), compose_index([image("b"), image("b", platform="linux/arm64")])
    for name, each in (("one:1", one), ("two:1", two)):
        store.keep_note(each.manifest.digest, name.encode())
        copy(each, store, name)
    store.untag("one:1")
    store.prune()
    assert store.note(one.manifest.digest) is None
    assert store.note(two.manifest.digest) == b"two:1"
    assert store.usage().memos.count > 0


def test_a_newer_note_replaces_the_older(store: Store) -> None:
    for text in (b"old", b"new"):
        store.keep_note(Digest("1" * 64), text)
    assert store.note(Digest("1" * 64)) == b"new"


def test_the_same_note_again_writes_nothing(store: Store) -> None:
    store.keep_note(Digest("1" * 64), b"same")
    (path,) = (store.root / "notes").iterdir()
    before = path.stat()
    store.keep_note(Digest("1" * 64), b"same")
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_of_an_image_that_came_from_elsewhere_there_is_none(store: Store) -> None:
    assert store.note(Digest("2" * 64)) is None
