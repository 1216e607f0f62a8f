"""Environments that models are served from without a container: made once, whole or not at all, removed when unused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipwheel.environments import UNUSED_FOR, Environments, remove, unused
from shipwheel.errors import ResolveError
from support.wheels import make_wheel, sha256_of

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(home=tmp_path / "home", env={"PATH": os.environ["PATH"], "UV_CACHE_DIR": str(tmp_path / "uv")})


def version_in(python: Path, module: str) -> str:
    command = [python, "-c", f"import {module}; print({module}.__version__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_verified_wheels_are_installed_once_and_nothing_else(environments: Environments, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "alpha", "1.0", requires=["never-there"])
    kept = wheel.rename(tmp_path / sha256_of(wheel))
    fills: list[Path] = []

    def fill(python: Path) -> None:
        fills.append(python)
        environments.install_files(python, {"alpha-1.0-py3-none-any.whl": kept})

    first = environments.ensure(HERE, [kept.name], fill)
    assert version_in(first, "alpha") == "1.0"
    assert environments.ensure(HERE, [kept.name], fill) == first
    assert environments.ensure(HERE, ["another"], lambda _: None) != first
    assert len(fills) == 1
    assert len(list(environments.folder.iterdir())) == 2


def test_named_versions_come_from_the_places_that_are_given(environments: Environments, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "alpha", "1.0")
    make_wheel(tmp_path / "links", "alpha", "2.0")
    flags = ("--no-index", "--find-links", str(tmp_path / "links"), "alpha==1.0")
    python = environments.ensure(HERE, flags, lambda python: environments.install(python, flags, "alas"))
    assert version_in(python, "alpha") == "1.0"


def test_nothing_is_left_of_an_environment_that_cannot_be_filled(environments: Environments, tmp_path: Path) -> None:
    flags = ("--no-index", "--find-links", str(tmp_path), "never-there==1")
    with pytest.raises(ResolveError, match=r"alas: .*never-there"):
        environments.ensure(HERE, flags, lambda python: environments.install(python, flags, "alas"))
    assert list(environments.folder.iterdir()) == []


def test_an_environment_whose_interpreter_is_gone_is_made_again(environments: Environments) -> None:
    python = environments.ensure(HERE, [], lambda _: None)
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert environments.ensure(HERE, [], lambda _: None) == python
    assert python.exists()


def test_prune_takes_what_nobody_has_served_from_for_a_month(environments: Environments) -> None:
    old, new = (environments.ensure(HERE, [name], lambda _: None).parents[1] for name in ("old", "new"))
    past = time.time() - UNUSED_FOR - 60
    os.utime(old, (past, past))
    assert list(unused(environments.home)) == [old]
    assert set(unused(environments.home, everything=True)) == {old, new}
    environments.ensure(HERE, ["old"], lambda _: None)
    assert list(unused(environments.home)) == []
    remove([old, new])
    assert list(environments.folder.iterdir()) == []
