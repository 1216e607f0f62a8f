"""The search for libraries agrees with the system's own loader, asked by ldd."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from shipwheel.native.elf import Elf
from shipwheel.native.search import PROJECT, Environment, File
from support.elves import elf_at, make_library

TREES: dict[str, dict[str, dict[str, object]]] = {
    "nothing says where": {"a/prog": {"needed": ["libx.so.1"]}, "b/libx.so.1": {}},
    "runpath": {"a/prog": {"needed": ["libx.so.1"], "runpath": "$ORIGIN/../b"}, "b/libx.so.1": {}},
    "braces and several folders": {
        "a/prog": {"needed": ["libx.so.1", "liby.so.1"], "runpath": "/none:${ORIGIN}/../b:$ORIGIN/c"},
        "b/libx.so.1": {},
        "a/c/liby.so.1": {},
    },
    "runpath is not handed on": {
        "a/prog": {"needed": ["libx.so.1"], "runpath": "$ORIGIN/../b:$ORIGIN/../c"},
        "b/libx.so.1": {"needed": ["liby.so.1"]},
        "c/liby.so.1": {},
    },
    "rpath is handed on": {
        "a/prog": {"needed": ["libx.so.1"], "rpath": "$ORIGIN/../b:$ORIGIN/../c"},
        "b/libx.so.1": {"needed": ["liby.so.1", "libnone.so.1"]},
        "c/liby.so.1": {"needed": ["libz.so.1"]},
        "b/libz.so.1": {},
    },
    "but not to one with a runpath": {
        "a/prog": {"needed": ["libx.so.1"], "rpath": "$ORIGIN/../b:$ORIGIN/../c"},
        "b/libx.so.1": {"needed": ["liby.so.1"], "runpath": "$ORIGIN"},
        "c/liby.so.1": {},
    },
    "through one with a runpath it is": {
        "a/prog": {"needed": ["libx.so.1"], "rpath": "$ORIGIN/../b:$ORIGIN/../d"},
        "b/libx.so.1": {"needed": ["liby.so.1"], "runpath": "$ORIGIN/../c"},
        "c/liby.so.1": {"needed": ["libz.so.1"]},
        "d/libz.so.1": {},
    },
    "a circle": {
        "a/prog": {"needed": ["libx.so.1"], "rpath": "$ORIGIN/../b"},
        "b/libx.so.1": {"needed": ["liby.so.1"]},
        "b/liby.so.1": {"needed": ["libx.so.1", "libnone.so.1"]},
    },
    "another name in the file than on it": {
        "a/prog": {"needed": ["libx.so.1"], "runpath": "$ORIGIN/../b"},
        "b/libx.so.1.2": {"soname": "libx.so.1"},
    },
}


def made(root: Path, tree: dict[str, dict[str, object]]) -> dict[str, Elf]:
    for place, options in tree.items():
        make_library(root / place, program=place.endswith("prog"), **options)  # type: ignore[arg-type]
    return {place: elf_at(root / place, root) for place in tree}


def not_found_by_ldd(program: Path) -> set[str]:
    text = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(\S+) => not found", text))


def not_found(elves: dict[str, Elf]) -> set[str]:
    """By a program whose libraries each come with a package of their own."""
    environment = Environment({place: [elf] for place, elf in elves.items()})
    waiting, seen, unmet = [each for each in environment.files if each.owner == "a/prog"], set[str](), set[str]()
    while waiting:
        file = waiting.pop()
        for name in file.elf.needed:
            found = environment.found(file, name)
            unmet |= set() if found else {name}
            waiting += [each for each in found if each.place not in seen]
            seen |= {each.place for each in found}
    return unmet


@pytest.mark.parametrize("name", TREES)
def test_what_is_not_found_is_what_ldd_does_not_find(tmp_path: Path, name: str) -> None:
    elves = made(tmp_path, TREES[name])
    assert not_found(elves) == not_found_by_ldd(tmp_path / "a/prog")


def test_a_package_finds_its_own_libraries_wherever_they_lie() -> None:
    asking = Elf(path="x/_x.so", machine="x86_64", needed=("liby.so.1",))
    library = Elf(path="x.libs/y", machine="x86_64", soname="liby.so.1")
    environment = Environment({"x": [asking, library]})
    assert environment.found(File("x", asking), "liby.so.1") == (File("x", library),)


def test_absolute_folders_are_those_of_the_image() -> None:
    library = Elf(path="lib/liby.so.1", machine="x86_64")
    in_venv = Elf(path="lib/a.so", machine="x86_64", runpath=("/opt/venv/lib",))
    in_app = Elf(path="a.so", machine="x86_64", runpath=("/app/lib", "$ORIGIN/../opt/venv/lib"))
    assert Environment({"y": [library], "a": [in_venv]}).found(File("a", in_venv), "liby.so.1")
    assert Environment({PROJECT: [library, in_app]}).found(File(PROJECT, in_app), "liby.so.1") == (File(PROJECT, library),)
    assert Environment({"y": [library], PROJECT: [in_app]}).found(File(PROJECT, in_app), "liby.so.1") == (File("y", library),)


def test_a_needed_path_is_looked_for_there_alone() -> None:
    library = Elf(path="lib/liby.so.1", machine="x86_64")
    asking = Elf(path="a.so", machine="x86_64", runpath=("$ORIGIN",))
    environment = Environment({"y": [library], "a": [asking]})
    assert environment.found(File("a", asking), "/opt/venv/lib/liby.so.1")
    assert not environment.found(File("a", asking), "/usr/lib/liby.so.1")


def test_files_for_other_machines_and_for_musl_are_left_out() -> None:
    ours = Elf(path="a.so", machine="x86_64", needed=("libc.so.6",))
    others = [
        Elf(path="arm.so", machine="aarch64", needed=("libc.so.6",)),
        Elf(path="alpine.so", machine="x86_64", needed=("libc.musl-x86_64.so.1",)),
        Elf(path="musl.so", machine="x86_64", needed=("libc.so",)),
        Elf(path="lib/ld-musl-x86_64.so.1", machine="x86_64", soname="ld-musl-x86_64.so.1"),
    ]
    assert Environment({"a": [ours, *others]}, "x86_64").files == [File("a", ours)]
