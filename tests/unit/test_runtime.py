"""The runtime's wheel: one wheel, whoever makes it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from shipwheel import runtime
from shipwheel.layers.wheel_archive import open_archive
from shipwheel.runtime import runtime_wheel

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def test_the_wheel_is_whole_and_says_what_its_project_says(tmp_path: Path) -> None:
    wheel = runtime_wheel()
    path = wheel.write(tmp_path)
    assert path.name == wheel.filename == f"shipwheel_serve-{wheel.version}-py3-none-any.whl"
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size) == (wheel.sha256, wheel.size)
    assert list(tmp_path.iterdir()) == [path]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        metadata = archive.read(f"shipwheel_serve-{wheel.version}.dist-info/METADATA").decode()
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {member.external_attr >> 16 for member in archive.infolist()} == {0o100644}
    assert {"shipwheel_serve/__init__.py", "shipwheel_serve/py.typed"} <= {*names}
    assert not [name for name in names if "__pycache__" in name]
    assert 'Requires-Dist: skops>=0.10; extra == "skops"' in metadata


def test_what_python_and_editors_leave_beside_the_sources_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "serve"
    shutil.copytree(ROOT / "serve", copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("__pycache__/app.cpython-311.pyc", ".app.py.swp", "app.py.orig", ".idea/x.py"):
        (copy / "src/shipwheel_serve" / name).parent.mkdir(exist_ok=True)
        (copy / "src/shipwheel_serve" / name).write_text("x")
    monkeypatch.setattr(runtime, "_CHECKOUT", copy)
    assert runtime_wheel.__wrapped__().sha256 == runtime_wheel().sha256


def test_it_is_made_within_a_few_milliseconds() -> None:
    started = time.perf_counter()
    runtime_wheel.__wrapped__()
    assert time.perf_counter() - started < 0.1  # 3 ms, on a machine that does nothing else


def test_our_own_reader_of_wheels_takes_it(tmp_path: Path) -> None:
    wheel = runtime_wheel()
    archive = open_archive(wheel.write(tmp_path, wheel.sha256), wheel.filename)
    assert archive.dist_info == f"shipwheel_serve-{wheel.version}.dist-info"


@pytest.mark.network
def test_an_installed_shipwheel_makes_the_same_wheel_and_uv_installs_it(tmp_path: Path) -> None:
    env = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")}
    run = lambda *words: subprocess.run([*map(str, words)], env=env, check=True, capture_output=True, text=True)  # noqa: E731
    run(UV, "build", ROOT, "--out-dir", tmp_path / "dist")  # an sdist, and the wheel from that
    (built,) = (tmp_path / "dist").glob("*.whl")
    run(UV, "venv", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(UV, "pip", "install", "--python", python, "--no-deps", "--compile-bytecode", built)
    code = (
        "import sys, json; from pathlib import Path; from shipwheel.runtime import runtime_wheel as r, sources\n"
        "print(json.dumps([r().sha256, str(r().write(Path(sys.argv[1]))), str(sources())]))"
    )
    sha256, path, sources = json.loads(run(python, "-I", "-c", code, tmp_path / "made").stdout)
    assert (sha256, sources.startswith(str(tmp_path))) == (runtime_wheel().sha256, True)
    run(UV, "pip", "install", "--python", python, "--no-deps", path)
    (site,) = (tmp_path / "venv/lib").glob("python3*/site-packages")
    (installed,) = (each for each in Distribution.discover(path=[str(site)]) if each.name == "shipwheel-serve")
    for file in installed.files or ():
        if file.hash and file.suffix == ".py":
            found = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes()).digest()
            assert file.hash.value == urlsafe_b64encode(found).rstrip(b"=").decode()
    assert (tmp_path / "venv/bin/shipwheel-serve").exists()
