"""`Store`: memos, names, pruning, and whatever may happen to it."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipwheel.errors import StoreError
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, compose_index
from shipwheel.oci.layer import Layer, Packed, Sink, pack
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Tree
from shipwheel.oci.validate import validate
from support.trees import below, entries, foreign, image


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, key: str) -> Layer:
    return store.put_layer(key, f"files of {key}", lambda sink: pack(Tree.of(entries(key)), sink))


def refuse(_: Sink) -> Packed:
    raise AssertionError("made again")


class TestLayers:
    def test_remembers_a_layer_by_its_key(self, store: Store) -> None:
        made = put(store, "k1")
        found = Store(store.root).layer("k1")
        assert found is not None
        assert (found.diff_id, found.created_by, found.unpacked) == (made.diff_id, "files of k1", made.unpacked)
        assert found.blob.read() == made.blob.read()

    def test_knows_no_other_key(self, store: Store) -> None:
        assert store.layer("k1") is None
        assert not store.root.exists()

    def test_two_keys_may_mean_one_layer(self, store: Store) -> None:
        for key in ("k1", "k2"):
            store.put_layer(key, key, lambda sink: pack(Tree.of(entries("a")), sink))
        one, two = store.layer("k1"), store.layer("k2")
        assert one is not None
        assert two is not None
        assert (one.blob.digest, one.created_by, two.created_by) == (two.blob.digest, "k1", "k2")

    def test_a_maker_that_fails_leaves_nothing(self, store: Store) -> None:
        def fail(sink: Sink) -> Packed:
            sink.write(b"half of it")
            raise OSError("the wheel's disk is gone")

        with pytest.raises(OSError, match="gone"):
            store.put_layer("k1", "", fail)
        assert below(store.root) == ["CACHEDIR.TAG", "lock", "oci/index.json", "oci/oci-layout"]

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"digest": "sha256:x"}', b"\xff"])
    def test_a_damaged_memo_is_as_good_as_none(self, store: Store, damage: bytes) -> None:
        put(store, "k1")
        (store.root / "layers" / "k1.json").write_bytes(damage)
        assert store.layer("k1") is None
        assert put(store, "k1") == store.layer("k1") or store.layer("k1")

    def test_a_blob_cut_by_a_power_loss_is_made_again(self, store: Store) -> None:
        made = put(store, "k1")
        path = store.root / "oci/blobs/sha256" / made.blob.digest.hex
        os.truncate(path, 10)
        assert store.layer("k1") is None
        put(store, "k1")
        assert path.stat().st_size == made.blob.size

    def test_a_key_cannot_be_a_path(self, store: Store) -> None:
        with pytest.raises(ValueError, match="no layer key"):
            store.layer("../oci/index")

    def test_forty_memos_are_found_in_a_few_milliseconds(self, store: Store) -> None:
        for number in range(40):
            put(store, f"k{number}")
        best = min(_seconds(store) for _ in range(5))
        assert best < 0.02


def _seconds(store: Store) -> float:
    begun = time.perf_counter()
    assert all(Store(store.root).layer(f"k{number}") for number in range(40))
    return time.perf_counter() - begun


class TestNames:
    def test_has_none_at_first(self, store: Store) -> None:
        assert store.names() == ()
        with pytest.raises(StoreError, match="no image 'app:1") as caught:
            store.resolve("app:1.0")
        assert "build" in caught.value.hint

    def test_offers_near_names(self, store: Store) -> None:
        copy(image("a"), store, "service:1.0")
        with pytest.raises(StoreError) as caught:
            store.resolve("servce:1.0")
        assert "service:1.0" in caught.value.hint

    def test_lists_names_sorted_and_forgets_one(self, store: Store) -> None:
        for name in ("b:1", "a:2", "a:1"):
            copy(image("a"), store, name)
        assert store.names() == ("a:1", "a:2", "b:1")
        store.untag("a:2")
        assert store.names() == ("a:1", "b:1")
        with pytest.raises(StoreError, match="no image"):
            store.untag("a:2")

    def test_the_same_name_for_the_same_image_writes_nothing(self, store: Store) -> None:
        copy(image("a"), store, "a:1")
        before = (store.root / "oci/index.json").stat()
        copy(image("a"), store, "a:1")
        assert (store.root / "oci/index.json").stat().st_mtime_ns == before.st_mtime_ns

    def test_knows_the_unpacked_sizes(self, store: Store) -> None:
        given = image("a", "b")
        copy(given, store, "a:1")
        found = Store(store.root).resolve("a:1")
        assert isinstance(found, Image)
        assert found.unpacked == given.unpacked > 0

    def test_will_not_name_an_image_whose_blobs_are_missing(self, store: Store) -> None:
        with pytest.raises(StoreError, match="lacks blob"):
            store.tag("a:1", image("a"))

    def test_an_index_that_is_damaged_is_an_error_with_a_hint(self, store: Store) -> None:
        copy(image("a"), store, "a:1")
        (store.root / "oci/index.json").write_text("{")
        with pytest.raises(StoreError, match="is no index") as caught:
            store.names()
        assert caught.value.hint

    def test_keeps_entries_of_other_tools(self, store: Store) -> None:
        copy(image("a"), store, "a:1")
        path = store.root / "oci/index.json"
        index = json.loads(path.read_text())
        index["manifests"].append({**index["manifests"][0], "annotations": {"their.own": "x"}})
        path.write_text(json.dumps(index))
        copy(image("b"), store, "b:1")
        assert any(entry["annotations"] == {"their.own": "x"} for entry in json.loads(path.read_text())["manifests"])


class TestPrune:
    def test_takes_what_no_tag_and_no_memo_needs(self, store: Store) -> None:
        copy(image("a", "b"), store, "one:1")
        copy(image("a", "c"), store, "two:1")
        put(store, "kept")
        store.untag("two:1")
        before = below(store.root)
        planned = store.prune(dry_run=True)
        assert below(store.root) == before
        pruned = store.prune()
        assert pruned == planned
        assert len(pruned.blobs) == 3
        assert pruned.bytes > 0
        validate(store.resolve("one:1"))
        assert store.layer("kept")
        assert store.prune() == Store(store.root).prune(dry_run=True)
        assert store.prune().bytes == 0

    def test_all_takes_memos_that_no_image_needs(self, store: Store) -> None:
        layer = put(store, "used")
        put(store, "unused")
        base = image("a")
        from shipwheel.oci.image import RuntimeConfig, compose

        made = compose([layer], RuntimeConfig(), base.platform)
        copy(made, store, "app:1")
        store.prune()
        assert store.layer("unused")
        store.prune(all=True)
        assert store.layer("unused") is None
        assert store.layer("used")
        validate(store.resolve("app:1"))

    def test_keeps_every_image_of_an_index(self, store: Store) -> None:
        copy(compose_index([image("a"), image("b", platform="linux/arm64")]), store, "app:1")
        assert store.prune(all=True).blobs == ()
        validate(store.resolve("app:1"))

    def test_takes_files_of_killed_processes(self, store: Store) -> None:
        put(store, "k1")
        (store.root / "tmp/.partial-1-2").write_bytes(b"half")
        assert len(store.prune().partial) == 1
        assert below(store.root / "tmp") == []

    def test_waits_for_nobody_who_builds(self, store: Store) -> None:
        other = Store(store.root)
        put(other, "k1")
        with pytest.raises(StoreError, match="another shipwheel"):
            store.prune()
        copy(image("a"), other, "a:1")
        store.prune()

    def test_of_no_store_takes_nothing(self, store: Store) -> None:
        assert store.prune(all=True).bytes == 0
        assert not store.root.exists()

    def test_survives_an_image_that_is_damaged(self, store: Store) -> None:
        given = image("a")
        copy(given, store, "a:1")
        (store.root / "oci/blobs/sha256" / given.manifest.digest.hex).unlink()
        store.prune()
        assert store.names() == ("a:1",)

    def test_all_takes_downloads_and_leaves_unpacked_layers(self, tmp_path: Path) -> None:
        places = {name: tmp_path / name for name in ("downloads", "unpacked")}
        for place in places.values():
            (place / "sha256").mkdir(parents=True)
            (place / "sha256" / "x").write_bytes(b"1234")
        store = Store(tmp_path / "store", **places)
        put(store, "k1")
        assert (store.usage().downloads.bytes, store.usage().unpacked.bytes) == (4, 4)
        store.prune()
        assert store.usage().downloads.count == 1
        store.prune(all=True)
        assert (store.usage().downloads.count, store.usage().unpacked.count) == (0, 1)

    def test_usage_counts_what_lies_there(self, store: Store) -> None:
        put(store, "k1")
        copy(image("a"), store, "a:1")
        found = store.usage()
        assert (found.images, found.blobs.count, found.partial.count) == (1, 4, 0)
        assert found.blobs.bytes == sum(path.stat().st_size for path in (store.root / "oci/blobs/sha256").iterdir())


class TestRefusals:
    def test_a_file_where_the_store_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        store = Store(tmp_path / "file" / "store")
        with pytest.raises(StoreError, match="cannot read"):
            store.names()
        with pytest.raises(StoreError, match="cannot write"):
            put(store, "k1")

    def test_too_large_a_file_leaves_nothing(self, tmp_path: Path) -> None:
        """A limit on file sizes refuses a write half-way, as a full disk does."""
        out = _run(tmp_path, "limit", "20000")
        assert out == ["StoreError", "True"]
        assert below(tmp_path / "store/tmp") == []
        assert below(tmp_path / "store/oci/blobs") == []
        put(Store(tmp_path / "store"), "k1")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_a_store_of_somebody_else_can_be_read(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "store")
        copy(image("a"), store, "a:1")
        put(store, "k1")
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        out = _run(tmp_path, "other")
        assert out == ["('a:1',)", "found", "StoreError", "True"]


class TestManyAtOnce:
    def test_two_processes_name_images_at_once(self, tmp_path: Path) -> None:
        workers = [_start(tmp_path, "tag", str(number)) for number in range(3)]
        for worker in workers:
            assert worker.wait(60) == 0
        store = Store(tmp_path / "store")
        assert store.names() == tuple(sorted(f"app{worker}:{number}" for worker in range(3) for number in range(15)))
        for name in store.names()[::7]:
            validate(store.resolve(name))
        assert below(tmp_path / "store/tmp") == []

    @pytest.mark.parametrize("rounds", [12])
    def test_a_killed_writer_leaves_a_valid_store(self, tmp_path: Path, rounds: int) -> None:
        store = Store(tmp_path / "store")
        for number in range(rounds):
            worker = _start(tmp_path, "loop", str(number))
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(0.013 * number)
            worker.send_signal(signal.SIGKILL)
            worker.wait(60)
            worker.stdout.close()
            for name in store.names():
                validate(store.resolve(name))
            for path in (tmp_path / "store").glob("oci/blobs/sha256/*"):
                validate_blob(path)
        Store(store.root).prune()
        assert below(tmp_path / "store/tmp") == []
        put(store, "after")


def validate_blob(path: Path) -> None:
    """A blob file is only ever visible whole."""
    assert foreign(path.read_bytes()).digest.hex == path.name


def _start(folder: Path, *args: str) -> subprocess.Popen[bytes]:
    support = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", __file__, str(folder / "store"), *args]
    env = {**os.environ, "PYTHONPATH": str(support)}
    return subprocess.Popen(command, stdout=None if "tag" in args else subprocess.PIPE, env=env)


def _run(folder: Path, *args: str) -> list[str]:
    worker = _start(folder, *args)
    out, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0
    return out.decode().splitlines()


def _main(root: str, what: str, *args: str) -> None:
    """What the processes that these tests start do."""
    store = Store(Path(root))
    if what == "tag":
        for number in range(15):
            copy(image("shared", f"own{args[0]}-{number}"), store, f"app{args[0]}:{number}")
    elif what == "loop":
        print("begun", flush=True)
        for number in range(10_000):
            put(store, f"{args[0]}-{number}")
            copy(image(f"{args[0]}-{number}"), store, f"app:{number % 5}")
    elif what == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(args[0]), int(args[0])))
        _refused(lambda: store.put_layer("k1", "", _noise))
    elif what == "other":
        os.setuid(65534)
        print(store.names())
        print("found" if store.layer("k1") else "lost")
        _refused(lambda: put(store, "k2"))


def _noise(sink: Sink) -> Packed:
    for _ in range(100):
        sink.write(os.urandom(4096))
    return pack(Tree(), io.BytesIO())


def _refused(act: object) -> None:
    try:
        act()  # type: ignore[operator]
    except StoreError as error:
        print(type(error).__name__)
        print(bool(error.hint))


if __name__ == "__main__":
    _main(*sys.argv[1:])
