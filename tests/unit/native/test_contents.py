"""Which package has which library: from a signed archive made here, and from Debian's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import ResolveError
from shipwheel.http import Client, Limits
from shipwheel.native.contents import DebianContents, load_contents
from shipwheel.resolve.base import SUITES, base_packages
from shipwheel.resolve.debian import DebianArchives, IndexSource, find_archives
from support.debian import NOW, Mirror, SignedArchive, serve_mirror

AMD64 = """\
bin/git-shell                                           vcs/git
usr/bin/a file                                          admin/spaced
usr/bin/dot                                             graphics/graphviz
usr/bin/espeak                                          sound/espeak,sound/espeak-ng-espeak
usr/games/dot                                           games/connect
usr/lib/aarch64-linux-gnu/libGL.so.1                    libs/libgl-elsewhere
usr/lib/libflat.so.2                                    libs/libflat2
lib/x86_64-linux-gnu/libz.so.1                          libs/zlib1g
usr/lib/x86_64-linux-gnu/blas/libblas.so.3              libs/libblas3
usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3  libs/libopenblas0-pthread
usr/lib/x86_64-linux-gnu/gl4es/libGL.so.1               libs/libgl4es0
usr/lib/x86_64-linux-gnu/libGL.so                       libdevel/libgl-dev
usr/lib/x86_64-linux-gnu/libGL.so.1                     libs/libgl1
usr/lib/x86_64-linux-gnu/libavcodec.so.61               libs/libavcodec-extra61,libs/libavcodec61
usr/lib/x86_64-linux-gnu/libc++.so.1                    libs/libc++1-17t64,libs/libc++1-18,libs/libc++1-9
usr/lib/x86_64-linux-gnu/libglib-2.0.so.0               libs/a,libs/libglib2.0-0t64
usr/lib/x86_64-linux-gnu/notes.txt                      libs/libgl1
usr/sbin/tool                                           admin/tool
"""
ALL = """\
usr/bin/exiftool                                        perl/libimage-exiftool-perl
usr/lib/x86_64-linux-gnu/libnever.so.1                  libs/never
"""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    (tmp_path / "mirror").mkdir()
    with serve_mirror(tmp_path / "mirror") as server:
        yield server


@pytest.fixture
def archive(mirror: Mirror) -> SignedArchive:
    made = SignedArchive(mirror.folder)
    made.publish("trixie")
    made.write("debian", "trixie", contents={"amd64": AMD64, "all": ALL})
    updates = "usr/lib/x86_64-linux-gnu/libclamav.so.12 libs/libclamav12\n"
    made.write("debian", "trixie-updates", contents={"amd64": updates})
    return made


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(limits=Limits(connect=2, stall=5, attempts=2, backoff=0.01)) as made:
        yield made


@pytest.fixture
def source(mirror: Mirror, archive: SignedArchive, client: Client, tmp_path: Path) -> IndexSource:
    return IndexSource(
        archives=DebianArchives(main=f"{mirror.url}/debian", security=f"{mirror.url}/debian-security"),
        fetcher=client,
        cache=tmp_path / "cache",
        keyring=archive.keyring,
        now=NOW,
    )


@pytest.fixture
def contents(source: IndexSource) -> DebianContents:
    return load_contents(source, "trixie", "amd64")


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("libGL.so.1", ["libgl1"]),
        ("libz.so.1", ["zlib1g"]),
        ("libflat.so.2", ["libflat2"]),
        ("libblas.so.3", ["libblas3", "libopenblas0-pthread"]),
        ("libavcodec.so.61", ["libavcodec61", "libavcodec-extra61"]),
        ("libc++.so.1", ["libc++1-9", "libc++1-18", "libc++1-17t64"]),
        ("libglib-2.0.so.0", ["libglib2.0-0t64", "a"]),
        ("libclamav.so.12", ["libclamav12"]),
        ("libGL.so", []),
        ("notes.txt", []),
        ("libGLxso.1", []),
        ("libnever.so.1", []),
        ("dot", []),
    ],
)
def test_the_package_named_after_a_library_in_the_loaders_folder_is_first(
    contents: DebianContents, library: str, packages: list[str]
) -> None:
    assert list(contents.owners(library)) == packages


@pytest.mark.parametrize(
    ("program", "packages"),
    [
        ("dot", ["graphviz"]),
        ("git-shell", ["git"]),
        ("tool", ["tool"]),
        ("espeak", ["espeak", "espeak-ng-espeak"]),
        ("exiftool", ["libimage-exiftool-perl"]),
        ("nothing", []),
    ],
)
def test_programs_are_those_of_the_search_path(contents: DebianContents, program: str, packages: list[str]) -> None:
    assert list(contents.programs(program)) == packages


def test_the_libraries_of_packages_are_by_name_wherever_the_loader_looks(contents: DebianContents) -> None:
    assert contents.libraries(["zlib1g", "libblas3", "libavcodec61", "graphviz"]) == {
        "libz.so.1",
        "libblas.so.3",
        "libavcodec.so.61",
    }
    assert contents.libraries([]) == frozenset()


def test_contents_of_all_architectures_are_fetched_when_a_program_needs_them(contents: DebianContents, mirror: Mirror) -> None:
    assert contents.owners("libnone.so.1") == ()
    assert contents.programs("dot")
    assert not any("Contents-all" in path for path in mirror.paths)
    mirror.paths.clear()
    assert contents.programs("exiftool")
    assert contents.programs("nothing") == ()
    assert len(mirror.paths) == 2


def test_a_second_lock_asks_only_for_inrelease(source: IndexSource, contents: DebianContents, mirror: Mirror) -> None:
    mirror.paths.clear()
    assert load_contents(source, "trixie", "amd64").texts == contents.texts
    assert [path.rpartition("/")[2] for path in mirror.paths] == ["InRelease"] * 3


def test_contents_that_do_not_hash_as_promised_are_refused(source: IndexSource, mirror: Mirror) -> None:
    for file in mirror.folder.glob("debian/dists/trixie/main/**/*"):
        if file.is_file():
            file.write_bytes(b"something else")
    with pytest.raises(ResolveError, match=r"Contents-amd64.gz is not the file that its InRelease promises"):
        load_contents(source, "trixie", "amd64")


def test_a_suite_without_contents_for_the_architecture_is_refused(source: IndexSource) -> None:
    with pytest.raises(ResolveError, match="no packages for 'arm64'"):
        load_contents(source, "trixie", "arm64")
    with pytest.raises(ResolveError, match="no packages for 's390x'"):
        load_contents(source, "trixie", "s390x")


def test_long_files_are_read_in_pieces_without_losing_a_line(source: IndexSource, archive: SignedArchive) -> None:
    """Beyond the 64 KB that are inflated at once, and random enough not to shrink to less."""
    names = [f"lib{os.urandom(20).hex()}.so.{number}" for number in range(4000)]
    archive.write("debian", "trixie", contents={"amd64": "".join(f"usr/lib/{name} libs/own-{name}\n" for name in names)})
    contents = load_contents(replace(source, cache=source.cache / "other"), "trixie", "amd64")
    assert [contents.owners(name) for name in names] == [(f"own-{name}",) for name in names]


REAL = {
    "libGL.so.1": "libgl1", "libgomp.so.1": "libgomp1", "libsndfile.so.1": "libsndfile1", "libodbc.so.2": "libodbc2",
    "libpq.so.5": "libpq5", "libasound.so.2": "libasound2", "libmariadb.so.3": "libmariadb3", "libcairo.so.2": "libcairo2",
    "libglib-2.0.so.0": "libglib2.0-0", "libX11.so.6": "libx11-6", "libz.so.1": "zlib1g", "libSM.so.6": "libsm6",
    "libXrender.so.1": "libxrender1", "libXext.so.6": "libxext6", "libportaudio.so.2": "libportaudio2",
    "libpango-1.0.so.0": "libpango-1.0-0", "libmagic.so.1": "libmagic1", "libzbar.so.0": "libzbar0", "libEGL.so.1": "libegl1",
    "libusb-1.0.so.0": "libusb-1.0-0", "libblas.so.3": "libblas3", "liblapack.so.3": "liblapack3", "libtbb.so.12": "libtbb12",
    "libsystemd.so.0": "libsystemd0", "libnuma.so.1": "libnuma1", "libfontconfig.so.1": "libfontconfig1",
}  # fmt: skip
REAL_PROGRAMS = {"ffmpeg": "ffmpeg", "dot": "graphviz", "git": "git", "tesseract": "tesseract-ocr", "pdftoppm": "poppler-utils"}


@pytest.mark.network
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_debian_has_what_wheels_need(python: str, architecture: str, tmp_path: Path) -> None:
    with Client() as client:
        archives = find_archives(os.environ, "", Path("/etc/apt"))
        source = IndexSource(archives=archives, fetcher=client, cache=tmp_path)
        contents = load_contents(source, SUITES[python], architecture)
    found = {library: contents.owners(library)[0].removesuffix("t64") for library in REAL}
    assert found == REAL
    assert {program: contents.programs(program)[0] for program in REAL_PROGRAMS} == REAL_PROGRAMS
    base = contents.libraries(base_packages(python))
    assert {"libc.so.6", "libm.so.6", "libdl.so.2", "libgcc_s.so.1", "libstdc++.so.6", "libssl.so.3", "libz.so.1"} <= base
    assert not {"libGL.so.1", "libgomp.so.1"} & base
    assert sum(map(len, contents.texts)) < 2.5e6
