"""eStargz: what a lazy node needs is there, and all others see a plain layer."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from pathlib import Path

import pytest

from shipwheel.errors import TreeError
from shipwheel.oci.estargz import CHUNK_SIZE, ESTARGZ, NO_PREFETCH, TOC_DIGEST, TOC_NAME, UNCOMPRESSED_SIZE
from shipwheel.oci.layer import VERBATIM_FROM, Packed, pack
from shipwheel.oci.memo import Memo, Memos
from shipwheel.oci.store import Store
from shipwheel.oci.tarcheck import tar_problems
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree
from support.stargz import read_stargz
from support.trees import entries


def noise(size: int) -> bytes:
    return b"".join(hashlib.sha256(struct.pack("<I", number)).digest() for number in range(size // 32 + 1))[:size]


def from_wheel(path: str, data: bytes, *, sha256: bool) -> tuple[Entry, bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    stream = packer.compress(data) + packer.flush()
    deflated = Deflated(open=lambda: io.BytesIO(stream), size=len(stream), crc32=zlib.crc32(data))
    entry = Entry(
        path=path,
        kind=Kind.FILE,
        mode=0o644,
        size=len(data),
        open=lambda: io.BytesIO(data),
        sha256=hashlib.sha256(data).hexdigest() if sha256 else "",
        deflated=deflated,
    )
    return entry, stream


def packed(contents: list[Entry]) -> tuple[Packed, bytes]:
    sink = io.BytesIO()
    facts = pack(Tree.of(contents), sink, form=ESTARGZ)
    return facts, sink.getvalue()


def test_the_bytes_of_a_layer_never_change() -> None:
    """One fixed digest: if it changes, change the key of `ESTARGZ`, which then means other bytes."""
    facts, _ = packed([*entries("a"), from_wheel("big", noise(3 * VERBATIM_FROM), sha256=True)[0]])
    assert str(facts.digest) == "sha256:975a9ffda615d756424544da03b93536a1956adca000e80fd3e3f6d6f6c3e22b"


def test_the_annotations_are_the_digest_of_the_table_and_the_size_of_the_tar() -> None:
    facts, data = packed(entries("a"))
    assert facts.annotations == {
        TOC_DIGEST: read_stargz(data).toc_digest,
        UNCOMPRESSED_SIZE: str(len(gzip.decompress(data))),
    }


def test_the_table_tells_all_of_every_entry() -> None:
    _, data = packed([Entry.directory("tmp", 0o1777), Entry.symlink("tmp/x", "/etc/y"), Entry.data("tmp/é", b"", 0o755)])
    common = {"modtime": "1980-01-01T00:00:00Z", "uid": 0, "gid": 0}
    assert [row for row in read_stargz(data).rows if row["name"] != NO_PREFETCH] == [
        {"name": "tmp/", "type": "dir", "mode": 0o1777, **common},
        {"name": "tmp/x", "type": "symlink", "mode": 0o777, "linkName": "/etc/y", **common},
        {
            "name": "tmp/é",
            "type": "reg",
            "mode": 0o755,
            "size": 0,
            "digest": f"sha256:{hashlib.sha256().hexdigest()}",
            **common,
        },
    ]


@pytest.mark.parametrize("sha256", [True, False], ids=["hash known", "hash unknown"])
def test_a_stream_of_at_most_one_chunk_is_copied(sha256: bool) -> None:
    wheel_file, stream = from_wheel("torch.so", noise(2 * VERBATIM_FROM) * 3, sha256=sha256)
    _, data = packed([wheel_file, Entry.data("next", b"x")])
    assert stream in data
    assert read_stargz(data).files["torch.so"] == wheel_file.read()


@pytest.mark.parametrize("size", [CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 1])
@pytest.mark.parametrize("deflated", [True, False])
def test_larger_files_are_chunks_of_which_each_can_be_had_alone(size: int, deflated: bool) -> None:
    content = (noise(1 << 16) * (size // (1 << 16) + 1))[:size]
    entry = from_wheel("torch.so", content, sha256=True)[0] if deflated else Entry.data("torch.so", content)
    _, data = packed([entry, Entry.data("next", b"x")])
    found = read_stargz(data)
    assert found.files["torch.so"] == content
    rows = [row for row in found.rows if row["name"] == "torch.so"]
    assert [row.get("chunkOffset", 0) for row in rows] == list(range(0, size, CHUNK_SIZE))
    assert [row.get("chunkSize", 0) for row in rows] == [CHUNK_SIZE] * (len(rows) - 1) + [0]


def test_the_tar_is_a_plain_one_with_the_table_last() -> None:
    _, data = packed([*entries("a"), Entry.data("!first", b"x"), Entry.data("zlast", b"x")])
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        names = tar.getnames()
    assert names[:2] == ["!first", NO_PREFETCH]
    assert names[-2:] == ["zlast", TOC_NAME]
    assert list(tar_problems(iter([gzip.decompress(data)]))) == []


@pytest.mark.parametrize("name", [TOC_NAME, NO_PREFETCH, ".prefetch.landmark"])
def test_names_that_the_format_needs_are_refused(name: str) -> None:
    with pytest.raises(TreeError, match="needs for itself"):
        packed([Entry.data(name, b"x")])


def test_an_empty_tree_holds_the_landmark() -> None:
    assert read_stargz(packed([])[1]).files == {NO_PREFETCH: b"\x0f"}


def test_the_store_remembers_annotations(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = store.put_layer("k", "test", lambda sink: pack(Tree.of(entries("a")), sink, form=ESTARGZ))
    found = store.layer("k")
    assert found is not None
    assert found.blob.descriptor == made.blob.descriptor
    assert found.blob.descriptor.annotations.keys() == {TOC_DIGEST, UNCOMPRESSED_SIZE}


def test_memos_of_other_forms_are_as_they_always_were(tmp_path: Path) -> None:
    memo = Memo.of(pack(Tree.of(entries("a")), io.BytesIO()), "test")
    assert b"annotations" not in memo.encoded()
    (tmp_path / "k.json").write_bytes(memo.encoded())
    assert Memos(tmp_path).get("k") == memo
    (tmp_path / "k.json").write_bytes(memo.encoded().replace(b"{", b'{"annotations":7,', 1))
    assert Memos(tmp_path).get("k") is None
