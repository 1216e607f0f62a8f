"""The facts of docs/explanation/2-layers.md: what a wheel costs on its way into a layer, and what bytecode and eStargz add.

    .venv/bin/python benchmarks/layer.py WHEEL [WHEEL ...]

Seconds are of the processor, not of the clock, so that a busy machine does not show much.
"""

from __future__ import annotations

import hashlib
import io
import resource
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bound import bound_seconds

from shipwheel.layers.bytecode import TEST_FOLDERS, Compiler, Interpreter, is_module, with_bytecode
from shipwheel.layers.wheels import wheel_tree
from shipwheel.oci.estargz import ESTARGZ
from shipwheel.oci.layer import MULTI_MEMBER, Form, Packed, pack
from shipwheel.oci.tree import Entry, Tree

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(argv=(sys.executable,), python=PYTHON, identity="benchmark")


def processor_seconds(action: Callable[[], object]) -> float:
    """Of this process and of those that it waited for."""

    def used() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    before = used()
    action()
    return used() - before


def packed(entries: Iterable[Entry], *, form: Form = MULTI_MEMBER) -> Packed:
    """A layer in a file that is thrown away."""
    with tempfile.TemporaryFile() as sink:
        return pack(entries, sink, form=form)


def usual_way(wheel: Path) -> int:
    """Unzip, tar, gzip at its default level, digest: what a Dockerfile's build does to the same bytes; bytes of the result."""
    with tempfile.TemporaryFile() as sink:
        with zipfile.ZipFile(wheel) as archive, tarfile.open(fileobj=sink, mode="w:gz", compresslevel=6) as tar:
            for info in archive.infolist():
                member = tarfile.TarInfo(info.filename)
                member.size = info.file_size
                data = archive.read(info)
                hashlib.sha256(data)
                tar.addfile(member, io.BytesIO(data))
        size = sink.tell()
        sink.seek(0)
        hashlib.file_digest(sink, "sha256")
    return size


def with_pyc(tree: Tree, workers: int = 2) -> Packed:
    """A layer with bytecode."""
    with Compiler(lambda: HERE, workers) as compiler:
        return packed(with_bytecode(tree, compiler))


def report(wheel: Path) -> None:
    """One wheel, in a few lines."""
    tree = wheel_tree(wheel, PYTHON)
    sources = [entry for entry in tree if entry.path.endswith(".py")]
    in_tests = sum(entry.size for entry in sources if not TEST_FOLDERS.isdisjoint(entry.path.split("/")))
    layers: dict[str, Packed] = {}
    usual: list[int] = []
    seconds = {
        "bound": processor_seconds(lambda: bound_seconds([wheel])),
        "layer": processor_seconds(lambda: layers.update(plain=packed(wheel_tree(wheel, PYTHON)))),
        "eStargz": processor_seconds(lambda: layers.update(estargz=packed(wheel_tree(wheel, PYTHON), form=ESTARGZ))),
        "unzip, tar, gzip": processor_seconds(lambda: usual.append(usual_way(wheel))),
        "layer with bytecode": processor_seconds(lambda: layers.update(pyc=with_pyc(tree))),
    }
    compiled, total = sum(map(is_module, sources)), sum(entry.size for entry in sources) or 1
    megabytes = {"layer": layers["plain"].size, "eStargz": layers["estargz"].size, "with bytecode": layers["pyc"].size}
    megabytes["gzip -6"] = usual[0]
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {tree.unpacked / 1e6:.1f} MB unpacked, {len(tree)} entries")
    print("  " + ", ".join(f"{what} {spent:.2f} s" for what, spent in seconds.items()))
    print("  " + ", ".join(f"{what} {size / 1e6:.1f} MB" for what, size in megabytes.items()))
    print(f"  {compiled} of {len(sources)} modules compiled; tests are {100 * in_tests // total}% of the source")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        report(Path(argument))
