"""The three engines as one fixture, so that each test of behaviour runs over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipwheel.engines.engine import Container, Engine
from shipwheel.engines.find import Surroundings, find_engine
from shipwheel.engines.spec import RunSpec, default_name
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image
from support.engines import PrivateEngine, docker_engine, podman_engine, registry, runc_present

__all__ = ["docker_engine", "podman_engine", "registry", "runc_present"]

KINDS = [pytest.param(kind, marks=getattr(pytest.mark, kind), id=kind) for kind in ("docker", "podman", "runc")]
"""Parameters for tests over all engines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """An engine under test, and short words for what most tests do with it."""

    engine: Engine
    where: Surroundings

    def load(self, image: Image, name: str) -> str:
        """Load and give the name back."""
        copy(image, self.engine.target(), name)
        return name

    def run(self, image: Image, **flags: object) -> Container:
        """Load an image under the test's own name and start it."""
        name = self.load(image, "yard/test:1")
        flags.setdefault("name", default_name(name, os.urandom(3).hex()))
        return self.engine.run(RunSpec(image=name, **flags))  # type: ignore[arg-type]


def environment_of(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that leads to the private engine `kind`, and to no other."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "CONTAINER_"))}
    if kind == "runc":
        request.getfixturevalue("runc_present")
        return own
    engine: PrivateEngine = request.getfixturevalue(f"{kind}_engine")
    return {**own, **engine.environment}


@contextmanager
def _open(request: pytest.FixtureRequest, home: Path) -> Iterator[Yard]:
    where = Surroundings(home=home, environment=environment_of(request.param, request))
    with find_engine(request.param, where) as engine:
        yield Yard(engine=engine, where=where)
        for container in engine.containers():
            container.remove()


@pytest.fixture(params=KINDS)
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """One engine after the other; what a test leaves running is removed."""
    with _open(request, tmp_path / "home") as opened:
        yield opened


@pytest.fixture(params=KINDS[:2])
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """The engines with a load endpoint."""
    with _open(request, tmp_path / "home") as opened:
        yield opened


@pytest.fixture(params=KINDS[2:])
def runc_yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """runc."""
    with _open(request, tmp_path / "home") as opened:
        yield opened
