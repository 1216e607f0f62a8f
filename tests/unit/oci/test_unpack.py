"""`unpack_layer`: folders for overlayfs, and archives that want out."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from shipwheel.errors import IntegrityError, StoreError
from shipwheel.oci.blob import Blob
from shipwheel.oci.layer import MTIME
from shipwheel.oci.tree import Entry
from shipwheel.oci.unpack import unpack_layer
from support.trees import below, entries, foreign, layer

ROOT = os.geteuid() == 0


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", data: bytes = b"", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, target, len(data), mode
    return info, data


def blob(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> Blob:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return foreign(gzip.compress(out.getvalue()))


def test_makes_files_folders_and_links_with_their_modes_and_times(tmp_path: Path) -> None:
    made = layer(
        [*entries("a"), Entry.directory("tmp", 0o1777), Entry.directory("locked", 0o500), Entry.data("locked/x", b"1", 0o400)]
    )
    into = tmp_path / "deep/er/x"
    unpack_layer(made.blob, into)
    assert (into / "opt/a/1.txt").read_bytes() == b"a 1\n" * 200
    assert (into / "opt/a/latest").readlink() == Path("2.txt")
    for path, mode in (("opt/a/run", 0o755), ("tmp", 0o1777), ("locked", 0o500), ("locked/x", 0o400), ("opt", 0o755)):
        assert stat.S_IMODE((into / path).stat().st_mode) == mode
        assert (into / path).stat().st_mtime == MTIME
    assert below(tmp_path / "deep/er") == sorted(
        ["x/opt/a/0.txt", "x/opt/a/1.txt", "x/opt/a/2.txt", "x/opt/a/latest", "x/opt/a/run", "x/locked/x"]
    )


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    unpack_layer(foreign(b"not even a layer"), tmp_path / "x")
    assert below(tmp_path) == []


@pytest.mark.skipif(not ROOT, reason="needs root for its attributes")
def test_whiteouts_become_those_of_overlayfs(tmp_path: Path) -> None:
    unpack_layer(blob([member("a", tarfile.DIRTYPE), member("a/.wh..wh..opq"), member("b/.wh.gone")]), tmp_path / "x")
    gone = (tmp_path / "x/b/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(tmp_path / "x/a", "trusted.overlay.opaque") == b"y"


def test_hard_links_inside_a_layer(tmp_path: Path) -> None:
    unpack_layer(blob([member("a", data=b"1"), member("d/b", tarfile.LNKTYPE, "./a")]), tmp_path / "x")
    assert (tmp_path / "x/a").stat().st_ino == (tmp_path / "x/d/b").stat().st_ino


def test_a_later_member_replaces_an_earlier_link_instead_of_following_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"safe")
    unpack_layer(blob([member("a", tarfile.SYMTYPE, str(outside)), member("a", data=b"new")]), tmp_path / "x")
    assert outside.read_bytes() == b"safe"
    assert (tmp_path / "x/a").read_bytes() == b"new"


ESCAPES = {
    "dot dot": [member("../evil", data=b"x")],
    "dot dot deep": [member("a/../../evil", data=b"x")],
    "below a link to outside": [member("a", tarfile.SYMTYPE, ".."), member("a/evil", data=b"x")],
    "below an absolute link": [member("a", tarfile.SYMTYPE, "/tmp"), member("a/evil", data=b"x")],
    "folder over a link": [member("a", tarfile.SYMTYPE, ".."), member("a", tarfile.DIRTYPE), member("a/evil", data=b"x")],
    "hard link to outside": [member("a", tarfile.LNKTYPE, "../evil")],
    "hard link to an absolute path": [member("a", tarfile.LNKTYPE, "/etc/passwd")],
    "hard link through a link": [member("l", tarfile.SYMTYPE, "/etc"), member("a", tarfile.LNKTYPE, "l/passwd")],
    "whiteout of outside": [member("../.wh.evil")],
    "whiteout of the parent": [member("a", tarfile.DIRTYPE), member("a/.wh...")],
    "very deep": [member("a/" * 400 + "b", data=b"x")],
}  # fmt: skip


@pytest.mark.parametrize("members", ESCAPES.values(), ids=ESCAPES)
def test_nothing_leaves_the_folder_and_nothing_is_left(members: list[tuple[tarfile.TarInfo, bytes]], tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        unpack_layer(blob(members), tmp_path / "in" / "x")
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


def test_absolute_names_are_below_the_root(tmp_path: Path) -> None:
    unpack_layer(
        blob([member("/etc/x", data=b"1"), member("./etc/y", data=b"2"), member("./", tarfile.DIRTYPE, mode=0o755)]),
        tmp_path / "x",
    )
    assert below(tmp_path / "x") == ["etc/x", "etc/y"]


@pytest.mark.parametrize("cut", [10, 100, -5])
def test_a_cut_layer_leaves_nothing(cut: int, tmp_path: Path) -> None:
    data = layer(entries("a")).blob.read()[:cut]
    with pytest.raises(IntegrityError):
        unpack_layer(foreign(data), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_lying_digest_leaves_nothing(tmp_path: Path) -> None:
    one, two = layer(entries("a")).blob, layer(entries("b")).blob
    with pytest.raises(IntegrityError, match="damaged"):
        unpack_layer(Blob(descriptor=one.descriptor, open=two.open), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        unpack_layer(layer(entries("a")).blob, tmp_path / "file" / "x")


def test_an_ordinary_user_gets_the_files_without_owners(tmp_path: Path) -> None:
    if ROOT:
        tmp_path.chmod(0o777)
        for parent in tmp_path.parents:
            if parent != Path("/") and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            code = 1
            try:
                unpack_layer(layer([*entries("a"), Entry.data("setuid", b"", 0o4755)]).blob, tmp_path / "x")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (tmp_path / "x/opt/a/run").stat().st_uid == 65534
    else:
        unpack_layer(layer(entries("a")).blob, tmp_path / "x")
    assert os.access(tmp_path / "x/opt/a/run", os.X_OK)
