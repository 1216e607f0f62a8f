"""Where data lies, how numbers and tables look, which platforms there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipwheel.cli.context import Context, human, table
from shipwheel.cli.home import user_home
from shipwheel.cli.workshop import this_machine, wanted_platforms
from shipwheel.errors import UsageError
from shipwheel.oci.blob import Platform
from shipwheel.project import load_project
from support.cargo import AMD64, ARM64, make_script


@pytest.mark.parametrize(
    ("env", "home"),
    [
        ({"SHIPWHEEL_HOME": "/data/ship"}, "/data/ship"),
        ({"SHIPWHEEL_HOME": "/data/ship", "XDG_CACHE_HOME": "/cache"}, "/data/ship"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/shipwheel"),
        ({"SHIPWHEEL_HOME": ""}, f"{Path.home()}/.cache/shipwheel"),
        ({}, f"{Path.home()}/.cache/shipwheel"),
    ],
)
def test_home_comes_from_the_environment(env: dict[str, str], home: str) -> None:
    assert Context.from_environment(env).home == Path(home)


def test_a_user_without_a_name_or_a_home_has_that_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert Context.from_environment({}).home == Path("/.cache/shipwheel")
    assert user_home({"HOME": "/home/ada"}) == Path("/home/ada")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_400, "99.4 kB"),
        (99_500, "99.5 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (1e15, "1000.0 TB"),
    ],
)
def test_sizes_for_people(size: float, text: str) -> None:
    assert human(size) in (text, text.replace("99.5 kB", "100 kB"))


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table([("a", "1 B"), ("long", "10 kB")], ("NAME", "SIZE"), right=frozenset({1})).splitlines() == [
        "NAME   SIZE",
        "a       1 B",
        "long  10 kB",
    ]
    assert table([], ("NAME", "SIZE")) == "NAME  SIZE"


def test_platforms_of_the_command_line_win(tmp_path: Path) -> None:
    folder = make_script(tmp_path / "thing")
    plain = load_project(folder)
    assert wanted_platforms((), plain) == ()
    (folder / "shipwheel.toml").write_text('platforms = ["linux/arm64"]\n')
    project = load_project(folder)
    assert wanted_platforms((), project) == (ARM64,)
    assert wanted_platforms(("amd64", "linux/x86_64"), project) == (AMD64,)


@pytest.mark.parametrize("text", ["linux/riscv64", "windows/amd64", "linux/arm/v7", "linux/amd64/v3"])
def test_other_platforms_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        wanted_platforms((text,), load_project(make_script(tmp_path / "thing")))


def test_this_machine_runs_linux_containers() -> None:
    assert this_machine() in (AMD64, ARM64, Platform("linux", this_machine().architecture))
