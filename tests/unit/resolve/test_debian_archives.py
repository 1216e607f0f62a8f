"""Which mirror is asked, and where a dropped package is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipwheel.errors import UsageError
from shipwheel.lock import Deb
from shipwheel.resolve.debian import DebianArchives, deb_urls, find_archives
from shipwheel.resolve.debian.archives import ENV_MAIN, ENV_SECURITY, PUBLIC, PUBLIC_SECURITY

DEB = Deb(
    name="app",
    version="1:1.0+b1",
    architecture="amd64",
    filename="pool/main/a/app/app_1.0+b1_amd64.deb",
    sha256="0" * 64,
    size=1,
)

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian/ bookworm main contrib
deb-src http://src.example/debian bookworm main
deb http://one.example/debian-security bookworm-security main
deb https://packages.example/apt/debian nodistro main
"""
DEB822 = """\
Types: deb deb-src
# comment
URIs: https://two.example/mirror/debian
Suites: trixie trixie-updates
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian-security
Suites: trixie-security

Types: deb
URIs: mirror+file:/etc/list http://two.example/debian-security
Suites:
 trixie-security
"""


def apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        path = folder / "sources.list" if name == "main" else folder / "sources.list.d" / name.replace("_", ".")
        path.write_text(text)
    return folder


def found(env: dict[str, str], configured: str, folder: Path) -> tuple[str, str]:
    archives = find_archives(env, configured, folder)
    return archives.main, archives.security


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (PUBLIC, PUBLIC_SECURITY)),
        ({"main": ONE_LINE}, ("http://one.example/debian", "http://one.example/debian-security")),
        ({"debian_sources": DEB822}, ("https://two.example/mirror/debian", "http://two.example/debian-security")),
        ({"main": ONE_LINE, "debian_sources": DEB822}, ("http://one.example/debian", "http://one.example/debian-security")),
        ({"main": "deb http://ubuntu.example/ubuntu noble main\nnonsense\n"}, (PUBLIC, PUBLIC_SECURITY)),
    ],
    ids=["nothing", "one line", "deb822", "both", "not debian"],
)
def test_the_hosts_apt_sources_are_used(tmp_path: Path, files: dict[str, str], expected: tuple[str, str]) -> None:
    assert found({}, "", apt(tmp_path, **files)) == expected


def test_the_environment_beats_apt_and_the_setting_beats_both(tmp_path: Path) -> None:
    folder = apt(tmp_path, main=ONE_LINE)
    env = {ENV_MAIN: "http://env.example/debian", ENV_SECURITY: "http://env.example/sec/"}
    assert found(env, "", folder) == ("http://env.example/debian", "http://env.example/sec")
    assert found(env, "http://set.example/d", folder) == ("http://set.example/d", "http://env.example/sec")
    assert found(env, "http://set.example/d http://set.example/s", folder) == ("http://set.example/d", "http://set.example/s")


def test_an_address_that_is_not_http_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not http"):
        find_archives({}, "ftp://old.example/debian", tmp_path)


def test_a_package_is_looked_for_on_the_mirror_then_in_the_snapshots_of_its_index() -> None:
    urls = deb_urls(DEB, DebianArchives(main="http://m.example/debian"), {"debian": "2026-11-19T02:12:54Z"})
    assert urls == (
        "http://m.example/debian/pool/main/a/app/app_1.0+b1_amd64.deb",
        "https://snapshot.debian.org/archive/debian/20261120T021254Z/pool/main/a/app/app_1.0+b1_amd64.deb",
        "https://snapshot.debian.org/archive/debian/20261119T021254Z/pool/main/a/app/app_1.0+b1_amd64.deb",
    )
    assert len(deb_urls(DEB, DebianArchives(), {})) == 1


def test_credentials_in_an_address_are_not_shown() -> None:
    assert "secret" not in repr(DebianArchives(main="https://me:secret@m.example/debian"))
