"""`pack`: the format's details, and files that are not what they promise."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from dataclasses import replace

import pytest

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import Digest
from shipwheel.oci.estargz import ESTARGZ
from shipwheel.oci.layer import MULTI_MEMBER, PACK_AT, SINGLE_MEMBER, VERBATIM_FROM, Form, pack
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree
from support.trees import entries, packed

DATA = bytes(range(256)) * 400 + hashlib.sha512(b"").digest() * 2000


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def noise(size: int) -> bytes:
    return b"".join(hashlib.sha256(struct.pack("<I", number)).digest() for number in range(size // 32 + 1))[:size]


def stored(data: bytes, stream: bytes, *, crc32: int | None = None, size: int | None = None) -> Entry:
    return Entry(
        path="big",
        kind=Kind.FILE,
        mode=0o644,
        size=len(data) if size is None else size,
        open=lambda: io.BytesIO(data),
        deflated=Deflated(
            open=lambda: io.BytesIO(stream), size=len(stream), crc32=zlib.crc32(data) if crc32 is None else crc32
        ),
    )


def test_the_bytes_of_a_layer_never_change() -> None:
    """One fixed digest: if it changes, raise `FORMAT`, for every layer key then means other bytes."""
    data = noise(3 * VERBATIM_FROM)
    tree = Tree.of([*entries("a"), stored(data, b"\x01\x00\xc0\xff\x3f" + data)])
    facts = pack(tree, io.BytesIO())
    assert str(facts.diff_id) == "sha256:5ee89fed90f2f57bd3e5785633eed3ea71d86b0869b0dddeca0c65a6dca4256b"
    assert str(facts.digest) == "sha256:85e08691177a9a5c0268f068f3f9877950fb8009dbd70666f6178a6018a77182"


def test_an_empty_tree_is_two_zero_blocks() -> None:
    assert gzip.decompress(packed(Tree())) == b"\0" * 1024


def test_copies_large_deflate_streams_and_only_those() -> None:
    large, small = noise(2 * VERBATIM_FROM), noise(VERBATIM_FROM // 2)
    assert deflated(large) in packed(Tree.of([stored(large, deflated(large))]))
    assert deflated(small) not in packed(Tree.of([stored(small, deflated(small))]))


def test_a_single_member_has_the_same_tar() -> None:
    data = noise(2 * VERBATIM_FROM)
    tree = Tree.of([*entries("a"), stored(data, deflated(data))])
    many, one = io.BytesIO(), io.BytesIO()
    first, second = pack(tree, many), pack(tree, one, form=SINGLE_MEMBER)
    assert first.diff_id == second.diff_id
    inflater = zlib.decompressobj(31)
    assert Digest.of(inflater.decompress(one.getvalue())) == second.diff_id
    assert inflater.unused_data == b""


@pytest.mark.parametrize("size", [PACK_AT - 1536, PACK_AT - 1024, PACK_AT - 512, 2 * PACK_AT])
def test_members_end_well_at_the_edges_of_a_piece(size: int) -> None:
    assert len(gzip.decompress(packed(Tree.of([Entry.data("a", b"x" * size)])))) == 512 + -(-size // 512) * 512 + 1024


LARGE = noise(2 * VERBATIM_FROM)
DAMAGED = {
    "shorter than promised": replace(Entry.data("a", b"123"), size=4),
    "longer than promised": replace(Entry.data("a", b"123"), size=2),
    "another sha256": replace(Entry.data("a", b"123"), sha256="0" * 64),
    "stream cut": stored(LARGE, deflated(LARGE)[:-9]),
    "stream of another file": stored(LARGE, deflated(noise(3 * VERBATIM_FROM)[VERBATIM_FROM:])),
    "stream of noise": stored(LARGE, b"\xff" + LARGE),
    "bytes after the stream": stored(LARGE, deflated(LARGE) + b"more"),
    "wrong CRC": stored(LARGE, deflated(LARGE), crc32=1),
    "a bomb": stored(LARGE, deflated(LARGE + b"\0" * (1 << 26)), size=len(LARGE)),
}


@pytest.mark.parametrize("entry", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("form", [MULTI_MEMBER, SINGLE_MEMBER, ESTARGZ], ids=["multi", "single", "estargz"])
def test_refuses_a_file_that_is_not_what_it_promises(entry: Entry, form: Form) -> None:
    with pytest.raises(IntegrityError, match="is damaged"):
        pack(Tree.of([entry]), io.BytesIO(), form=form)
