"""What is measured and how: seconds, peak memory of a process tree, bytes on disk, medians with their spread."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_EVERY = 0.2
"""Seconds between two looks at memory: a look takes 5 ms of one core, which must not slow what is measured."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The median of some runs, and their lowest and highest."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Of at least one value."""
        return cls(median=statistics.median(values), low=min(values), high=max(values), runs=len(values))


class CommandError(Exception):
    """A command failed; the message holds what it printed."""


def log(text: str) -> None:
    """Say on stderr what happens."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command and return its stdout; its output is shown when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=env, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(words)}\nexit status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def stored(folder: Path) -> int:
    """Bytes of all files in a folder, as a registry or an image layout counts them."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def disk(*folders: Path) -> int:
    """Bytes that folders take on disk; a file with several links counts once."""
    total, seen = 0, set()
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                with suppress(FileNotFoundError):
                    info = os.lstat(os.path.join(parent, name))  # noqa: PTH118  # pathlib is too slow for 100,000 files
                    if (info.st_dev, info.st_ino) not in seen:
                        seen.add((info.st_dev, info.st_ino))
                        total += info.st_blocks * 512
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that was run: seconds, peak memory (bytes) of it and all below it, and its stdout."""

    seconds: float
    memory: int
    output: str


def watch(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Ran:
    """Run a command, timed and with its memory watched; it must succeed."""
    words = [str(word) for word in command]
    start = time.perf_counter()
    process = subprocess.Popen(words, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with PeakMemory(process.pid) as memory:
        output, errors = process.communicate()
        took = time.perf_counter() - start
    if process.returncode:
        raise CommandError(f"{' '.join(words)}\nexit status {process.returncode}\n{output[-4000:]}\n{errors[-4000:]}")
    return Ran(seconds=took, memory=memory.peak, output=output)


class PeakMemory:
    """The highest sum of resident memory (bytes) of some processes and all below them, while the context lasts."""

    def __init__(self, *roots: int) -> None:
        self._roots = set(roots)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._now())
            if self._stop.wait(SAMPLE_EVERY):
                return

    def _now(self) -> int:
        parents, resident = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError, ValueError):
                pid = int(folder.name)
                parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                resident[pid] = int((folder / "statm").read_text().split()[1]) * _PAGE
        return sum(size for pid, size in resident.items() if self._below(pid, parents))

    def _below(self, pid: int, parents: Mapping[int, int]) -> bool:
        while pid and pid not in self._roots:
            pid = parents.get(pid, 0)
        return pid in self._roots
