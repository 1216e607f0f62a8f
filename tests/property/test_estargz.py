"""Whatever the tree: its eStargz layer reads back the same by its table of contents as by its tar."""

from __future__ import annotations

import io
import tarfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipwheel.oci import estargz, layer
from shipwheel.oci.layer import pack
from shipwheel.oci.tree import Deflated, Entry, Kind
from support.any_tree import tree_of, trees
from support.stargz import read_stargz


def as_in_a_wheel(entry: Entry) -> Entry:
    """The same file with a deflate stream."""
    if entry.kind is not Kind.FILE:
        return entry
    packer, data = zlib.compressobj(9, zlib.DEFLATED, -15), entry.read()
    stream = packer.compress(data) + packer.flush()
    deflated = Deflated(open=lambda: io.BytesIO(stream), size=len(stream), crc32=zlib.crc32(data))
    return Entry(path=entry.path, kind=entry.kind, mode=entry.mode, size=entry.size, open=entry.open, deflated=deflated)


@given(trees(), st.sampled_from([1, 100, 1000, 4 << 20]), st.sampled_from([1, 100, 16384]), st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_table_and_the_tar_tell_the_same(entries: list[Entry], chunk: int, verbatim: int, wheel: bool) -> None:
    tree = tree_of([as_in_a_wheel(entry) if wheel else entry for entry in entries])
    sink = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:  # sizes that trees of a few kilobytes reach
        patch.setattr(estargz, "CHUNK_SIZE", chunk)
        patch.setattr(layer, "VERBATIM_FROM", verbatim)
        pack(tree, sink, form=estargz.ESTARGZ)
    found = read_stargz(sink.getvalue())
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue()), mode="r:gz") as tar:
        members = [member for member in tar if member.name != estargz.TOC_NAME]
        files = {member.name: stream.read() for member in members if (stream := member.isreg() and tar.extractfile(member))}
    rows = [row for row in found.rows if row["type"] != "chunk"]
    assert [row["name"].rstrip("/") for row in rows] == [member.name for member in members]
    assert [row["mode"] for row in rows] == [member.mode for member in members]
    assert [row.get("linkName", "") for row in rows] == [member.linkname for member in members]
    assert found.files == files
    assert files == {entry.path: entry.read() for entry in tree if entry.kind is Kind.FILE} | {estargz.NO_PREFETCH: b"\x0f"}
