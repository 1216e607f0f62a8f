"""Whatever a tree is given: it takes it in one way only, or refuses it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from shipwheel.errors import TreeError
from shipwheel.oci.tree import Entry, Kind, Tree

NAMES = st.sampled_from(("a", "b", "A", "usr", "lib", "bin", "..", ".", "", ".wh.a", "é", "x\\y", "\0", "\udcff", "n" * 256))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
ENTRIES = st.one_of(
    st.builds(Entry.data, PATHS, st.binary(max_size=3)),
    st.builds(Entry.symlink, PATHS, st.one_of(PATHS, PATHS.map(lambda path: f"/{path}"))),
    st.builds(Entry.directory, PATHS, st.sampled_from((0o755, 0o700, 0o1777))),
)


@given(st.lists(ENTRIES, max_size=8), st.randoms(use_true_random=False), st.booleans())
def test_a_tree_is_refused_or_the_same_in_any_order(entries: list[Entry], random: random.Random, merge: bool) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert _outcome(entries, merge) == _outcome(shuffled, merge)


@given(st.lists(ENTRIES, max_size=8), st.booleans())
def test_a_tree_that_is_taken_is_closed_sorted_and_inside_the_root(entries: list[Entry], merge: bool) -> None:
    try:
        tree = Tree.of(entries, merge_usr=merge)
    except TreeError:
        return
    kinds = {entry.path: entry.kind for entry in tree}
    assert len(kinds) == len(tree)
    assert [entry.path.split("/") for entry in tree] == sorted(path.split("/") for path in kinds)
    for path in kinds:
        assert not set(path.split("/")) & {"", ".", ".."}
        parent = path.rpartition("/")[0]
        assert not parent or kinds[parent] is Kind.DIRECTORY


@given(st.lists(ENTRIES, max_size=8))
def test_a_tree_of_a_tree_is_itself(entries: list[Entry]) -> None:
    try:
        tree = Tree.of(entries)
    except TreeError:
        return
    assert Tree.of(tree) == tree


def _outcome(entries: list[Entry], merge: bool) -> object:
    try:
        return [(entry.path, entry.kind, entry.mode, entry.target) for entry in Tree.of(entries, merge_usr=merge)]
    except TreeError:
        return "refused"
