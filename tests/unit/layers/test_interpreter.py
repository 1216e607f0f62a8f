"""The interpreter that compiles, and what of it this machine has already."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.layers.bytecode import Interpreter
from shipwheel.layers.interpreter import LIBC, runs, unpack_interpreter, without_libc
from support.debian import make_deb, member


@pytest.mark.parametrize(
    ("here", "kept"),
    [((2, 35), True), ((2, 36), False), ((2, 41), False), ((2, 99), True), ((), True)],
    ids=["older", "the same", "newer", "unknown", "not glibc"],
)
def test_the_c_library_is_fetched_where_this_machines_would_not_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: tuple[int, ...], kept: bool
) -> None:
    text = f"glibc {here[0]}.{here[1]}" if here else None
    monkeypatch.setattr(os, "confstr", lambda _: text)
    debs = [replace(make_deb(tmp_path, name, [])[0], version="2.36-9+deb12u14") for name in (LIBC, "zlib1g")]
    assert [deb.name for deb in without_libc(debs)] == ([LIBC, "zlib1g"] if kept else ["zlib1g"])


def test_without_its_c_library_it_runs_with_this_machines(tmp_path: Path) -> None:
    program = member("./usr/bin/python3.11", b"#!/bin/sh\n[ -d $LD_LIBRARY_PATH ]\n", mode=0o755)
    library = member("./usr/lib/x86_64-linux-gnu/libz.so.1")
    deb = make_deb(tmp_path, "python3.11-minimal", [program, library])
    interpreter = unpack_interpreter([deb], tmp_path / "into")
    assert runs(interpreter)
    assert not runs(replace(interpreter, env=(("LD_LIBRARY_PATH", "/nowhere"),)))


def test_what_cannot_run_here_does_not(tmp_path: Path) -> None:
    assert not runs(Interpreter(argv=(str(tmp_path / "absent"),), python="3.11", identity=""))
