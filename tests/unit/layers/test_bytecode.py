"""Bytecode: the same bytes however it is made, used by the interpreter, and nothing left behind."""

from __future__ import annotations

import gc
import importlib.util
import io
import marshal
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipwheel.errors import ShipwheelError
from shipwheel.layers.bytecode import BATCH, Compiler, Interpreter, cache_path, is_module, key, with_bytecode
from shipwheel.oci.layer import pack
from shipwheel.oci.tree import Entry, Tree

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(argv=(sys.executable,), python=PYTHON, identity="here")
SITE = f"opt/venv/lib/python{PYTHON}/site-packages"
TAG = HERE.cache_tag

SOURCES = {
    "plain": b"def f(a, b=1):\n    return a + b\n",
    "sets": b"def f(x):\n    return x in {'a', 'bb', 'cc', 1, 2.5, b'z', (1, 2), frozenset}\n",
    "names": b"import os\nclass C:\n    x: 'int' = 1\n    def m(self, normalize, lookup): return os.path.join(lookup, '/')\n",
    "unicode": "x = '\\N{EM DASH} \u00e9'\n".encode(),  # imports unicodedata while it is compiled
    "latin": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",  # imports a codec
    "cyrillic": b"# coding: koi8-r\ndef getregentry(x): return x\n",
    "warns": b"x = '\\d'\nassert (1, 'always')\nx is 'a'\n",
    "future": b"from __future__ import annotations\ndef f(x: list[int]) -> 'C': ...\n",
    "empty": b"",
    "broken": b"print 'python 2'\n",
    "null": b"x = '\0'\n",
    "deep": b"x = " + b"(" * 5000 + b")" * 5000,
    "windows": b"def f():\r\n    return '''a\r\nb'''\r\n",
    "unknown": b"# coding: no-such-codec\n",
}
UNCOMPILED = {"broken", "null", "deep", "unknown"}


def modules(names: Iterator[str] | list[str] | None = None) -> list[Entry]:
    return [Entry.data(f"{SITE}/pkg/{name}.py", SOURCES[name]) for name in names or list(SOURCES)]


def compiled(entries: list[Entry], workers: int = 1) -> dict[str, bytes]:
    with Compiler(lambda: HERE, workers) as compiler:
        return {path: wait() for path, wait in compiler.compile(entries).items()}


def packed(entries: list[Entry], workers: int) -> bytes:
    sink = io.BytesIO()
    with Compiler(lambda: HERE, workers) as compiler:
        pack(with_bytecode(Tree.of(entries), compiler), sink)
    return sink.getvalue()


@pytest.fixture(scope="module")
def expected() -> dict[str, bytes]:
    """Each module compiled by a process of its own."""
    return {path: data for module in modules() for path, data in compiled([module]).items()}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_number_of_workers_does_not_show(workers: int) -> None:
    many = [
        Entry.data(f"{SITE}/p{number}/{name}.py", source + b"#" * number)
        for number in range(1 + 3 * BATCH // len(SOURCES))
        for name, source in SOURCES.items()
    ]
    assert packed(many, workers) == packed(many, 1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(list(SOURCES)))
def test_what_a_worker_compiled_before_does_not_show(expected: dict[str, bytes], order: list[str]) -> None:
    assert compiled(modules(order)) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "7"},
        {"LC_ALL": "POSIX", "LANG": "tr_TR"},
        {"TZ": "Asia/Tokyo"},
        {"PYTHONOPTIMIZE": "2"},
        {"PYTHONUTF8": "0"},
    ],
)
def test_the_environment_of_the_build_does_not_show(
    environment: dict[str, str], expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    old = os.umask(0o077)
    try:
        assert compiled(modules()) == expected
    finally:
        os.umask(old)


def test_modules_that_do_not_compile_are_left_to_the_import() -> None:
    with Compiler(lambda: HERE, 2) as compiler:
        paths = {entry.path for entry in with_bytecode(Tree.of(modules()), compiler)}
    for name in SOURCES:
        assert f"{SITE}/pkg/{name}.py" in paths
        assert (f"{SITE}/pkg/__pycache__/{name}.{TAG}.pyc" in paths) == (name not in UNCOMPILED)


def test_entries_come_in_the_order_of_the_tree() -> None:
    with Compiler(lambda: HERE, 2) as compiler:
        entries = list(with_bytecode(Tree.of(modules()), compiler))
    assert entries == sorted(entries, key=lambda entry: entry.path.split("/"))


def test_bytecode_that_the_wheel_brings_is_kept() -> None:
    path = cache_path(f"{SITE}/pkg/plain.py", TAG)
    with Compiler(lambda: HERE, 1) as compiler:
        tree = Tree.of([*modules(["plain"]), Entry.data(path, b"its own")])
        assert [entry.read() for entry in with_bytecode(tree, compiler) if entry.path == path] == [b"its own"]


def test_without_a_compiler_the_tree_stays_as_it_is() -> None:
    tree = Tree.of(modules())
    assert list(with_bytecode(tree, None)) == list(tree)


@pytest.mark.parametrize(
    ("path", "compiles"),
    [
        (f"{SITE}/pkg/a.py", True),
        (f"{SITE}/pkg/test.py", True),
        (f"{SITE}/pkg/testing/a.py", True),
        (f"{SITE}/pkg/tests/a.py", False),
        (f"{SITE}/test/a.py", False),
        (f"{SITE}/pkg/a.pyi", False),
        (f"{SITE}/pkg/a.txt", False),
        ("opt/venv/bin/tool.py", False),
        ("opt/venv/share/pkg/template.py", False),
        ("app/main.py", True),
        ("usr/lib/python3.11/json/decoder.py", True),
    ],
)
def test_only_what_a_service_imports_is_compiled(path: str, compiles: bool) -> None:
    assert is_module(Entry.data(path, b"")) == compiles


def test_links_are_not_compiled() -> None:
    assert not is_module(Entry.symlink("app/a.py", "b.py"))


def test_the_key_depends_on_the_interpreter() -> None:
    assert key("python3.11 3.11.2-6") != key("python3.11 3.11.2-7")


def test_the_interpreter_uses_it_and_looks_at_the_source_no_more(tmp_path: Path) -> None:
    source = b"def fail():\n    raise ValueError('here')\n"
    sink = io.BytesIO()
    with Compiler(lambda: HERE, 1) as compiler:
        pack(with_bytecode(Tree.of([Entry.data(f"{SITE}/demo.py", source)]), compiler), sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink, mode="r:gz") as tar:
        tar.extractall(tmp_path, filter="data")
    module = tmp_path / SITE / "demo.py"
    module.write_text("raise SystemExit('the source was compiled again')\n")  # unchecked: neither time nor hash is compared
    done = subprocess.run(
        [sys.executable, "-v", "-c", "import demo; print(demo.__cached__); demo.fail()"],
        env={"PYTHONPATH": str(module.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(module.parent / "__pycache__" / f"demo.{TAG}.pyc")
    assert "line 2, in fail" in done.stderr
    assert f"# code object from '{module.parent}/__pycache__/demo.{TAG}.pyc'" in done.stderr


def test_the_flags_say_unchecked_hash(expected: dict[str, bytes]) -> None:
    data = expected[f"{SITE}/pkg/plain.py"]
    assert data[:8] == importlib.util.MAGIC_NUMBER + b"\x01\0\0\0"
    assert data[8:16] == importlib.util.source_hash(SOURCES["plain"])


def test_code_names_the_path_that_it_has_in_the_image(expected: dict[str, bytes]) -> None:
    path = f"{SITE}/pkg/plain.py"
    assert marshal.loads(expected[path][16:]).co_filename == f"/{path}"


# Ends


def leftovers() -> tuple[set[str], set[str], str]:
    gc.collect()  # what an earlier test let go of is not this one's
    descriptors = {str(path) for path in Path("/proc/self/fd").iterdir() if path.exists()}
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return descriptors, {thread.name for thread in threading.enumerate()}, children


def test_nothing_is_left_when_a_compiler_closes() -> None:
    before = leftovers()
    compiled(modules(), workers=4)
    assert leftovers() == before


def test_a_compiler_that_has_nothing_to_do_starts_nothing() -> None:
    with Compiler(lambda: pytest.fail("looked for the interpreter"), 2):
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("bytecode")]


def slow(path: Path, end: str) -> Interpreter:
    """An interpreter that writes down its process, waits for its first module and then ends in some way."""
    script = path / "python"
    script.write_text(f"#!{sys.executable}\nimport os, sys, time\nsys.stdin.buffer.read(9)\n{end}\n")
    script.chmod(0o755)
    return Interpreter(argv=(str(script),), python=PYTHON, identity="slow")


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 9)", "sys.exit(3)", "sys.stdout.buffer.write(b'\\xff\\0\\0\\0abc')", "os.close(0)"]
)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_dies_is_an_error_that_names_the_module(tmp_path: Path, end: str, workers: int) -> None:
    before = leftovers()
    big = [Entry.data(f"{SITE}/m{number}.py", b"x = 1\n" * 50_000) for number in range(4 * BATCH)]
    with (
        pytest.raises(ShipwheelError, match=rf"interpreter died while it compiled /{SITE}/m\d+.py") as caught,
        Compiler(lambda: slow(tmp_path, end), workers) as compiler,
    ):
        pack(with_bytecode(Tree.of(big), compiler), io.BytesIO())
    assert caught.value.hint
    assert leftovers() == before


def test_a_worker_that_is_killed_in_the_middle_is_an_error(tmp_path: Path) -> None:
    before = leftovers()
    with Compiler(lambda: slow(tmp_path, "time.sleep(60)"), 1) as compiler:
        [wait] = compiler.compile(modules(["plain"])).values()
        while not (child := Path(f"/proc/self/task/{_worker_thread()}/children").read_text().split()):
            time.sleep(0.01)
        os.kill(int(child[0]), signal.SIGKILL)
        with pytest.raises(ShipwheelError, match="interpreter died"):
            wait()
    assert leftovers() == before


def _worker_thread() -> int:
    """The kernel's number of the compiler's thread: a child belongs to the thread that started it."""
    numbers = [thread.native_id for thread in threading.enumerate() if thread.name.startswith("bytecode")]
    return numbers[0] or 0


def test_an_interpreter_that_cannot_start_is_an_error_and_no_hang(tmp_path: Path) -> None:
    nowhere = Interpreter(argv=(str(tmp_path / "none"),), python=PYTHON, identity="x")
    many = [Entry.data(f"{SITE}/m{number}.py", b"") for number in range(3 * BATCH)]
    with Compiler(lambda: nowhere, 1) as compiler:
        for wait in compiler.compile(many).values():
            with pytest.raises(ShipwheelError, match="does not run here"):
                wait()


def test_an_interpreter_that_is_not_found_is_an_error_and_no_hang() -> None:
    def find() -> Interpreter:
        raise ShipwheelError("no interpreter")

    with Compiler(find, 1) as compiler, pytest.raises(ShipwheelError, match="no interpreter"):
        list(with_bytecode(Tree.of(modules()), compiler))


def test_an_abandoned_layer_leaves_nothing(tmp_path: Path) -> None:
    before = leftovers()
    many = [Entry.data(f"{SITE}/m{number}.py", SOURCES["sets"] * 200) for number in range(8 * BATCH)]
    with Compiler(lambda: HERE, 2) as compiler:
        next(iter(with_bytecode(Tree.of(many), compiler)))
    assert leftovers() == before


def test_threads_share_a_compiler() -> None:
    alone = packed(modules(), 1)
    made: list[bytes] = []

    def make(compiler: Compiler) -> None:
        sink = io.BytesIO()
        entries = modules()
        random.shuffle(entries)
        pack(with_bytecode(Tree.of(entries), compiler), sink)
        made.append(sink.getvalue())

    with Compiler(lambda: HERE, 2) as compiler:
        threads = [threading.Thread(target=make, args=(compiler,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert made == [alone] * 4
