"""One lock, one digest: whoever builds, wherever, and however often."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.cargo import Mirror, make_script
from support.ship import Ship
from support.wheels import make_wheel

ROOT = Path(__file__).parents[2]
FILES = {
    "app.py": "import sub\n",
    "sub/__init__.py": "X = {1, 2, 'a'}\n",
    "sub/data.json": "{}\n",
    "run.sh": "#!/bin/sh\n",
    "ä.txt": "ä\n",
}


def write_files(folder: Path, names: list[str], mode: int = 0o644) -> None:
    """The project's files, in this order, with these modes; run.sh stays executable."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name], encoding="utf-8")
        path.chmod(mode | 0o100 if name == "run.sh" else mode)


@pytest.fixture
def settled(tmp_path: Path, shelf: Path, mirror: Mirror) -> Path:
    """A locked project with some files, that builds offline."""
    folder = make_script(tmp_path / "first" / "project", "alpha", "beta")
    write_files(folder, sorted(FILES))
    mirror.lock(folder, [make_wheel(shelf, "alpha", "1.0"), make_wheel(shelf, "beta", "2.0")])
    return folder


def test_times_order_and_modes_of_files_do_not_count(ship: Ship, settled: Path, tmp_path: Path) -> None:
    first = ship.build(settled, "--no-bytecode")
    other = tmp_path / "another place" / "project"
    other.mkdir(parents=True)
    write_files(other, sorted(FILES, reverse=True), mode=0o600)
    for name in ("shipwheel.lock", "requirements.txt"):
        shutil.copyfile(settled / name, other / name)
    for path in [*other.rglob("*"), other]:
        os.utime(path, (86400, 86400))
    empty = ship.having(SHIPWHEEL_HOME=str(tmp_path / "empty"))
    assert empty.build(other, "--no-bytecode")["digest"] == first["digest"]


def test_an_executable_file_counts(ship: Ship, settled: Path) -> None:
    first = ship.build(settled, "--no-bytecode")
    (settled / "sub/data.json").chmod(0o755)
    assert ship.build(settled, "--no-bytecode")["digest"] != first["digest"]


def test_umask_does_not_count(ship: Ship, settled: Path, tmp_path: Path) -> None:
    first = ship.build(settled, "--no-bytecode")
    strict = ship.as_a_process().having(SHIPWHEEL_HOME=str(tmp_path / "strict"))
    data = strict("build", settled, "--no-bytecode", "--json", umask=0o077).json
    assert data["digest"] == first["digest"]


VARIANTS: dict[str, tuple[dict[str, str], tuple[str, ...], int]] = {
    "time zone": ({"TZ": "Pacific/Kiritimati"}, (), -1),
    "umask": ({}, (), 0o077),
    "locale": ({"LC_ALL": "tr_TR.ISO-8859-9", "LANG": "de_DE.UTF-8", "PYTHONUTF8": "0"}, (), -1),
    "hash seed": ({"PYTHONHASHSEED": "4711"}, (), -1),
    "one worker": ({}, ("--jobs", "1"), -1),
    "four workers": ({"PYTHONHASHSEED": "1"}, ("--jobs", "4"), -1),
    "switches of Python": ({"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/nowhere"}, (), -1),
}


@pytest.fixture(scope="session")
def tabular(harbour: Ship, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """examples/fastapi, locked; a home that holds its downloads and no layers; the digest of its first build."""
    folder = tmp_path_factory.mktemp("tabular")
    project, home = folder / "tabular", folder / "home"
    shutil.copytree(ROOT / "examples" / "fastapi", project, ignore=shutil.ignore_patterns("*.lock", "model", ".venv"))
    (project / "model").mkdir()
    (project / "model" / "model.joblib").write_bytes(bytes(range(256)) * 100)
    shutil.copytree(harbour.home / "downloads", home / "downloads", copy_function=os.link)
    ship = harbour.having(SHIPWHEEL_HOME=str(home))
    ship("lock", project)
    digest = ship.build(project)["digest"]
    shutil.copytree(home / "downloads", folder / "kept" / "downloads", copy_function=os.link)
    return project, folder / "kept", digest


@pytest.fixture
def afresh(harbour: Ship, tabular: tuple[Path, Path, str], tmp_path: Path) -> Iterator[tuple[Ship, Path, str]]:
    """An empty store beside the same downloads, and the project at another path."""
    project, downloaded, digest = tabular
    home, elsewhere = tmp_path / "home", tmp_path / "an other path" / "with ä" / "tabular"
    shutil.copytree(downloaded, home, copy_function=os.link)
    shutil.copytree(project, elsewhere)
    yield harbour.having(SHIPWHEEL_HOME=str(home)), elsewhere, digest
    shutil.rmtree(home)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_builder_does_not_count(afresh: tuple[Ship, Path, str], name: str) -> None:
    ship, project, digest = afresh
    env, flags, umask = VARIANTS[name]
    made = ship.having(**env)("build", project, "--json", *flags, umask=umask).json
    print(f"{name}: {made['digest']} in {made['seconds']} s")
    assert not any(layer["reused"] for layer in made["layers"])
    assert made["digest"] == digest
    ship.check_store()


def other_pythons() -> list[str]:
    """Interpreters of 3.12 and later that are here: on the PATH, or of pyenv."""
    names = [shutil.which(f"python3.{minor}") for minor in (12, 13, 14)]
    found = [*filter(None, names), *map(str, Path.home().glob(".pyenv/versions/3.1[2-9].*/bin/python3"))]
    versions = {}
    for path in found:
        said = subprocess.run(
            [path, "-c", "import sys, venv; print(sys.version[:4])"], capture_output=True, text=True, check=False
        )
        if said.returncode == 0:
            versions.setdefault(said.stdout.strip(), path)
    return [path for _, path in sorted(versions.items())]


@pytest.mark.network
@pytest.mark.slow
def test_the_host_s_python_does_not_count(afresh: tuple[Ship, Path, str], tmp_path: Path) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip("no Python newer than 3.11 on this machine")
    ship, project, digest = afresh
    venv = tmp_path / "venv"
    subprocess.run([pythons[-1], "-m", "venv", venv], check=True)
    install = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", ROOT]
    subprocess.run(install, check=True, env={**os.environ, "PIP_NO_INPUT": "1"})
    installed = replace(ship.having(PYTHONPATH=""), program=(str(venv / "bin/shipwheel"),))
    made = installed("build", project, "--json").json
    print(f"{pythons[-1]}, not {sys.version[:4]}: {made['digest']}")
    assert made["digest"] == digest
