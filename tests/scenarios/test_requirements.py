"""Requirements in every form that projects have, what ambiguous projects are told, and how a lock moves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from shipwheel.lock import FILE_NAME, read_lock
from shipwheel.oci.blob import Platform
from support.cargo import AMD64, ARM64
from support.index import FileServer
from support.ship import Ship
from support.wheels import make_wheel, sha256_of


@pytest.fixture
def stocked(shelf: Path) -> Path:
    """alpha needs beta; gamma and delta stand alone."""
    make_wheel(shelf, "alpha", "1.0", requires=["beta"])
    for name in ("beta", "gamma", "delta"):
        make_wheel(shelf, name, "1.0")
    return shelf


@pytest.fixture
def online(docked: Ship, server: FileServer) -> Ship:
    """Debian from the network, wheels from the shelf."""
    return docked.having(UV_DEFAULT_INDEX=server.simple).inside_this_process()


def locked(project: Path, platform: Platform = AMD64) -> dict[str, str]:
    """Versions by name."""
    return {wheel.name: wheel.version for wheel in read_lock(project / FILE_NAME).of(platform).wheels}


def _requirements(folder: Path, _: Ship) -> None:
    (folder / "requirements.txt").write_text("alpha  # and what it needs\n-r more/web.txt\n")
    (folder / "more").mkdir()
    (folder / "more" / "web.txt").write_text("gamma>=1\n")


def _hashes(folder: Path, _: Ship) -> None:
    shelf = folder.parent / "shelf"
    lines = [
        f"{name}==1.0 --hash=sha256:{sha256_of(shelf / f'{name}-1.0-py3-none-any.whl')}\n"
        for name in ("alpha", "beta", "gamma")
    ]
    (folder / "requirements.txt").write_text("".join(lines))


PEP_621 = """[project]
name = "thing"
version = "1"
requires-python = ">=3.11"
dependencies = ["alpha"]
[dependency-groups]
serve = ["gamma"]
dev = ["delta"]
[tool.shipwheel]
groups = ["serve"]
"""


def _pep_621(folder: Path, _: Ship) -> None:
    (folder / "pyproject.toml").write_text(PEP_621)


def _uv_lock(folder: Path, ship: Ship) -> None:
    (folder / "pyproject.toml").write_text(PEP_621)
    subprocess.run([find_uv_bin(), "lock", "--quiet", "--python", "3.11"], cwd=folder, env=dict(ship.env), check=True)


def _pylock(folder: Path, ship: Ship) -> None:
    words = ["pip", "compile", "--quiet", "-", "--format", "pylock.toml", "-o", "pylock.toml", "--python-version", "3.11"]
    subprocess.run([find_uv_bin(), *words], cwd=folder, env=dict(ship.env), check=True, input=b"alpha\ngamma\n")


def _poetry(folder: Path, _: Ship) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "thing"\nversion = "1"\npackage-mode = false\n'
        '[tool.poetry.dependencies]\npython = "^3.11"\nalpha = "^1.0"\ngamma = "*"\n'
    )
    packages = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\ngroups = ["main"]\nfiles = []\n' for name in ("alpha", "beta", "gamma")
    )
    (folder / "poetry.lock").write_text(f'{packages}[metadata]\nlock-version = "2.1"\npython-versions = "^3.11"\n')


def _pipfile(folder: Path, _: Ship) -> None:
    default = {name: {"version": "==1.0"} for name in ("alpha", "beta", "gamma")}
    meta = {"requires": {"python_version": "3.11"}, "sources": [], "pipfile-spec": 6, "hash": {}}
    (folder / "Pipfile.lock").write_text(
        json.dumps({"_meta": meta, "default": default, "develop": {"delta": {"version": "*"}}})
    )


def _conda(folder: Path, _: Ship) -> None:
    (folder / "environment.yml").write_text("name: x\ndependencies:\n- python=3.11\n- pip\n- pip:\n  - alpha\n  - gamma\n")


FORMS: dict[str, Callable[[Path, Ship], None]] = {
    "requirements": _requirements,
    "hashes": _hashes,
    "pyproject": _pep_621,
    "uv.lock": _uv_lock,
    "pylock": _pylock,
    "poetry": _poetry,
    "pipfile": _pipfile,
    "conda": _conda,
}


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_requirements_builds(online: Ship, stocked: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "app.py").write_text("import alpha, gamma\n")
    FORMS[form](folder, online)
    online("lock", folder)
    assert locked(folder) == {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}
    assert "127.0.0.1" not in (folder / FILE_NAME).read_text()
    online("lock", folder, "--check")
    online.build(folder, "--no-bytecode")
    (folder / FILE_NAME).unlink()
    online.build(folder, "--no-bytecode")  # which locks by itself


@pytest.mark.network
@pytest.mark.slow
def test_a_lock_stays_until_it_is_asked_to_move(online: Ship, stocked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "requirements.txt").write_text("alpha\ngamma\n")
    online("lock", folder)
    before = (folder / FILE_NAME).read_bytes()
    for name in ("beta", "gamma"):
        make_wheel(stocked, name, "2.0")
    online("lock", folder)
    assert (folder / FILE_NAME).read_bytes() == before
    online("lock", folder, "--upgrade", "gamma")
    assert locked(folder) == {"alpha": "1.0", "beta": "1.0", "gamma": "2.0"}
    online("lock", folder, "--upgrade")
    assert locked(folder) == {"alpha": "1.0", "beta": "2.0", "gamma": "2.0"}
    (folder / "requirements.txt").write_text("alpha\n")
    online("lock", folder)
    assert locked(folder) == {"alpha": "1.0", "beta": "2.0"}


@pytest.mark.network
@pytest.mark.slow
def test_an_arm_image_is_made_here(online: Ship, stocked: Path, tmp_path: Path) -> None:
    for machine in ("x86_64", "aarch64"):
        code = {"native/__init__.py": "X = 1\n", "native/so.bin": machine}
        make_wheel(stocked, "native", "1.0", code, tag=f"cp311-cp311-manylinux_2_28_{machine}")
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "requirements.txt").write_text("native\n")
    online("lock", folder)
    said = online.fails(3, "build", folder, "--platform", "linux/arm64")
    assert said.hint == "shipwheel lock --platform linux/arm64"
    online("lock", folder, "--platform", "linux/arm64")
    assert locked(folder, ARM64) == locked(folder) == {"native": "1.0"}
    made = online.build(folder, "--platform", "linux/arm64", "-t", "arm")
    assert made["platforms"] == ["linux/arm64"]
    both = online.build(folder, "--platform", "linux/amd64", "--platform", "linux/arm64", "-t", "both")
    assert both["platforms"] == ["linux/amd64", "linux/arm64"]
    code = {layer["digest"] for layer in both["layers"] if layer["created_by"] == "code"}
    assert len(code) == 1  # the same bytecode on every platform


@pytest.mark.network
@pytest.mark.slow
def test_no_wheel_for_the_platform(online: Ship, stocked: Path, tmp_path: Path) -> None:
    make_wheel(stocked, "native", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "requirements.txt").write_text("native\n")
    said = online.fails(4, "lock", folder, "--platform", "linux/arm64")
    assert "native" in said.error
    assert "arm64" in said.error or "aarch64" in said.error
    assert not (folder / FILE_NAME).exists()


@pytest.mark.network
@pytest.mark.slow
def test_versions_that_contradict_each_other(online: Ship, stocked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "requirements.txt").write_text("alpha==1.0\nbeta>=3\n")
    assert "beta" in online.fails(4, "lock", folder).error


AMBIGUOUS: dict[str, tuple[dict[str, str], str]] = {
    "scripts": ({"requirements.txt": "", "a.py": "print(1)\n", "b.py": "print(2)\n"}, "a.py"),
    "apps": ({"requirements.txt": "flask\n", "app.py": "from flask import Flask\none = Flask('1')\ntwo = Flask('2')\n"}, "two"),
    "requirements": ({"requirements-web.txt": "", "requirements-gpu.txt": "", "app.py": ""}, "requirements-gpu.txt"),
    "locks": ({"poetry.lock": "", "Pipfile.lock": "{}", "app.py": ""}, "Pipfile.lock"),
    "conda": ({"environment.yml": "dependencies:\n- cudatoolkit=11\n- python=3.11\n", "app.py": ""}, "cudatoolkit"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_ambiguous_projects_are_told_the_candidates(ship: Ship, tmp_path: Path, case: str) -> None:
    files, named = AMBIGUOUS[case]
    folder = tmp_path / "thing"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    for verb in ("build", "lock", "init", "run"):
        said = ship.fails(2, verb, folder)
        assert named in said.error + said.hint
