"""`Tree`: what it refuses, and what it makes of the rest."""

from __future__ import annotations

import pytest

from shipwheel.errors import TreeError
from shipwheel.oci.tree import Entry, Kind, Tree, merge

REFUSED = {
    "absolute": ([Entry.data("/etc/passwd", b"")], "absolute"),
    "empty": ([Entry.data("", b"")], "empty path"),
    "dot dot": ([Entry.data("a/../b", b"")], r"'\.\.'"),
    "dot": ([Entry.data("./a", b"")], r"'\.'"),
    "double slash": ([Entry.data("a//b", b"")], "empty part"),
    "trailing slash": ([Entry.data("a/", b"")], "empty part"),
    "null byte": ([Entry.data("a\0b", b"")], "null byte"),
    "backslash": ([Entry.data("a\\b", b"")], "backslash"),
    "whiteout": ([Entry.data("a/.wh.b", b"")], "deleted"),
    "long name": ([Entry.data("n" * 256, b"")], "255 bytes"),
    "long name in bytes": ([Entry.data("é" * 128, b"")], "255 bytes"),
    "not UTF-8": ([Entry.data("a\udcff", b"")], "UTF-8"),
    "target not UTF-8": ([Entry.symlink("a", "b\udcff")], "UTF-8"),
    "mode with a file type": ([Entry.data("a", b"", 0o100644)], "mode"),
    "link out of the root": ([Entry.symlink("a/b", "../../c")], "out of the root"),
    "absolute link out of the root": ([Entry.symlink("a", "/../c")], "out of the root"),
    "link to nowhere": ([Entry.symlink("a", "")], "nowhere"),
    "file twice": ([Entry.data("a", b"1"), Entry.data("a", b"1")], "twice"),
    "file and folder": ([Entry.data("a", b""), Entry.directory("a")], "twice"),
    "file below a file": ([Entry.data("a", b""), Entry.data("a/b", b"")], "entries below it"),
    "file below a link": ([Entry.symlink("a", "b"), Entry.data("a/c/d", b"")], "entries below it"),
    "case": ([Entry.data("Readme", b""), Entry.data("README", b"")], "case only"),
    "case of a folder": ([Entry.data("A/x", b""), Entry.data("a/y", b"")], "case only"),
    "two modes": ([Entry.directory("a", 0o700), Entry.directory("a", 0o1777)], "modes"),
    "twice after usrmerge": ([Entry.data("bin/x", b""), Entry.data("usr/bin/x", b"")], "twice"),
}


@pytest.mark.parametrize(("entries", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses(entries: list[Entry], reason: str) -> None:
    with pytest.raises(TreeError, match=reason):
        Tree.of(entries)


def test_says_all_faults_at_once_with_their_paths() -> None:
    with pytest.raises(TreeError) as caught:
        Tree.of([Entry.data("/a", b""), Entry.data("b/..", b""), Entry.data("c", b"")], origin="wheel x")
    assert [problem.path for problem in caught.value.problems] == ["/a", "b/.."]
    assert caught.value.message.startswith("wheel x")


def test_adds_parents_and_sorts() -> None:
    tree = Tree.of([Entry.data("b/c/d", b"1"), Entry.data("a.txt", b""), Entry.data("a/z", b"22"), Entry.data("a-b", b"")])
    assert [entry.path for entry in tree] == ["a", "a/z", "a-b", "a.txt", "b", "b/c", "b/c/d"]
    assert tree.unpacked == 3


def test_a_folder_may_repeat_and_its_unusual_mode_wins() -> None:
    for modes in ((0o755, 0o1777), (0o1777, 0o755), (0o1777, 0o1777, 0o755)):
        tree = Tree.of(Entry.directory("tmp", mode) for mode in modes)
        assert [(entry.path, entry.mode) for entry in tree] == [("tmp", 0o1777)]


def test_case_clashes_can_be_allowed() -> None:
    assert len(Tree.of([Entry.data("A", b""), Entry.data("a", b"")], case_clash=False)) == 2


@pytest.mark.parametrize(
    ("path", "target", "path_after", "target_after"),
    [
        ("lib/x/liba.so", "liba.so.1", "usr/lib/x/liba.so", "liba.so.1"),
        ("lib/x/liba.so", "../../usr/share/a", "usr/lib/x/liba.so", "/usr/share/a"),
        ("lib/x/liba.so", "../../bin/a", "usr/lib/x/liba.so", "../../bin/a"),
        ("sbin/a", "/etc/b", "usr/sbin/a", "/etc/b"),
        ("bin", "usr/bin", "bin", "usr/bin"),
        ("opt/a", "../lib/b", "opt/a", "../lib/b"),
    ],
)
def test_moves_what_lies_in_merged_folders_below_usr(path: str, target: str, path_after: str, target_after: str) -> None:
    entry = Tree.of([Entry.symlink(path, target)]).entries[-1]
    assert (entry.path, entry.target, entry.kind) == (path_after, target_after, Kind.SYMLINK)


def test_keeps_merged_folders_where_told() -> None:
    assert Tree.of([Entry.data("bin/a", b"")], merge_usr=False).get("bin/a")


def test_merges_trees_that_share_folders_only() -> None:
    one, two = Tree.of([Entry.data("a/b", b"")]), Tree.of([Entry.data("a/c", b"")])
    assert [entry.path for entry in merge([one, two])] == ["a", "a/b", "a/c"]
    with pytest.raises(TreeError, match="twice"):
        merge([one, one])
