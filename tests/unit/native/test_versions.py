"""Wheels that are made for a newer C or C++ library than the base has are named, with the file and what is wanted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from shipwheel.native.elf import Elf, read_elf
from shipwheel.native.versions import GCC, NEWEST, TooNew, newer_versions, too_new
from shipwheel.resolve.inside import GLIBC
from support.elves import library

SITE = "lib/python3.11/site-packages"
LIBSTDCXX = Path("/usr/lib/x86_64-linux-gnu/libstdc++.so.6")


def elf(path: str, *versions: tuple[str, str]) -> Elf:
    return Elf(path=f"{SITE}/{path}", machine="x86_64", needed=tuple(name for name, _ in versions), versions=versions)


def test_the_newest_version_of_a_package_is_named_against_that_of_the_base() -> None:
    files = [
        elf("foo/_a.so", ("libc.so.6", "GLIBC_2.37")),
        elf("foo/_x.so", ("libc.so.6", "GLIBC_2.4"), ("libm.so.6", "GLIBC_2.38")),
    ]
    found = newer_versions({"foo": files}, 36, "bookworm")
    assert found == (TooNew(owner="foo", path=f"{SITE}/foo/_x.so", wanted="GLIBC_2.38", has="2.36"),)
    error = too_new(found, {"foo": "1.2"})
    assert error.message == "foo 1.2 needs glibc 2.38 (foo/_x.so), and the base has 2.36"
    assert error.hint == 'require another version of foo, or set python = "3.13", whose base is Debian trixie'


def test_several_packages_are_all_named() -> None:
    owners = {name: [elf(f"{name}/_x.so", ("libc.so.6", "GLIBC_2.99"))] for name in ("b", "a")}
    error = too_new(newer_versions(owners, 41, "trixie"), {})
    assert error.message.splitlines()[1:] == [
        "  a needs glibc 2.99 (a/_x.so), and the base has 2.41",
        "  b needs glibc 2.99 (b/_x.so), and the base has 2.41",
    ]
    assert error.hint == "require another version of a, b, or take a later base"


@pytest.mark.parametrize(
    ("version", "distribution", "has"),
    [
        ("GLIBCXX_3.4.32", "bookworm", "3.4.30"),
        ("GLIBCXX_3.4.30", "bookworm", ""),
        ("CXXABI_1.3.15", "bookworm", "1.3.13"),
        ("GCC_13.0.0", "bookworm", "12.0.0"),
        ("GLIBCXX_3.4.33", "trixie", ""),
        ("GLIBCXX_3.4.99", "somewhere", ""),
        ("GLIBC_ABI_DT_RELR", "bookworm", ""),
        ("GLIBC_PRIVATE", "bookworm", ""),
        ("CXXABI_TM_1", "bookworm", ""),
        ("OPENSSL_3.4.0", "bookworm", ""),
    ],
)
def test_each_library_is_compared_with_the_base_where_that_is_known(version: str, distribution: str, has: str) -> None:
    found = newer_versions({"a": [elf("a/_a.so", ("libx.so.6", version))]}, 36, distribution)
    assert [each.has for each in found] == ([has] if has else [])


def test_with_a_base_that_nothing_is_known_of_nothing_is_compared() -> None:
    assert newer_versions({"a": [elf("a/_a.so", ("libc.so.6", "GLIBC_2.39"))]}, 28, "") == ()


def test_relative_relocations_need_the_glibc_that_first_knew_them() -> None:
    found = newer_versions({"a": [elf("a/_a.so", ("libc.so.6", "GLIBC_ABI_DT_RELR"))]}, 31, "bullseye")
    assert [(each.wanted, each.has) for each in found] == [("GLIBC_2.36", "2.31")]


def test_a_library_that_the_package_brings_does_not_count() -> None:
    files = [elf("a/_a.so", ("libstdc++.so.6", "GLIBCXX_3.4.99")), Elf(path="a/lib/libstdc++.so.6", machine="x86_64")]
    assert newer_versions({"a": files}, 36, "bookworm") == ()


def test_files_that_the_package_works_without_do_not_count() -> None:
    assert newer_versions({"a": [elf("a/tests/_a.so", ("libc.so.6", "GLIBC_2.99"))]}, 36, "bookworm") == ()


def test_a_made_library_is_refused_as_the_loader_would_refuse_it() -> None:
    made = read_elf(library(versions={"libc.so.6": "GLIBC_2.99"}), f"{SITE}/a/_a.so")
    assert made is not None
    assert [each.wanted for each in newer_versions({"a": [made]}, 41, "trixie")] == ["GLIBC_2.99"]


def test_nothing_too_new_is_no_error() -> None:
    assert newer_versions({"a": [elf("a/_a.so", ("libc.so.6", "GLIBC_2.28"))]}, 36, "bookworm") == ()


def test_what_was_built_here_is_no_fault_of_its_version() -> None:
    found = newer_versions({"ext": [elf("ext.so", ("libc.so.6", "GLIBC_2.38"))]}, 36, "bookworm")
    assert too_new(found, {}, {"ext"}).hint.startswith("ext was built here, where the C library is newer")


def test_every_distribution_in_the_tables_is_known_by_both() -> None:
    assert set(GCC) <= set(GLIBC)
    assert set(GCC.values()) <= set(NEWEST)


@pytest.mark.skipif(
    "Debian" not in Path("/etc/os-release").read_text() or not LIBSTDCXX.exists(), reason="not on Debian for x86_64"
)
def test_the_table_says_what_the_library_of_this_machine_says() -> None:
    text = subprocess.run(["readelf", "-V", str(LIBSTDCXX)], capture_output=True, text=True, check=True).stdout
    defined = text.partition("Version needs")[0]
    for kind in ("GLIBCXX", "CXXABI"):
        newest = max(tuple(map(int, each.split("."))) for each in re.findall(rf"{kind}_([\d.]+)", defined))
        assert ".".join(map(str, newest)) in {table[kind] for table in NEWEST.values()}
