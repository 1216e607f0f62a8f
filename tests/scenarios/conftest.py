"""Whole scenarios over the command line: offline with a base of tiny packages, or, marked `network`, with Debian's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cargo import Mirror, make_script
from support.engines import docker_engine, podman_engine, registry, runc_present
from support.index import FileServer, serve
from support.ship import Ship
from support.wheels import make_wheel

__all__ = ["docker_engine", "podman_engine", "registry", "runc_present"]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """The folder that the test's index serves: wheels and Debian packages."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def server(shelf: Path) -> Iterator[FileServer]:
    """An index of the shelf at /simple, its files at /files."""
    with serve(FileServer(shelf)) as running:
        yield running


@pytest.fixture
def mirror(shelf: Path) -> Mirror:
    """The tiny base's packages, on the shelf."""
    return Mirror.make(shelf)


@pytest.fixture
def ship(tmp_path: Path, server: FileServer) -> Ship:
    """Offline: one index, and one mirror, of this machine."""
    return Ship.at(
        tmp_path,
        UV_DEFAULT_INDEX=server.simple,
        SHIPWHEEL_DEBIAN_MIRROR=server.url,
        SHIPWHEEL_DEBIAN_SECURITY_MIRROR=server.url,
    ).inside_this_process()


@pytest.fixture
def project(tmp_path: Path, shelf: Path, mirror: Mirror) -> Path:
    """A locked project with two wheels, that builds offline with --no-bytecode."""
    folder = make_script(tmp_path / "project", "alpha", "beta")
    mirror.lock(folder, [make_wheel(shelf, "alpha", "1.0"), make_wheel(shelf, "beta", "2.0")])
    return folder


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Ship:
    """With the network, and with Debian's base already downloaded and made; for `with_a_copy_of_home`, not to be built in."""
    folder = tmp_path_factory.mktemp("harbour")
    ship = Ship.at(folder)
    project = make_script(folder / "empty")
    ship("lock", project)
    ship("build", project)
    return ship


@pytest.fixture
def docked(harbour: Ship, tmp_path: Path) -> Ship:
    """A home of this test's own that has the base."""
    return harbour.with_a_copy_of_home(tmp_path / "home")


@pytest.fixture
def empty_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    import os

    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
