"""Compares arm64 images of the examples, composed on this machine, with what pip installs of the wheels it picks for arm64.

    PYTHONPATH=tests .venv/bin/python -m equals_pip.arm64 [--only EXAMPLE ...] [--cache FOLDER]

`pip download --platform` chooses the wheels of the locked versions. pip installs no wheel of another processor into an
environment, so each gets a file name that says it fits all; what is inside is not touched. Then, for each example:

- the environment in the image is pip's, as `compare.py` means it;
- every .pyc of the arm64 image is the amd64 image's, where their sources are the same;
- with an emulator, the arm64 image's own interpreter compiles a sample of its modules to the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from equals_pip.compare import PYTHON, Pip, default_cache, differences_of, installed, run, walk
from shipwheel.layers.bytecode import Compiler, Interpreter, cache_path
from shipwheel.layers.venv import ROOT
from shipwheel.lock import PlatformLock, read_lock
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import Image, Index
from shipwheel.oci.tree import Entry
from support.engines import TOOLS
from support.ship import Ship

EXAMPLES = Path(__file__).parents[2] / "examples"
AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
NEWEST_GLIBC = 36
"""Of Debian 12: the wheels of manylinux_2_N up to it run there (PEP 600)."""

SAMPLE = 200
"""Modules that the emulator compiles; it takes some ten times as long as the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One example; `same_bytecode` counts the .pyc that both images have, `emulated` those compiled on arm64 as well."""

    name: str
    wheels: int
    files: int
    same_bytecode: int
    emulated: int
    differences: tuple[str, ...]

    def __str__(self) -> str:
        verdict = "DIFFER" if self.differences else "equal "
        counts = (
            f"{self.wheels} wheels, {self.files:,} files, {self.same_bytecode:,} .pyc as on amd64, {self.emulated} emulated"
        )
        return "\n         ".join([f"{verdict} {self.name} for arm64 ({counts})", *self.differences[:20]])


def compare(name: str, requirements: str, ship: Ship, pip: Pip) -> Compared:
    """Build a project with these requirements for both platforms, install its wheels with pip, and look for differences."""
    with tempfile.TemporaryDirectory(prefix="equals-pip-") as made:
        folder = Path(made)
        locked, images = build(requirements, ship, folder / "project")
        for platform, image in images.items():
            unpack(image, folder / platform.architecture)
        arm64, amd64 = folder / "arm64", folder / "amd64"
        differences = [
            f"pip picks {theirs.name}, the lock has {ours.filename}"
            for ours, theirs in zip(locked.wheels, wheels(locked, pip), strict=True)
            if ours.filename != theirs.name
        ]
        theirs = pip.install(folder / "venv", *for_all(wheels(locked, pip), folder / "wheels"))
        ours = environment(arm64 / ROOT, folder / "venv", set(theirs))
        shared = list(shared_modules(arm64, amd64))
        differences += differences_of(theirs, ours)
        differences += [
            f"{path}: other bytecode than on amd64" for path in shared if compiled(arm64, path) != compiled(amd64, path)
        ]
        emulator = find_emulator()
        sample = shared[:: max(1, len(shared) // SAMPLE)] if emulator else []
        differences += emulated(emulator, arm64, sample) if emulator else []
    return Compared(
        name=name, wheels=len(locked.wheels), files=len(ours), same_bytecode=len(shared), emulated=len(sample),
        differences=tuple(differences),
    )  # fmt: skip


def build(requirements: str, ship: Ship, project: Path) -> tuple[PlatformLock, dict[Platform, Image]]:
    """The requirements and a script, for both platforms; what is locked for arm64."""
    project.mkdir()
    (project / "app.py").write_text('print("ready")\n')
    (project / "requirements.txt").write_text(requirements)
    flags = ("--platform", str(AMD64), "--platform", str(ARM64))
    ship("lock", project, *flags)
    index = ship.image(ship("build", project, "--json", *flags).json["name"])
    assert isinstance(index, Index)
    lock = read_lock(project / "shipwheel.lock")
    return lock.of(ARM64), {image.platform: image for image in index.images}


def wheels(locked: PlatformLock, pip: Pip) -> list[Path]:
    """What pip picks for arm64 of the locked versions, in the lock's order; downloaded once."""
    machine = [f"manylinux_2_{minor}_aarch64" for minor in range(NEWEST_GLIBC, 16, -1)]
    options = [word for platform in (*machine, "manylinux2014_aarch64", "linux_aarch64") for word in ("--platform", platform)]
    found = []
    for wheel in locked.wheels:
        folder = pip.wheels / "arm64" / f"{wheel.name}=={wheel.version}"
        if not list(folder.glob("*.whl")):
            words = ("--quiet", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON)
            run([*pip.command, "download", *words, *options, "--dest", str(folder), folder.name])
        found.append(next(folder.glob("*.whl")))
    return found


def for_all(found: Sequence[Path], folder: Path) -> Iterator[Path]:
    """The same files under names that every pip installs."""
    folder.mkdir()
    for wheel in found:
        link = folder / f"{'-'.join(wheel.name.split('-')[:2])}-py3-none-any.whl"
        link.symlink_to(wheel)
        yield link


def unpack(image: Image, root: Path) -> None:
    """All layers, one over the other."""
    for layer in image.layers:
        with layer.blob.open() as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
            tar.extractall(root, filter="fully_trusted")


def environment(venv: Path, empty: Path, theirs: set[str]) -> dict[str, tuple[str, int, str]]:
    """What the image's environment holds beyond an empty one and bytecode, which pip was told not to make."""
    own = {path for path in walk(empty) if path not in theirs}
    paths = (path for path in walk(venv) if path not in own and "__pycache__" not in path.split("/"))
    return {path: installed(venv, path, f"/{ROOT}") for path in paths}


def shared_modules(root: Path, other: Path) -> Iterator[str]:
    """Modules with bytecode whose source is the same in both."""
    for path in sorted(str(found.relative_to(root)) for found in root.rglob("*.py") if not found.is_symlink()):
        twin = other / path
        if (root / _pyc(path)).is_file() and twin.is_file() and twin.read_bytes() == (root / path).read_bytes():
            yield path


def compiled(root: Path, path: str) -> bytes:
    """The bytecode beside a module."""
    pyc = root / _pyc(path)
    return pyc.read_bytes() if pyc.is_file() else b""


def emulated(emulator: str, root: Path, paths: Sequence[str]) -> list[str]:
    """Modules of which the interpreter in the image, run as arm64, makes other bytes than are there."""
    argv = (emulator, "-L", str(root), str(root / f"usr/bin/python{PYTHON}"))
    with Compiler(lambda: Interpreter(argv=argv, python=PYTHON, identity=""), 1) as compiler:
        modules = [Entry.file(path, root / path, (root / path).stat().st_size) for path in paths]
        made = compiler.compile(modules)
        return [f"{path}: other bytecode in an emulator" for path in paths if made[path]() != compiled(root, path)]


def _pyc(path: str) -> str:
    return cache_path(path, f"cpython-{PYTHON.replace('.', '')}")


def find_emulator() -> str | None:
    """Where tests/engines/tools.sh left it."""
    return next((str(folder / "qemu-aarch64") for folder in TOOLS if (folder / "qemu-aarch64").is_file()), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", nargs="+", metavar="EXAMPLE", default=("tabular", "boosting", "fastapi"), help="these examples"
    )
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where wheels are kept (default: %(default)s)")
    options = parser.parse_args(arguments)
    started, ship, pip = time.monotonic(), Ship.at(options.cache), Pip.newest(options.cache)
    found = []
    for name in options.only:
        found.append(compare(name, (EXAMPLES / name / "requirements.txt").read_text(), ship, pip))
        print(found[-1], flush=True)
    print(f"{sum(not each.differences for each in found)} of {len(found)} equal, {time.monotonic() - started:.0f} s")
    return any(each.differences for each in found)


if __name__ == "__main__":
    sys.exit(main())
