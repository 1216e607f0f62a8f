"""Images on bases from a registry, running: Debian's Pythons with the names and configs of Docker's official images.

No test reaches a public registry: the bases are made here, of Debian's packages, and pushed to a registry of this machine.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from shipwheel.lock import read_lock
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, RuntimeConfig, compose
from shipwheel.oci.reference import Reference
from shipwheel.oci.tree import Entry
from shipwheel.registry.registries import Registries
from support import bundles
from support.bases import debian, official
from support.cargo import make_script
from support.engines import registry
from support.images import layer
from support.ship import Ship

__all__ = ["registry"]

pytestmark = [pytest.mark.network, pytest.mark.slow]

SCRIPT = """
import importlib.util, json, os, pathlib, sys
import numpy
source = pathlib.Path(numpy.__file__)
cache = pathlib.Path(importlib.util.cache_from_source(str(source)))
print(json.dumps({
    "version": sys.version_info[:2], "prefix": sys.prefix, "interpreter": os.readlink(sys.executable), "paths": sys.path,
    "sum": int(numpy.arange(4).sum()), "cached": cache.exists(),
    "fits": cache.exists() and cache.read_bytes()[:4] == importlib.util.MAGIC_NUMBER,
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBase:
    """A user for whom docker.io is the registry of the tests, with a base in it that stands for python:X-slim."""

    ship: Ship
    base: str
    below: Image

    def brought(self) -> list[str]:
        """The layers of the base that the user's store holds."""
        blobs = self.ship.home / "oci/blobs/sha256"
        return [each.created_by for each in self.below.layers if (blobs / each.blob.digest.hex).exists()]


def stand_in(built: Image, address: str, python: str, release: str, suite: str) -> Image:
    """python:X-slim, as far as Debian's own interpreter in a composed base can stand for it; pushed."""
    shape = official(release, suite)
    links = [
        Entry.symlink(f"usr/local/bin/python{python}", f"/usr/bin/python{python}"),
        Entry.symlink("usr/local/bin/python3", f"python{python}"),
    ]
    layers = (replace(built.layers[0], created_by=debian(suite)), layer(links, f"ENV PYTHON_VERSION={release}"))
    env = dict(text.split("=", 1) for text in shape["env"])
    image = compose(layers, RuntimeConfig(env=env, cmd=("python3",)), built.platform)
    with Registries() as registries:
        copy(image, registries.repository(Reference.parse(f"{address}/library/python")), f"{python}-slim")
    return image


OLD, NEW = ("3.11", "3.11.10", "bookworm"), ("3.13", "3.13.5", "trixie")
BOTH = pytest.mark.parametrize("pushed", [OLD, NEW], indirect=True, ids=["3.11", "3.13"])
ONE = pytest.mark.parametrize("pushed", [OLD], indirect=True, ids=["3.11"])


@pytest.fixture(scope="module")
def pushed(
    request: pytest.FixtureRequest, harbour: Ship, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Image]:
    """The name of a base, and its image, which the registry has."""
    python, release, suite = request.param
    work = tmp_path_factory.mktemp("base")
    ship, folder = harbour.with_a_copy_of_home(work / "home"), make_script(work / f"stand-in-{python}")
    (folder / "shipwheel.toml").write_text(f'python = "{python}"\n')
    built = ship.image(ship.build(folder, "--no-bytecode")["name"])
    assert isinstance(built, Image)
    return f"python:{python}-slim", stand_in(built, registry, python, release, suite)


@pytest.fixture
def on_base(pushed: tuple[str, Image], harbour: Ship, registry: str, tmp_path: Path) -> OnBase:
    """A user with an empty store."""
    base, below = pushed
    env = {"SHIPWHEEL_REGISTRY_MIRRORS": f"docker.io=http://{registry}", "SHIPWHEEL_HOME": str(tmp_path / "home")}
    return OnBase(ship=harbour.having(**env), base=base, below=below)


def project(folder: Path, base: str, *requirements: str, more: str = "", text: str = SCRIPT) -> Path:
    made = make_script(folder / "project", *requirements, text=text)
    (made / "shipwheel.toml").write_text(f'base = "{base}"\n{more}')
    return made


@BOTH
@pytest.mark.runc
def test_packages_and_their_bytecode_run_on_the_bases_python(runc_present: None, on_base: OnBase, tmp_path: Path) -> None:
    """The bytecode was compiled by Debian's interpreter; the base's loads it, as their magic numbers are the same."""
    folder = project(tmp_path, on_base.base, "numpy")
    on_base.ship("lock", folder)
    made = on_base.ship("build", folder, "--json").json
    assert on_base.brought() == []
    told: dict[str, Any] = json.loads(on_base.ship("run", made["name"], "--engine", "runc").out)
    python = on_base.base.removeprefix("python:").removesuffix("-slim")
    assert ".".join(map(str, told["version"])) == python
    assert (told["prefix"], told["interpreter"], told["sum"]) == ("/opt/venv", f"/usr/local/bin/python{python}", 6)
    assert (told["cached"], told["fits"]) == (True, True)
    assert not [path for path in told["paths"] if "dist-packages" in path or path.startswith("/usr/local/lib")]
    assert len(on_base.brought()) == len(on_base.below.layers)


@BOTH
@pytest.mark.runc
def test_no_module_is_compiled_again(runc_present: None, on_base: OnBase, tmp_path: Path) -> None:
    """What `python -v` says of each module that it imports from the environment."""
    text = "import os, sys\nos.execv(sys.executable, [sys.executable, '-v', '-c', 'import click'])\n"
    folder = project(tmp_path, on_base.base, "click", text=text)
    on_base.ship("lock", folder)
    said = on_base.ship("run", folder, "--engine", "runc")
    lines = [line for line in (said.out + said.err).splitlines() if "/opt/venv/" in line and "click" in line]
    assert any("code object from" in line and ".pyc" in line for line in lines)
    assert not [line for line in lines if "code object from" in line and ".pyc" not in line]


@BOTH
@pytest.mark.runc
def test_lightgbm_gets_the_library_that_it_does_not_bring(runc_present: None, on_base: OnBase, tmp_path: Path) -> None:
    folder = project(tmp_path, on_base.base, "lightgbm", text="import lightgbm\nprint(lightgbm.__version__)\n")
    on_base.ship("lock", folder)
    (locked,) = read_lock(folder / "shipwheel.lock").platforms
    assert [deb.name for deb in locked.debs] == ["libgomp1"]
    assert on_base.ship("run", folder, "--engine", "runc").out.strip()


@ONE
@pytest.mark.runc
def test_a_model_is_served_on_it(runc_present: None, on_base: OnBase, tmp_path: Path) -> None:
    """Built, verified with its golden answers, in the container."""
    folder = bundles.iris(tmp_path)
    (folder / "shipwheel.toml").write_text(f'base = "{on_base.base}"\n')
    on_base.ship("lock", folder)
    on_base.ship("build", folder)


@ONE
@pytest.mark.docker
def test_docker_runs_it(docker_engine: Any, on_base: OnBase, tmp_path: Path) -> None:
    folder = project(tmp_path, on_base.base, "click", text="import click\nprint(click.__name__)\n")
    ship = on_base.ship.having(**{**on_base.ship.env, **docker_engine.environment})
    ship("lock", folder)
    ship("build", folder)
    assert ship("run", "project", "--engine", "docker").out == "click\n"
    left = subprocess.run(["docker", "images", "-q"], env=dict(ship.env), capture_output=True, text=True, check=True)
    assert left.stdout
