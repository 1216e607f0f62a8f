"""Indexes are believed only when a known key signed them, and asked for once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client
from shipwheel.resolve.debian import DebianArchives, DebIndex, IndexSource, load_index
from shipwheel.resolve.debian.release import debian_keyring
from support.debian import HOUR, NOW, Mirror, SignedArchive, rfc, serve_mirror, stanza


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    (tmp_path / "mirror").mkdir()
    with serve_mirror(tmp_path / "mirror") as server:
        yield server


@pytest.fixture
def archive(mirror: Mirror) -> SignedArchive:
    made = SignedArchive(mirror.folder)
    made.publish("bookworm", [stanza("alpha"), stanza("beta")], [stanza("alpha", "1.0-2")], [stanza("alpha", "1.0-1+deb12u1")])
    return made


@pytest.fixture
def load(mirror: Mirror, archive: SignedArchive, client: Client, tmp_path: Path) -> Callable[[], DebIndex]:
    def run() -> DebIndex:
        source = IndexSource(
            archives=DebianArchives(main=f"{mirror.url}/debian", security=f"{mirror.url}/debian-security"),
            fetcher=client,
            cache=tmp_path / "cache",
            keyring=archive.keyring,
            now=NOW,
        )
        return load_index(source, "bookworm", "amd64")

    return run


def test_the_highest_version_of_suite_updates_and_security_is_the_best(load: Callable[[], DebIndex]) -> None:
    index = load()
    best = index.best("alpha")
    assert best is not None
    assert best.version == "1.0-2"
    assert sorted(each.version for each in index.versions("alpha")) == ["1.0-1", "1.0-1+deb12u1", "1.0-2"]
    assert {each.archive for each in index.versions("alpha")} == {"debian", "debian-security"}


def test_the_dates_of_both_archives_are_kept_for_the_lock(load: Callable[[], DebIndex], archive: SignedArchive) -> None:
    archive.write("debian", "bookworm", Date=rfc(NOW - 5 * HOUR))
    archive.write("debian-security", "bookworm-security", Date=rfc(NOW - 2 * HOUR))
    index = load()
    assert index.dates == {"debian": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "debian-security": f"{NOW - 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_second_lock_asks_only_for_inrelease(load: Callable[[], DebIndex], mirror: Mirror) -> None:
    load()
    mirror.paths.clear()
    assert load().best("beta")
    assert len(mirror.paths) == 3
    assert all(path.endswith("/InRelease") for path in mirror.paths)


def test_a_damaged_cache_is_fetched_again(load: Callable[[], DebIndex], tmp_path: Path) -> None:
    load()
    for file in (tmp_path / "cache" / "debian").iterdir():
        file.write_bytes(file.read_bytes()[:-5])
    assert load().best("beta")


def test_a_mirror_without_by_hash_is_asked_by_name(load: Callable[[], DebIndex], mirror: Mirror) -> None:
    for file in mirror.folder.glob("*/dists/*/main/binary-amd64/by-hash/SHA256/*"):
        file.unlink()
    assert load().best("beta")


def _tamper(archive: SignedArchive, release: Path) -> None:
    release.write_bytes(release.read_bytes().replace(b"Suite: stable", b"Suite: stubby"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda it: it.write("debian", "bookworm", signed=False), "no valid signature"),
        (lambda it: _tamper(it, it.write("debian", "bookworm")), "no valid signature"),
        (lambda it: SignedArchive(it.root).write("debian", "bookworm"), "no valid signature"),
        (lambda it: it.write("debian", "bookworm", Valid_Until=rfc(NOW - HOUR)), "expired"),
        (lambda it: it.write("debian", "bookworm", Date=rfc(NOW + 48 * HOUR)), "in the future"),
        (lambda it: it.write("debian", "bookworm", Date="soon"), "holds the date 'soon'"),
        (lambda it: it.write("debian", "bookworm", Codename="bullseye"), "index of 'bullseye'"),
    ],
    ids=["unsigned", "tampered", "another key", "expired", "future", "no date", "another suite"],
)
def test_an_index_that_cannot_be_trusted_is_refused(
    load: Callable[[], DebIndex], archive: SignedArchive, spoil: Callable[[SignedArchive], object], said: str
) -> None:
    spoil(archive)
    with pytest.raises(ResolveError, match=said) as caught:
        load()
    assert "bookworm" in caught.value.message
    assert "Stack backtrace" not in caught.value.message
    assert caught.value.hint


def test_text_around_the_signed_part_is_not_read(load: Callable[[], DebIndex], archive: SignedArchive) -> None:
    release = archive.write("debian", "bookworm", Codename="bullseye")
    release.write_bytes(b"Codename: bookworm\n" + release.read_bytes())
    with pytest.raises(ResolveError, match=r"index of 'bullseye'|no valid signature"):
        load()


def test_packages_that_do_not_hash_as_promised_are_refused(load: Callable[[], DebIndex], mirror: Mirror) -> None:
    for file in mirror.folder.glob("debian/dists/bookworm/main/binary-amd64/**/*"):
        if file.is_file():
            file.write_bytes(b"something else")
    with pytest.raises(ResolveError, match="not the file that its InRelease promises"):
        load()


def test_a_missing_suite_says_how_to_name_both_archives(load: Callable[[], DebIndex], mirror: Mirror) -> None:
    (mirror.folder / "debian-security/dists/bookworm-security/InRelease").unlink()
    with pytest.raises(ResolveError, match="no Debian suite 'bookworm-security'") as caught:
        load()
    assert "debian-mirror" in caught.value.hint


def test_a_mirror_that_is_down_is_a_network_error(tmp_path: Path) -> None:
    source = IndexSource(archives=DebianArchives(main="http://127.0.0.1:9/debian"), fetcher=_Down(), cache=tmp_path)
    with pytest.raises(NetworkError):
        load_index(source, "bookworm", "amd64")


class _Down:
    def get(self, url: str) -> bytes:
        raise NetworkError(f"GET {url} failed")


def test_another_architecture_is_refused(mirror: Mirror, archive: SignedArchive, client: Client) -> None:
    source = IndexSource(
        archives=DebianArchives(main=f"{mirror.url}/debian"),
        fetcher=client,
        cache=mirror.folder,
        keyring=archive.keyring,
    )
    with pytest.raises(ResolveError, match="no packages for 's390x'"):
        load_index(source, "bookworm", "s390x")


def test_the_keys_that_ship_are_debians() -> None:
    from pysequoia import Cert

    owners = {str(user) for key in Cert.split_bytes(debian_keyring()) for user in key.user_ids}
    assert len(owners) == 9
    assert all("debian.org" in owner for owner in owners)
    assert any("13/trixie" in owner for owner in owners)
