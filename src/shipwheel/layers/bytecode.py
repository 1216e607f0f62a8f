"""Bytecode beside every module, compiled by the interpreter of the image (PEP 3147 names, PEP 552 unchecked hashes)."""

from __future__ import annotations

import hashlib
import os
import queue
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from shipwheel.errors import ShipwheelError
from shipwheel.layers.venv import ROOT
from shipwheel.oci.tree import Entry, Kind, Tree

WORKER = Path(__file__).with_name("compile_worker.py")

TEST_FOLDERS = frozenset({"test", "tests"})
"""Folders of packages that no service imports: half of all compile time."""

BATCH = 32
"""Modules that one worker gets at a time: enough to keep it busy, few enough to share a large wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How to run the image's interpreter on this machine, its version such as `3.11`, and what its bytes depend on.

    `identity` (its package's version) goes into layer keys; it must be the same on every kind of machine.
    """

    argv: tuple[str, ...]
    python: str
    identity: str
    env: tuple[tuple[str, str], ...] = field(default=())

    @property
    def cache_tag(self) -> str:
        """As in `module.cpython-311.pyc`."""
        return f"cpython-{self.python.replace('.', '')}"


def key(identity: str) -> str:
    """What bytecode depends on beside the source: the interpreter, and the worker's own text."""
    return hashlib.sha256(WORKER.read_bytes() + identity.encode()).hexdigest()


class Compiler:
    """A pool of worker processes; safe to use from several threads. Closing it ends them.

    `find` is called once, when the first module is compiled.
    """

    def __init__(self, find: Callable[[], Interpreter], workers: int) -> None:
        self._find, self._finding = find, threading.Lock()
        self._found: Interpreter | None = None
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(workers, "bytecode")
        self._started: list[_Worker] = []

    @property
    def interpreter(self) -> Interpreter:
        """The image's, made ready on first use."""
        with self._finding:
            self._found = self._found or self._find()
            return self._found

    def __enter__(self) -> Compiler:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self._started:
            worker.close()

    def compile(self, modules: Iterable[Entry]) -> dict[str, Callable[[], bytes]]:
        """Start compiling; by path, a call that waits for the .pyc: empty where the source does not compile."""
        modules = list(modules)
        waiting: dict[str, Callable[[], bytes]] = {}
        for at in range(0, len(modules), BATCH):
            batch = modules[at : at + BATCH]
            answers = self._threads.submit(self._compile, batch)
            waiting |= {module.path: partial(_answer, answers, nth) for nth, module in enumerate(batch)}
        return waiting

    def _compile(self, modules: list[Entry]) -> list[bytes]:
        with self._worker() as worker:
            return [worker.compile(f"/{module.path}", module.read()) for module in modules]

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._idle.get()
        try:
            if worker is None:
                worker = _Worker(self.interpreter)
                self._started.append(worker)
            yield worker
        finally:
            self._idle.put(worker)


class _Worker:
    """One process of the image's interpreter."""

    def __init__(self, interpreter: Interpreter) -> None:
        command = [*interpreter.argv, "-I", "-S", "-B", str(WORKER)]
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", **dict(interpreter.env)}
        pipe = subprocess.PIPE
        try:  # in a process group of its own: a Ctrl-C of the terminal ends us, and we end it
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, process_group=0)
        except OSError as error:
            raise ShipwheelError(f"the image's interpreter does not run here: {error}") from None

    def compile(self, path: str, source: bytes) -> bytes:
        """The .pyc, or nothing."""
        name = path.encode("utf-8", "surrogateescape")
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(struct.pack("<II", len(name), len(source)) + name + source)
            stdin.flush()
            header = stdout.read(4)
            size = struct.unpack("<I", header)[0] if len(header) == 4 else -1
            answer = stdout.read(size) if size >= 0 else b""
        except BrokenPipeError:
            size, answer = -1, b""
        if len(answer) != size:
            raise ShipwheelError(
                f"the image's interpreter died while it compiled {path}",
                hint="was it stopped, or is memory short? try again with --jobs 1",
            )
        return answer

    def close(self) -> None:
        """End the process; it stops when its input does."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):  # what a dead worker did not read
                    stream.close()
        self._process.wait()


def with_bytecode(tree: Tree, compiler: Compiler | None) -> Iterator[Entry]:
    """`tree` with a `.pyc` in `__pycache__` beside every module that a service may import; without a compiler, as it is.

    The entries come as they are packed, sorted; those after them are still being compiled.
    """
    if compiler is None:
        yield from tree
        return
    present = {entry.path for entry in tree}
    tag = compiler.interpreter.cache_tag
    cached = {path: entry for entry in tree if is_module(entry) and (path := cache_path(entry.path, tag)) not in present}
    both = Tree.of((*tree, *(Entry.data(path, b"") for path in cached)), origin="bytecode", case_clash=False)
    compiled = compiler.compile(cached.values())
    for entry in both:
        if entry.path not in cached:
            yield entry
        elif data := compiled.pop(cached[entry.path].path)():
            yield Entry.data(entry.path, data)


def _answer(answers: Future[list[bytes]], nth: int) -> bytes:
    return answers.result()[nth]


def is_module(entry: Entry) -> bool:
    """Python source that may be imported: not in a folder of tests, and in an environment only what lies in site-packages."""
    folders = entry.path.split("/")[:-1]
    if entry.kind is not Kind.FILE or not entry.path.endswith(".py") or not TEST_FOLDERS.isdisjoint(folders):
        return False
    return not entry.path.startswith(f"{ROOT}/") or "site-packages" in folders


def cache_path(path: str, tag: str) -> str:
    """`a/b.py` -> `a/__pycache__/b.TAG.pyc` (PEP 3147)."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
