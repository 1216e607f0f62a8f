"""Bad input as a user meets it: one error with a hint, the documented status, and a store that is as good as before."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.lock import FILE_NAME, read_lock
from support.cargo import Mirror, make_script
from support.index import Fault, FileServer
from support.ship import Ship
from support.wheels import make_wheel


@pytest.fixture
def broken(ship: Ship, project: Path) -> Iterator[Path]:
    """A project that builds; whatever a test does to it, the store is valid after it and builds another project."""
    yield project
    ship.check_store()
    make = make_script(project.parent / "other")
    Mirror.make(project.parent / "shelf").lock(make)
    ship.build(make, "--no-bytecode")


def test_all_mistakes_in_settings_are_said_with_their_lines(ship: Ship, broken: Path) -> None:
    (broken / "shipwheel.toml").write_text(
        'name = "Not A Name!"\npyton = "3.11"\nport = 99999\n\n[run]\nmemory = "lots"\n[env]\n"A B" = "1"\n'
    )
    said = ship.fails(2, "build", broken)
    for line in (1, 2, 3, 6, 8):
        assert f"shipwheel.toml:{line}:" in said.error
    assert "python" in said.error  # the nearest known name


def test_settings_that_are_no_toml(ship: Ship, broken: Path) -> None:
    (broken / "shipwheel.toml").write_text('name = "x\n')
    assert "shipwheel.toml:1" in ship.fails(2, "build", broken).error


def test_settings_that_contradict_each_other(ship: Ship, broken: Path) -> None:
    (broken / "shipwheel.toml").write_text('name = "x"\n')
    (broken / "pyproject.toml").write_text('[tool.shipwheel]\nname = "y"\n')
    said = ship.fails(2, "build", broken)
    assert "shipwheel.toml" in said.error + said.hint
    assert "pyproject.toml" in said.error + said.hint


def test_a_stale_lock(ship: Ship, broken: Path) -> None:
    (broken / "requirements.txt").write_text("alpha\nbeta\ngamma\n")
    assert "shipwheel lock" in ship.fails(3, "build", broken, "--no-bytecode").hint


def test_a_lock_edited_by_hand(ship: Ship, broken: Path) -> None:
    lock = broken / FILE_NAME
    lock.write_text(lock.read_text().replace('"1.0"', '"1.1"'))
    assert "shipwheel lock" in ship.fails(3, "build", broken, "--no-bytecode").hint


def test_a_lock_that_is_no_lock(ship: Ship, broken: Path) -> None:
    (broken / FILE_NAME).write_text("<<<<<<< HEAD\n")
    ship.fails(3, "build", broken, "--no-bytecode")


def test_a_lock_without_that_platform(ship: Ship, broken: Path) -> None:
    said = ship.fails(3, "build", broken, "--no-bytecode", "--platform", "linux/arm64")
    assert said.hint == "shipwheel lock --platform linux/arm64"


@pytest.mark.parametrize("platform", ["linux/m68k", "windows", "linux/amd64/v99/x", ""])
def test_a_platform_that_is_none(ship: Ship, broken: Path, platform: str) -> None:
    ship.fails(2, "lock", broken, "--platform", platform)


WHEEL = "/files/alpha-1.0-py3-none-any.whl"

FAULTS = {
    "other bytes": (Fault(times=99, body=b"<html>please log in</html>"), 6, "not the file that was locked"),
    "longer": (Fault(times=99, body=b"x" * 100_000), 6, "not the file that was locked"),
    "refused": (Fault(times=99, status=403), 5, "403"),
    "gone": (Fault(times=99, status=404), 5, "404"),
    "cut again and again": (Fault(times=99, cut=0), 5, "alpha"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * ("cut" in name)) for name in FAULTS])
def test_downloads_that_fail_for_good(ship: Ship, server: FileServer, broken: Path, name: str) -> None:
    fault, status, words = FAULTS[name]
    server.faults[WHEEL] = fault
    patient = "cut" not in name
    said = ship.fails(status, "build", broken, "--no-bytecode")
    assert words in said.error
    assert "alpha" in said.error
    assert patient or server.paths().count(WHEEL) > 1
    server.faults.clear()
    ship.build(broken, "--no-bytecode")


def test_a_download_that_breaks_off_is_resumed(ship: Ship, server: FileServer, broken: Path) -> None:
    server.faults[WHEEL] = Fault(times=1, cut=100)
    ship.build(broken, "--no-bytecode")
    ranges = [request.headers.get("range") for request in server.requests if request.path == WHEEL]
    assert ranges == [None, "bytes=100-"]


def test_an_index_without_the_wheel(ship: Ship, broken: Path, shelf: Path) -> None:
    (shelf / "alpha-1.0-py3-none-any.whl").unlink()
    assert "alpha-1.0-py3-none-any.whl" in ship.fails(4, "build", broken, "--no-bytecode").error


LIE = "bad/__init__.py,sha256=AAAA,5\nbad-1.0.dist-info/RECORD,,\n"

BAD_WHEELS: dict[str, Callable[[Path], Path]] = {
    "out": lambda shelf: make_wheel(shelf, "bad", "1.0", extra_members=[("../../etc/passwd", b"x")]),
    "absolute": lambda shelf: make_wheel(shelf, "bad", "1.0", extra_members=[("/etc/passwd", b"x")]),
    "twice": lambda shelf: make_wheel(shelf, "bad", "1.0", extra_members=[("bad/__init__.py", b"x")]),
    "case": lambda shelf: make_wheel(shelf, "bad", "1.0", {"bad/a.py": "", "bad/A.py": ""}),
    "record": lambda shelf: make_wheel(shelf, "bad", "1.0", record=LIE),
    "no zip": lambda shelf: _written(shelf / "bad-1.0-py3-none-any.whl", b"PK no zip"),
    "cut": lambda shelf: _cut(make_wheel(shelf, "bad", "1.0", {"bad/__init__.py": os.urandom(9000)})),
    "link": lambda shelf: _with_link(make_wheel(shelf, "bad", "1.0")),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", BAD_WHEELS)
def test_wheels_that_no_image_may_hold(ship: Ship, broken: Path, shelf: Path, mirror: Mirror, kind: str) -> None:
    mirror.lock(broken, [BAD_WHEELS[kind](shelf)])
    said = ship.fails(6, "build", broken, "--no-bytecode")
    assert "bad 1.0" in said.error


def test_a_wheel_that_is_a_bomb(ship: Ship, broken: Path, shelf: Path, mirror: Mirror) -> None:
    """Declared as small, 64 MB in truth."""
    path = make_wheel(shelf, "bad", "1.0", {"bad/zeros.bin": bytes(64 << 20)})
    data = bytearray(path.read_bytes())
    size = (64 << 20).to_bytes(4, "little")
    while size in data:
        at = data.index(size)
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    mirror.lock(broken, [path])
    assert "bomb" in ship.fails(6, "build", broken, "--no-bytecode").error


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _cut(path: Path) -> Path:
    return _written(path, path.read_bytes()[:-2000])


def _with_link(path: Path) -> Path:
    import stat
    import zipfile

    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("bad/link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    return path


def test_a_package_that_is_not_what_its_index_says(ship: Ship, broken: Path, shelf: Path, mirror: Mirror) -> None:
    (shelf / "base-files_1.0-1_amd64.deb").write_bytes(zlib.compress(b"no deb"))
    assert "base-files" in ship.fails(6, "build", broken, "--no-bytecode").error
    Mirror.make(shelf)


BAD_FILES: dict[str, Callable[[Path], object]] = {
    "socket": lambda folder: _socket(folder / "odd"),
    "pipe": lambda folder: os.mkfifo(folder / "odd"),
    "dangling": lambda folder: (folder / "odd").symlink_to("nowhere"),
    "escaping": lambda folder: (folder / "odd").symlink_to("/etc/passwd"),
    "climbing": lambda folder: (folder / "odd").symlink_to("../../x"),
    "loop": lambda folder: (folder / "odd").symlink_to("odd"),
}


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("kind", BAD_FILES)
def test_files_that_no_image_can_hold(ship: Ship, broken: Path, kind: str) -> None:
    BAD_FILES[kind](broken)
    assert "odd" in ship.fails(2, "build", broken, "--no-bytecode").error


@pytest.fixture
def weak(ship: Ship) -> Ship:
    """The same user, who may not read everything even as root."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root reads everything")
    flags = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
    return replace(ship.as_a_process(), program=(*(() if os.geteuid() else flags), *ship.program))


def test_a_file_that_cannot_be_read(weak: Ship, broken: Path) -> None:
    (broken / "secret.txt").write_text("x")
    (broken / "secret.txt").chmod(0)
    said = weak.fails(2, "build", broken, "--no-bytecode")
    assert "secret.txt" in said.error
    (broken / "secret.txt").chmod(0o600)


def test_a_home_of_somebody_else(weak: Ship, project: Path, tmp_path: Path) -> None:
    """HOME=/root in a container that runs as another user: what lies there is not ours, and not in the way."""
    (tmp_path / "root").mkdir(mode=0)
    there = weak.having(HOME=str(tmp_path / "root"), XDG_RUNTIME_DIR=str(tmp_path / "root"))
    found = there.having(SHIPWHEEL_HOME=str(tmp_path / "root/cache")).run("doctor", "--json").json
    assert ("error", "disk") in {(each["severity"], each["check"]) for each in found}
    there("lock", project, "--check")
    there.fails(5, "pull", "localhost:1/none:1")


def test_a_folder_that_is_none(ship: Ship, project: Path) -> None:
    ship.fails(2, "build", project / "nowhere")
    ship.fails(2, "build", project / "app.py")


def test_a_folder_without_anything(ship: Ship, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ship.fails(2, "build", tmp_path / "empty")


def test_a_python_that_no_base_has(ship: Ship, broken: Path) -> None:
    (broken / ".python-version").write_text("3.9\n")
    assert "3.11" in (said := ship.fails(2, "build", broken)).error + said.hint


NONSENSE = """
lock --check a b
build -t UPPER/case
build --to somewhere
build --to oci:
build --to oci:/proc/none
build --to oci-archive:/none/x.tar
inspect none
rmi none
save none x.tar
load none.tar
run none:1
"""


@pytest.mark.parametrize("line", NONSENSE.strip().splitlines())
def test_words_that_mean_nothing(ship: Ship, project: Path, line: str) -> None:
    said = ship.run(*line.split(), *(["--no-bytecode"] if "--to" in line else []), cwd=project)
    assert said.status in (2, 7), said.err
    assert said.error, said.err
    assert said.hint, said.err


@pytest.mark.parametrize("kind", ["docker", "podman", "runc"])
def test_an_engine_that_is_absent(ship: Ship, project: Path, kind: str, tmp_path: Path) -> None:
    ship.build(project, "--no-bytecode", "-t", "demo:1")
    nowhere = f"unix://{tmp_path}/none.sock"
    alone = ship.having(PATH="/nowhere", DOCKER_HOST=nowhere, CONTAINER_HOST=nowhere)
    said = alone.fails(8, "run", "demo:1", "--engine", kind)
    assert kind in said.error.lower()


def test_a_disk_that_is_full(ship: Ship, broken: Path, empty_disk: Path, shelf: Path, mirror: Mirror) -> None:
    large = make_wheel(shelf, "large", "1.0", {"large/noise.bin": os.urandom(2 << 20)})
    mirror.lock(broken, [large])
    small = ship.having(SHIPWHEEL_HOME=str(empty_disk)).as_a_process()
    said = small.fails(7, "build", broken, "--no-bytecode")
    assert "space" in said.error + said.hint
    small.check_store()
    shutil.rmtree(empty_disk / "downloads")
    make = make_script(broken.parent / "small")
    mirror.lock(make)
    small.build(make, "--no-bytecode")


def test_a_cache_that_is_read_only(ship: Ship, project: Path, empty_disk: Path) -> None:
    """What is there already can still be used."""
    home = ship.having(SHIPWHEEL_HOME=str(empty_disk)).as_a_process()
    made = home.build(project, "--no-bytecode")
    subprocess.run(["mount", "-o", "remount,ro", empty_disk], check=True)
    assert home.build(project, "--no-bytecode")["digest"] == made["digest"]
    assert len(home("images", "--json").json) == 1
    (project / "app.py").write_text("print(7)\n")
    for words in (("build", project, "--no-bytecode"), ("rmi", "project"), ("prune",)):
        assert "Read-only file system" in home.fails(7, *words).error


def test_a_home_that_cannot_be_written(ship: Ship, broken: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = ship.having(SHIPWHEEL_HOME=str(tmp_path / "file" / "home")).fails(7, "build", broken, "--no-bytecode")
    assert str(tmp_path / "file") in said.error


def test_the_lock_is_kept_when_locking_fails(ship: Ship, broken: Path) -> None:
    before = (broken / FILE_NAME).read_bytes()
    (broken / "requirements.txt").write_text("alpha\nno-such-package\n")
    ship.fails(4, "lock", broken)
    assert (broken / FILE_NAME).read_bytes() == before
    read_lock(broken / FILE_NAME)
