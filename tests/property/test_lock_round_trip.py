"""Whatever a lock holds, its text gives it back, and every change of the text is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.errors import LockError
from shipwheel.lock import BaseImage, Built, Deb, Lock, ModelFile, PlatformLock, Wheel, dump_lock, parse_lock
from shipwheel.oci.blob import Platform

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)
SAFE = st.text("abcABC019.+_-~ é\x7f\t\"'", min_size=1, max_size=12).filter(lambda text: text != "..")
SHA = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
SIZE = st.integers(1, 2**40)
WHEELS = st.builds(
    Wheel,
    name=TEXT,
    version=TEXT,
    filename=SAFE.map(lambda text: f"{text}.whl"),
    sha256=SHA,
    size=SIZE,
    source=st.sampled_from(["index", "find-links", "shipwheel"]),
)
DEBS = st.builds(
    Deb, name=TEXT, version=TEXT, architecture=st.sampled_from(["amd64", "arm64", "all"]), filename=SAFE, sha256=SHA, size=SIZE
)
BUILT = st.one_of(
    st.builds(Built, name=TEXT, version=TEXT, kind=st.just("sdist"), filename=SAFE, sha256=SHA, size=SIZE),
    st.builds(Built, name=TEXT, version=TEXT, kind=st.just("git"), url=st.just("https://example.org/x"), commit=TEXT),
    st.builds(Built, name=TEXT, version=TEXT, kind=st.just("path"), path=TEXT),
)
MODEL = st.builds(ModelFile, path=SAFE, sha256=SHA, size=st.integers(0, 2**40))
BASES = st.builds(
    BaseImage,
    reference=TEXT,
    digest=SHA.map(lambda text: f"sha256:{text}"),
    size=SIZE,
    python=st.sampled_from(["3.12", "3.12.7"]),
    interpreter=SAFE.map(lambda text: f"/{text}"),
    glibc=st.integers(1, 99),
    distribution=st.sampled_from(["", "bookworm", "ubuntu-22.04"]),
)
PLATFORMS = st.builds(
    PlatformLock,
    base=st.none() | BASES,
    platform=st.sampled_from([Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("linux", "arm", "v7")]),
    debs=st.lists(DEBS, max_size=4, unique_by=lambda each: (each.name, each.architecture)).map(tuple),
    wheels=st.lists(WHEELS, max_size=4, unique_by=lambda each: each.name).map(tuple),
    built=st.lists(BUILT, max_size=3, unique_by=lambda each: each.name).map(tuple),
)
LOCKS = st.builds(
    Lock,
    fingerprint=TEXT,
    python=TEXT,
    suite=TEXT,
    dates=st.dictionaries(TEXT, TEXT, max_size=3),
    platforms=st.lists(PLATFORMS, max_size=3, unique_by=lambda each: each.platform).map(tuple),
    interpreters=st.dictionaries(
        st.sampled_from(["amd64", "arm64"]), st.lists(DEBS, min_size=1, max_size=1).map(tuple), max_size=2
    ),
    model=st.lists(MODEL, max_size=3, unique_by=lambda each: each.path).map(tuple),
)


def _unordered(lock: Lock) -> object:
    platforms = {each.platform: (each.base, set(each.debs), set(each.wheels), set(each.built)) for each in lock.platforms}
    return replace(lock, platforms=(), model=()), platforms, set(lock.model)


@given(LOCKS)
def test_dump_then_parse_gives_the_same_lock(lock: Lock) -> None:
    text = dump_lock(lock)
    parsed = parse_lock(text)
    assert _unordered(parsed) == _unordered(lock)
    assert dump_lock(parsed) == text


@given(LOCKS, st.data())
def test_no_changed_character_goes_unnoticed(lock: Lock, data: st.DataObject) -> None:
    text = dump_lock(lock)
    start = text.index("integrity")
    at = data.draw(st.integers(start, len(text) - 1))
    other = data.draw(st.characters(blacklist_categories=["Cs"], blacklist_characters=[text[at], "\r"]))
    with pytest.raises(LockError):
        parse_lock(text[:at] + other + text[at + 1 :])
