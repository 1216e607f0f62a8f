"""The list of Graphviz' plugins, as `dot -c` writes it, from libraries that gcc makes here."""

from __future__ import annotations

import subprocess
from pathlib import Path

from shipwheel.layers.base import added_tree
from support.debian import link, make_deb, member

WHERE = "usr/lib/x86_64-linux-gnu/graphviz"

SOURCE = """
typedef struct { int id; const char *type; int quality; void *engine; void *features; } installed;
typedef struct { int api; installed *types; } api;
static installed layout[] = {{0, "dot", 0, &layout, 0}, {0}};
installed shared_with_others[] = {{7, "png:cairo", 10, 0, 0}, {8, "ps:cairo", -10, 0, 0}, {0}};
static api apis[] = {{1, layout}, {3, shared_with_others}, {0}};
struct { char *name; api *apis; } gvplugin_NAME_LTX_library = {"NAME", apis};
"""

LISTED = """\
libgvplugin_NAME.so.6 NAME {
\tlayout {
\t\tdot 0
\t}
\tdevice {
\t\tpng:cairo 10
\t\tps:cairo -10
\t}
}
"""


def _plugin(where: Path, name: str) -> bytes:
    made = where / f"{name}.so"
    source = SOURCE.replace("NAME", name).encode()
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-x", "c", "-o", made, "-"], input=source, check=True)
    return made.read_bytes()


def test_plugins_of_all_packages_are_listed_with_what_they_do(tmp_path: Path) -> None:
    packages = [
        make_deb(
            tmp_path,
            f"lib{name}",
            [
                member(f"./{WHERE}/libgvplugin_{name}.so.6.0.0", _plugin(tmp_path, name)),
                link(f"./{WHERE}/libgvplugin_{name}.so.6", f"libgvplugin_{name}.so.6.0.0"),
            ],
        )
        for name in ("pango", "core")
    ]
    listed = added_tree(packages).get(f"{WHERE}/config6a")
    assert listed is not None
    assert listed.read().decode() == LISTED.replace("NAME", "core") + LISTED.replace("NAME", "pango")


def test_a_list_that_a_package_brings_stays(tmp_path: Path) -> None:
    files = [
        member(f"./{WHERE}/libgvplugin_core.so.6", _plugin(tmp_path, "core")),
        member(f"./{WHERE}/config6a", b"its own"),
    ]
    listed = added_tree([make_deb(tmp_path, "graphviz", files)]).get(f"{WHERE}/config6a")
    assert listed is not None
    assert listed.read() == b"its own"
