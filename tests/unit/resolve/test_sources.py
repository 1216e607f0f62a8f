"""Building wheels from sdists, commits and folders with real PEP 517 backends, offline."""

from __future__ import annotations

import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import ResolveError, StoreError
from shipwheel.lock import Built
from shipwheel.oci.blob import Platform
from shipwheel.resolve.sources import Builder, build_wheel, content_hash, repack
from shipwheel.resolve.target import Target
from support.wheels import make_project, make_wheel, sha256_of

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
INNER = Built(name="inner", version="0.1", kind="path", path="inner")


@pytest.fixture
def builder(root: Path, tmp_path: Path, env: dict[str, str]) -> Builder:
    target = Target(python="3.11", platform=AMD64, glibc=36)
    return Builder(root=root, cache=tmp_path / "cache", target=target, host=AMD64, env=env)


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_folder_becomes_a_wheel_once(builder: Builder, root: Path) -> None:
    make_project(root / "inner", "inner", "0.1")
    first = build_wheel(INNER, builder)
    assert first.name == "inner-0.1-py3-none-any.whl"
    assert members(first)["inner.py"] == b'VERSION = "0.1"\n'
    built_at = first.stat().st_mtime_ns
    assert build_wheel(INNER, builder) == first
    assert first.stat().st_mtime_ns == built_at
    (root / "inner" / "inner.py").write_text("VERSION = 2\n")
    second = build_wheel(INNER, builder)
    assert second != first
    assert members(second)["inner.py"] == b"VERSION = 2\n"


def test_the_project_itself_is_left_as_it_was(builder: Builder, root: Path) -> None:
    make_project(root, "whole", "1.0")
    before = sorted(root.rglob("*"))
    build_wheel(Built(name="whole", version="1.0", kind="path", path="."), builder)
    assert sorted(root.rglob("*")) == before
    assert [each.name for each in (builder.cache / "built").iterdir() if each.name.startswith(".")] == []


def test_an_sdist_becomes_a_wheel(builder: Builder, shelf: Path) -> None:
    path = shelf / "just_source-1.0.tar.gz"
    built = Built(name="just-source", version="1.0", kind="sdist", filename=path.name, sha256=sha256_of(path), size=1)
    assert members(build_wheel(built, builder, path))["just_source.py"] == b"X = 1\n"
    assert build_wheel(built, builder)  # from the cache, without the file


def test_a_commit_becomes_a_wheel(builder: Builder, tmp_path: Path) -> None:
    repository = make_project(tmp_path / "repository" / "part", "tracked", "0.2").parent
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    (repository / "part" / "tracked.py").write_text("not committed")
    built = Built(name="tracked", version="0.2", kind="git", url=f"file://{repository}", commit=commit, subdirectory="part")
    assert members(build_wheel(built, builder))["tracked.py"] == b'VERSION = "0.2"\n'
    with pytest.raises(ResolveError, match="tracked cannot be fetched from") as raised:
        build_wheel(replace(built, url="file:///absent", commit="0" * 40), builder)
    assert raised.value.hint


def test_the_same_source_gives_the_same_bytes(builder: Builder, root: Path, tmp_path: Path) -> None:
    make_project(root / "inner", "inner", "0.1")
    first = build_wheel(INNER, builder)
    os.umask(old := os.umask(0o077))
    elsewhere = replace(builder, cache=tmp_path / "other", env={**builder.env, "TZ": "Asia/Tokyo", "LANG": "C"})
    try:
        os.umask(0o077)
        second = build_wheel(INNER, elsewhere)
    finally:
        os.umask(old)
    assert first.read_bytes() == second.read_bytes()


def test_a_pure_wheel_serves_every_platform(builder: Builder, root: Path) -> None:
    make_project(root / "inner", "inner", "0.1")
    there = replace(builder, target=replace(builder.target, platform=ARM64))
    assert build_wheel(INNER, there).name == "inner-0.1-py3-none-any.whl"


def test_a_platform_wheel_serves_the_host_only(builder: Builder, root: Path) -> None:
    make_project(root / "inner", "inner", "0.1", tag="cp311-cp311-linux_x86_64")
    assert build_wheel(INNER, builder).name == "inner-0.1-cp311-cp311-linux_x86_64.whl"
    there = replace(builder, target=replace(builder.target, platform=ARM64))
    with pytest.raises(ResolveError, match=r"inner has no wheel for linux/arm64, and what is built here is inner-0\.1-cp311"):
        build_wheel(INNER, there)


def test_a_failing_backend_shows_its_last_lines(builder: Builder, root: Path) -> None:
    make_project(root / "inner", "inner", "0.1")
    (root / "inner" / "backend.py").write_text("def build_wheel(*_):\n    raise SystemExit('no compiler, sorry')\n")
    with pytest.raises(ResolveError, match=r"inner 0\.1 cannot be built from source") as raised:
        build_wheel(INNER, builder)
    assert "no compiler, sorry" in raised.value.message
    assert len(raised.value.message.splitlines()) < 30
    assert not list((builder.cache / "built").iterdir())


def test_a_missing_interpreter_says_how_to_get_one(builder: Builder, root: Path) -> None:
    make_project(root / "inner", "inner", "0.1")
    with pytest.raises(ResolveError, match=r"needs Python 3\.4 on this machine") as raised:
        build_wheel(INNER, replace(builder, target=replace(builder.target, python="3.4")))
    assert raised.value.hint == "uv python install 3.4"


def test_a_missing_folder_and_a_blocked_cache_are_clear(builder: Builder, root: Path, tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match="inner should be built from inner, which is not there"):
        build_wheel(INNER, builder)
    make_project(root / "inner", "inner", "0.1")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        build_wheel(INNER, replace(builder, cache=tmp_path / "file"))


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("inner.py", True),
        ("sub/new.py", True),
        (".git/HEAD", False),
        ("__pycache__/inner.cpython-311.pyc", False),
        ("build/lib/x.py", False),
        ("dist/x.whl", False),
        ("inner.egg-info/PKG-INFO", False),
        (".venv/pyvenv.cfg", False),
        ("shipwheel.lock", False),
    ],
)
def test_what_counts_as_source(tmp_path: Path, path: str, counts: bool) -> None:
    folder = make_project(tmp_path / "inner", "inner", "0.1")
    before = content_hash(folder, tmp_path / "notes")
    assert content_hash(folder, tmp_path / "notes") == before == content_hash(folder)
    (folder / path).parent.mkdir(exist_ok=True, parents=True)
    (folder / path).write_text("changed")
    assert (content_hash(folder, tmp_path / "notes") != before) is counts
    assert content_hash(folder) == content_hash(folder, tmp_path / "notes")


def test_modes_and_links_count_as_source(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "inner", "inner", "0.1")
    seen = {content_hash(folder)}
    (folder / "inner.py").chmod(0o755)
    seen.add(content_hash(folder))
    (folder / "link").symlink_to("absent")
    seen.add(content_hash(folder))
    os.mkfifo(folder / "pipe")
    seen.add(content_hash(folder))
    assert len(seen) == 3


def test_repacking_keeps_contents_and_executables(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "a", "tool", "1.0", {"tool/z.sh": "#!/bin/sh\n", "tool/a.py": ""}, executable=["tool/z.sh"])
    repack(wheel, tmp_path / "out.whl")
    assert members(tmp_path / "out.whl") == members(wheel)
    with zipfile.ZipFile(tmp_path / "out.whl") as archive:
        assert archive.namelist() == sorted(archive.namelist())
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert (modes["tool/z.sh"], modes["tool/a.py"]) == (0o100755, 0o100644)
