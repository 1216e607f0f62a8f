"""Any tree that there can be, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from shipwheel.oci.tree import Entry, Tree

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
PARTS = st.text(LETTERS, min_size=1, max_size=40).filter(
    lambda part: part not in (".", "..") and not part.startswith(".wh.") and len(part.encode()) <= 255
)
PATHS = st.lists(PARTS, min_size=1, max_size=6).map("/".join)
MODES = st.sampled_from((0o644, 0o755, 0o600, 0o400))


@st.composite
def trees(draw: st.DrawFn) -> list[Entry]:
    """Entries that a tree takes: no path is below another that is no folder, none twice in any case."""
    found: dict[str, Entry] = {}
    files: set[str] = set()
    folders: dict[str, str] = {}
    for path in draw(st.lists(PATHS, max_size=12)):
        above = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        taken = path.casefold() in files or path.casefold() in folders
        clash = any(each.casefold() in files or folders.get(each.casefold(), each) != each for each in above)
        if taken or clash:
            continue
        folders.update((each.casefold(), each) for each in above)
        files.add(path.casefold())
        data = draw(st.binary(max_size=2000))
        found[path] = draw(
            st.one_of(
                MODES.map(lambda mode, path=path, data=data: Entry.data(path, data, mode)),
                st.just(Entry.symlink(path, "/etc/" + "x" * draw(st.integers(1, 200)))),
            )
        )
    return list(found.values())


def tree_of(entries: list[Entry]) -> Tree:
    return Tree.of(entries, merge_usr=False)
