import os
import re
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from shipwheel.http import Client
from shipwheel.native.contents import load_contents
from shipwheel.native.known import Entry, Known, known, known_needs
from shipwheel.resolve.base import SUITES
from shipwheel.resolve.debian import IndexSource, find_archives

ENTRIES = [pytest.param(name, entry, id=name) for name, entries in known().items() for entry in entries]


def test_holds_what_people_of_machine_learning_use():
    assert len(known()) >= 80


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_every_entry_is_of_the_right_form(name: str, entry: Entry):
    assert canonicalize_name(name) == name
    assert entry.libraries or entry.programs or entry.optional
    assert entry.by
    assert Version(entry.looked_at) in SpecifierSet(entry.versions)
    assert entry.source.startswith("https://")
    for library in entry.libraries:
        assert re.fullmatch(r"lib[\w+.-]+\.so\.\d+", library)
    for program in entry.programs:
        assert re.fullmatch(r"[\w+.-]+", program)
    for pattern in entry.optional:
        assert "/" in pattern
        assert not pattern.startswith(("/", "*"))
    for values in (entry.libraries, entry.programs, entry.optional, entry.unless_beside):
        assert list(values) == sorted(set(values))


def test_packages_stand_in_order():
    assert list(known()) == sorted(known())


def test_a_package_of_which_nothing_is_known_needs_nothing():
    assert known_needs("numpy", "2.4.6", frozenset()) == Known()


def test_a_library_in_the_wheel_is_not_needed():
    bundled = known_needs("soundfile", "0.14.0", frozenset({"libsndfile_x86_64.so"}))
    assert (bundled.libraries, bundled.why) == ((), "opened by soundfile.py of soundfile")
    assert known_needs("soundfile", "0.14.0", frozenset()).libraries == ("libsndfile.so.1",)


def test_a_library_that_auditwheel_renamed_is_not_needed():
    assert known_needs("pymediainfo", "7.0.1", frozenset({"libmediainfo-1a2b3c4d.so.0"})).libraries == ()


def test_a_library_whose_name_only_begins_alike_is_needed():
    assert known_needs("psycopg", "3.3.9", frozenset({"libpqxx.so"})).libraries == ("libpq.so.5",)


def test_a_program_in_the_wheel_is_not_needed():
    assert known_needs("imageio-ffmpeg", "0.8.1", frozenset({"ffmpeg-linux-x86_64-v9.0.2"})).programs == ()
    assert known_needs("imageio-ffmpeg", "0.8.1", frozenset()).programs == ("ffmpeg",)


def test_another_package_can_bring_the_same():
    assert known_needs("psycopg", "3.3.9", frozenset(), beside={"psycopg-binary"}) == Known()


def test_what_another_package_requires_by_the_way_needs_less():
    assert known_needs("graphviz", "0.21", frozenset()).programs == ("dot",)
    assert known_needs("graphviz", "0.21", frozenset(), direct=False) == Known()


def test_versions_are_told_apart():
    assert known_needs("kaleido", "0.2.1", frozenset()).programs == ("bash", "dirname")
    assert known_needs("kaleido", "1.3.0", frozenset()) == Known()


def test_says_which_file_opens_or_calls():
    assert known_needs("openai-whisper", "20250625", frozenset()).why == "called by whisper/audio.py of openai-whisper"


def test_plugins_are_optional():
    assert known_needs("numba", "0.68.1", frozenset()).optional == ("numba/np/ufunc/omppool.*", "numba/np/ufunc/tbbpool.*")


@pytest.mark.network
def test_a_debian_release_has_each_library_and_program(tmp_path: Path):
    with Client() as client:
        source = IndexSource(archives=find_archives(os.environ, "", Path("/etc/apt")), fetcher=client, cache=tmp_path)
        releases = [load_contents(source, suite, "amd64") for suite in SUITES.values()]
    for name, entry in (each.values for each in ENTRIES):
        for library in entry.libraries:
            assert any(each.owners(library) for each in releases), (name, library)
        for program in entry.programs:
            assert any(each.programs(program) for each in releases), (name, program)
