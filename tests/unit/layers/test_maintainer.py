"""What maintainer scripts of packages on top of the base would have made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shipwheel.layers.base import added_tree
from shipwheel.oci.tree import Tree
from support.debian import make_deb, member

Made = Callable[..., Tree]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The tree of a package with these files, each with its text."""

    def run(**files: str) -> Tree:
        members = [member(f"./{path}", text.encode()) for path, text in files.items()]
        return added_tree([make_deb(tmp_path, "some", members)])

    return run


@pytest.mark.parametrize(
    ("paths", "link", "target"),
    [
        (["usr/lib/jvm/java-17-openjdk-amd64/bin/java"], "usr/bin/java", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
        (
            ["usr/lib/jvm/java-21-openjdk-arm64/bin/java", "usr/lib/jvm/java-25-openjdk-arm64/bin/java"],
            "usr/bin/java",
            "/usr/lib/jvm/java-25-openjdk-arm64/bin/java",
        ),
        (["usr/bin/convert-im6.q16"], "usr/bin/convert", "/usr/bin/convert-im6.q16"),
        (["usr/bin/mpirun.mpich", "usr/bin/mpirun.openmpi"], "usr/bin/mpirun", "/usr/bin/mpirun.openmpi"),
        (["usr/lib/a-linux-gnu/blas64/libblas64.so.3"], "usr/lib/a-linux-gnu/libblas64.so.3", "blas64/libblas64.so.3"),
        (
            ["usr/lib/x86_64-linux-gnu/blas/libblas.so.3", "usr/lib/x86_64-linux-gnu/openblas-serial/libblas.so.3"],
            "usr/lib/x86_64-linux-gnu/libblas.so.3",
            "openblas-serial/libblas.so.3",
        ),
    ],
    ids=["java", "the newest java", "imagemagick", "mpi", "another width", "tuned blas"],
)  # fmt: skip
def test_alternatives_are_linked(made: Made, paths: list[str], link: str, target: str) -> None:
    entry = made(**dict.fromkeys(paths, "")).get(link)
    assert entry is not None
    assert entry.target == target


def test_what_a_package_brings_under_the_plain_name_stays(made: Made) -> None:
    entry = made(**{"usr/bin/convert": "its own", "usr/bin/convert-im6.q16": ""}).get("usr/bin/convert")
    assert entry is not None
    assert entry.read() == b"its own"


def test_odbc_drivers_are_registered(made: Made) -> None:
    tree = made(
        **{
            "usr/share/psqlodbc/odbcinst.ini.template": "[PostgreSQL]\nDriver=psqlodbcw.so\n\n",
            "usr/share/tdsodbc/odbcinst.ini": "[FreeTDS]\nDriver=libtdsodbc.so",
            "usr/share/doc/odbcinst.ini": "[Example]\n",
        }
    )
    entry = tree.get("etc/odbcinst.ini")
    assert entry is not None
    assert entry.read() == b"[PostgreSQL]\nDriver=psqlodbcw.so\n\n[FreeTDS]\nDriver=libtdsodbc.so\n"


def test_fontconfig_can_keep_what_it_finds(made: Made) -> None:
    assert made(**{"etc/fonts/fonts.conf": ""}).get("etc/fonts/conf.d/99-cache.conf")
    assert not made(**{"etc/hosts": ""}).get("etc/fonts/conf.d/99-cache.conf")
