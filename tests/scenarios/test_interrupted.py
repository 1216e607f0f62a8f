"""Builds that end before they are done, and builds beside each other: the store stays valid and the next one succeeds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.cargo import Mirror, make_script
from support.index import Fault, FileServer
from support.ship import Ship
from support.wheels import make_wheel

MODULE = "def function_{0}(x):\n    '''Say {0}.'''\n    return [x + {0} for _ in range({0})]\n"


def write_wheels(shelf: Path, count: int, megabytes: float) -> list[Path]:
    """Wheels of noise, which takes its time to pack, and of modules, which take theirs to compile; always the same."""
    made = []
    for number in range(count):
        noise = random.Random(number).randbytes(int(megabytes * 1e6))
        modules = {f"w{number}/m{each}.py": "".join(MODULE.format(line) for line in range(150)) for each in range(8)}
        made.append(make_wheel(shelf, f"w{number}", "1.0", {**modules, f"w{number}/noise.bin": noise}))
    return made


@pytest.fixture
def heavy(tmp_path: Path, shelf: Path, mirror: Mirror) -> Path:
    """A locked project whose build takes a moment."""
    folder = make_script(tmp_path / "heavy", *(f"w{number}" for number in range(6)))
    mirror.lock(folder, write_wheels(shelf, 6, 1.5))
    return folder


def stop_at(ship: Ship, project: Path, after: float, number: signal.Signals, *flags: str) -> tuple[int, str]:
    """Start a build, send it a signal after so many seconds, and return its status and what it said."""
    with ship.start("build", project, *flags, start_new_session=True) as process:
        time.sleep(after)
        if process.poll() is None:
            os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
    return process.returncode, err


def check_stops(ship: Ship, project: Path, moments: Iterator[float], number: signal.Signals, *flags: str) -> list[int]:
    """Stop builds at these moments in one store; what each leaves behind must be valid. Returns their statuses."""
    statuses = []
    for after in moments:
        status, err = stop_at(ship, project, after, number, *flags)
        statuses.append(status)
        assert ", in run\n" not in err, err  # Python's own start and first imports are nobody's to guard
        ship.check_store()
    return statuses


def moments(count: int, within: float) -> Iterator[float]:
    """Seconds, spread by chance, the same in every run."""
    chance = random.Random(count)
    return iter(sorted(chance.uniform(0.05, within) for _ in range(count)))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_stopped_at_any_moment_the_store_stays_valid(ship: Ship, heavy: Path, tmp_path: Path, number: signal.Signals) -> None:
    ship = ship.as_a_process()
    started = time.monotonic()
    whole = ship.having(SHIPWHEEL_HOME=str(tmp_path / "undisturbed")).build(heavy, "--no-bytecode")
    took = time.monotonic() - started
    statuses = check_stops(ship, heavy, moments(12, took), number, "--no-bytecode")
    print(number.name, statuses)
    made = ship.build(heavy, "--no-bytecode")
    assert made["digest"] == whole["digest"]
    ship("prune")
    assert [*(ship.home / "downloads" / "partial").glob("*"), *(ship.home / "tmp").glob("*")] == []


def test_ctrl_c_says_so_and_ends_with_130(ship: Ship, server: FileServer, heavy: Path) -> None:
    """In the middle of a download that stalls."""
    wheel = "/files/w0-1.0-py3-none-any.whl"
    server.faults[wheel] = Fault(times=1, stall=8)
    with ship.start("build", heavy, "--no-bytecode") as process:
        while wheel not in server.paths() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.2)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "error: stopped")
    assert time.monotonic() - started < 4
    ship.check_store()


def test_two_builds_at_once_share_one_store(ship: Ship, heavy: Path) -> None:
    ship = ship.as_a_process()
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(ship, "build", heavy, "--no-bytecode", "--json", "-t", f"both:{each}") for each in range(3)]
        digests = {future.result().json["digest"] for future in futures}
    assert len(digests) == 1
    ship.check_store()
    assert len(ship("images", "--json").json) == 3
    assert list((ship.home / "tmp").glob("*")) == []


def test_prune_beside_builds_takes_nothing_from_them(ship: Ship, heavy: Path) -> None:
    ship = ship.as_a_process()
    with ThreadPoolExecutor(3) as pool:
        builds = [pool.submit(ship, "build", heavy, "--no-bytecode", "-t", f"b:{each}") for each in range(2)]
        prunes = [pool.submit(ship.run, "prune", "--all") for _ in range(3)]
        for future in builds:
            future.result()
    for said in (future.result() for future in prunes):
        assert said.status == 0 or "another shipwheel builds" in said.error
    ship.check_store()


@pytest.mark.network
@pytest.mark.slow
def test_killed_while_compiling_nothing_runs_on(docked: Ship, server: FileServer, tmp_path: Path, shelf: Path) -> None:
    """With bytecode: the workers end with the build that started them, and the next build makes the same image."""
    ship = docked.having(UV_DEFAULT_INDEX=server.simple)
    write_wheels(shelf, 6, 0.5)
    project = make_script(tmp_path / "heavy", *(f"w{number}" for number in range(6)))
    ship("lock", project)
    whole = tmp_path / "undisturbed"
    subprocess.run(["cp", "-a", ship.home, whole], check=True)
    started = time.monotonic()
    digest = ship.having(SHIPWHEEL_HOME=str(whole)).build(project)["digest"]
    took = time.monotonic() - started
    for number in (signal.SIGKILL, signal.SIGINT):
        print(number.name, check_stops(ship, project, moments(8, took), number))
        assert _running_below(ship.home) == []
    assert ship.build(project)["digest"] == digest
    shutil.rmtree(whole)


def _running_below(home: Path) -> list[str]:
    """Command lines of processes that run something of this home, once a second has passed."""
    time.sleep(1)
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if f"{home}/".encode() in words:
            found.append(words.decode(errors="replace"))
    return found
