"""What ELF files say is what readelf shows of them; broken ones are refused quietly."""

from __future__ import annotations

import mmap
import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.native.elf import Elf, read_elf
from support.elves import library

SYSTEM = sorted(Path("/usr/lib").glob("*-linux-gnu/*.so.*"), key=lambda path: path.name)[::7][:30]


def readelf(path: Path, *flags: str) -> str:
    return subprocess.run(
        ["readelf", "-W", *flags, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout


def as_readelf_shows(path: Path) -> Elf:
    text = readelf(path, "-d")
    folders = {tag: tuple(value.split(":")) for tag, value in re.findall(r"\((RPATH|RUNPATH)\).*\[(.*)\]", text)}
    versions, file = set(), ""
    needs = readelf(path, "-V").partition("Version needs section")[2]
    for name, version in re.findall(r"File: (\S+)|Name: (\S+)", needs):
        file = name or file
        if version:
            versions.add((file, version))
    return Elf(
        path="x",
        machine="aarch64" if "AArch64" in readelf(path, "-h") else "x86_64",
        soname="".join(re.findall(r"\(SONAME\).*\[(.*)\]", text)),
        needed=tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", text)),
        rpath=folders.get("RPATH", ()),
        runpath=folders.get("RUNPATH", ()),
        versions=tuple(sorted(versions)),
    )


@pytest.mark.parametrize("path", SYSTEM, ids=lambda path: path.name)
def test_libraries_of_the_system_read_as_readelf_reads_them(path: Path) -> None:
    if not path.read_bytes().startswith(b"\x7fELF"):
        pytest.skip("a linker script")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert read_elf(data, "x") == as_readelf_shows(path)


@pytest.mark.parametrize("program", [False, True])
def test_what_gcc_was_told_is_read_back(program: bool) -> None:
    data = library(
        soname="libx.so.1",
        needed=("liby.so.2", "libz.so"),
        runpath="$ORIGIN/../y.libs:/opt/y",
        versions={"liby.so.2": "Y_7"},
        program=program,
    )
    elf = read_elf(data, "a/libx.so.1")
    assert elf is not None
    assert (elf.path, elf.soname, elf.needed) == ("a/libx.so.1", "libx.so.1", ("liby.so.2", "libz.so"))
    assert (elf.rpath, elf.runpath) == ((), ("$ORIGIN/../y.libs", "/opt/y"))
    assert elf.versions == (("liby.so.2", "Y_7"),)


def test_an_old_rpath_is_told_from_a_runpath() -> None:
    elf = read_elf(library(rpath="$ORIGIN"), "x")
    assert elf is not None
    assert (elf.rpath, elf.runpath) == (("$ORIGIN",), ())


@pytest.mark.parametrize("section", [".nv_fatbin", ".nvFatBinSegment", ".hip_fatbin", ".cask_resource"])
def test_sections_for_gpus_are_seen(section: str) -> None:
    elf = read_elf(library(sections=(section,)), "x")
    assert elf is not None
    assert elf.device_code


def test_a_file_without_sections_says_all_but_whether_it_has_code_for_gpus() -> None:
    data = bytearray(library(soname="libx.so.1", needed=("liby.so.2",), versions={"liby.so.2": "Y_7"}))
    data[60:64] = bytes(4)
    elf = read_elf(bytes(data), "x")
    assert elf is not None
    assert (elf.soname, elf.needed, elf.versions, elf.device_code) == (
        "libx.so.1",
        ("liby.so.2",),
        (("liby.so.2", "Y_7"),),
        False,
    )


def test_of_files_for_other_machines_only_the_machine_is_told() -> None:
    big, small, gpu = (bytearray(library(needed=("liby.so.2",))) for _ in range(3))
    big[5:6], big[18:20] = b"\2", struct.pack(">H", 22)
    small[4:5], small[18:20] = b"\1", struct.pack("<H", 3)
    gpu[18:20] = struct.pack("<H", 190)
    assert read_elf(bytes(big), "x") == Elf(path="x", machine="machine 22")
    assert read_elf(bytes(small), "x") == Elf(path="x", machine="machine 3")
    other = read_elf(bytes(gpu), "x")
    assert other is not None
    assert other.machine == "machine 190"


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"\x7fELF" + bytes(40), b"#!/bin/sh\n" + bytes(100)])
def test_what_is_no_elf_file_is_none(data: bytes) -> None:
    assert read_elf(data, "x") is None


@given(cut=st.integers(0, 20_000))
def test_a_file_that_ends_early_is_no_traceback(cut: int) -> None:
    read_elf(library(soname="libx.so.1", needed=("liby.so.2",), versions={"liby.so.2": "Y_7"})[:cut], "x")


@given(
    changes=st.lists(st.tuples(st.integers(0, 1200) | st.integers(0, 20_000), st.binary(min_size=1, max_size=8)), max_size=6)
)
def test_a_broken_file_is_no_traceback(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(library(soname="libx.so.1", needed=("liby.so.2",), rpath="a", versions={"liby.so.2": "Y_7"}))
    for at, value in changes:
        start = 4 + at % (len(data) - 16)
        data[start : start + len(value)] = value
    elf = read_elf(bytes(data), "x")
    assert elf is not None
    assert elf.path == "x"


@given(st.binary(max_size=400))
def test_noise_behind_the_magic_is_no_traceback(noise: bytes) -> None:
    read_elf(b"\x7fELF\2\1\1" + noise, "x")
