"""Whatever the tree: its layer is the same bytes, and says the truth, and others read it."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shipwheel.oci.estargz import ESTARGZ
from shipwheel.oci.layer import MULTI_MEMBER, SINGLE_MEMBER, VERBATIM_FROM, Form, pack
from shipwheel.oci.tarcheck import tar_problems
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree
from support.any_tree import tree_of, trees
from support.trees import packed


@given(trees(), st.randoms(use_true_random=False))
def test_order_of_entries_does_not_matter(entries: list[Entry], random: random.Random) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert packed(tree_of(entries)) == packed(tree_of(shuffled))


@given(trees())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_tarfile_reads_back_what_went_in(entries: list[Entry]) -> None:
    tree = tree_of(entries)
    with tarfile.open(fileobj=io.BytesIO(packed(tree)), mode="r:gz") as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == [entry.path for entry in tree]
        for member, entry in zip(members, tree, strict=True):
            assert member.mode == entry.mode
            if entry.kind is Kind.FILE:
                stream = tar.extractfile(member)
                assert stream is not None
                assert stream.read() == entry.read()
            elif entry.kind is Kind.SYMLINK:
                assert member.linkname == entry.target


@given(trees(), st.sampled_from([MULTI_MEMBER, SINGLE_MEMBER, ESTARGZ]))
def test_digests_and_sizes_are_true(entries: list[Entry], form: Form) -> None:
    sink = io.BytesIO()
    facts = pack(tree_of(entries), sink, form=form)
    data = sink.getvalue()
    tar = gzip.decompress(data)
    assert (facts.digest.hex, facts.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (facts.diff_id.hex, facts.unpacked) == (hashlib.sha256(tar).hexdigest(), len(tar))
    assert list(tar_problems(iter([tar]))) == []


def _name(length: int, letter: str = "n", *, folder: str = "") -> str:
    """A path of `length` bytes."""
    base = f"{folder}/" if folder else ""
    return base + letter * ((length - len(base.encode())) // len(letter.encode()))


LENGTHS = [*range(97, 104), *range(153, 158), *range(253, 259)]


@pytest.mark.parametrize("letter", ["n", "é", "🚢"])
@pytest.mark.parametrize("length", LENGTHS)
def test_names_near_every_limit_of_ustar_come_out_whole(length: int, letter: str) -> None:
    paths = {_name(length, letter, folder="d" * cut) for cut in (1, 50, 99, 100, 101, 154, 155, 156, 200) if cut < length - 5}
    paths |= {_name(min(length, 255), letter)}
    fitting = [path for path in paths if all(len(part.encode()) <= 255 for part in path.split("/"))]
    tree = Tree.of([*(Entry.data(path, path.encode()) for path in fitting), Entry.symlink("link", "t" * length)])
    data = packed(tree)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        assert tar.getnames() == [entry.path for entry in tree]
        assert tar.getmember("link").linkname == "t" * length
    assert list(tar_problems(iter([gzip.decompress(data)]))) == []


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is absent")
@pytest.mark.parametrize("length", LENGTHS)
def test_gnu_tar_lists_the_same_names(length: int, tmp_path: Path) -> None:
    paths = sorted({_name(length, folder="d" * cut) for cut in (1, 99, 100, 101, 155, 156)} | {_name(min(length, 255), "é")})
    paths = [path for path in paths if not path.endswith("/") and len(path.rpartition("/")[2].encode()) <= 255]
    layer = tmp_path / "layer.tar.gz"
    layer.write_bytes(packed(Tree.of(Entry.data(path, b"x") for path in paths)))
    out = subprocess.run(["tar", "--quoting-style=literal", "-tzf", layer], capture_output=True, check=True).stdout.decode()
    assert sorted(line for line in out.splitlines() if not line.endswith("/")) == paths


@given(seed=st.binary(min_size=1, max_size=400), level=st.integers(1, 9))
@example(seed=b"z", level=9)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_members_copied_from_a_zip_equal_those_packed_anew(seed: bytes, level: int, tmp_path: Path) -> None:
    noise = random.Random(seed).randbytes(3 * VERBATIM_FROM)
    contents = {"big.bin": noise + seed * 1000, "small.txt": seed, "empty": b"", "text.py": seed * 5000}
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    copied = gzip.decompress(packed(Tree.of(_entries_of(path))))
    anew = gzip.decompress(packed(Tree.of(Entry.data(name, data) for name, data in contents.items())))
    assert copied == anew


def _entries_of(path: Path) -> list[Entry]:
    """A zip's members, with the deflate streams where they lie (APPNOTE, 4.3.7: 30 bytes, name, extra field, data)."""
    entries = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            data = archive.read(info)
            with path.open("rb") as file:
                file.seek(info.header_offset)
                head = file.read(30)
                start = info.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
                file.seek(start)
                stream = file.read(info.compress_size)
            entries.append(
                Entry(
                    path=info.filename,
                    kind=Kind.FILE,
                    mode=0o644,
                    size=info.file_size,
                    open=lambda data=data: io.BytesIO(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    deflated=Deflated(open=lambda stream=stream: io.BytesIO(stream), size=len(stream), crc32=info.CRC),
                )
            )
    return entries
