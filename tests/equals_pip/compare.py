"""Compares what Shipwheel makes of a wheel with what the newest pip installs, for the wheels in `wheels.txt`.

    .venv/bin/python tests/equals_pip/compare.py [--only NAME ...] [--cache FOLDER] [--jobs N]

Each wheel is downloaded, installed with `pip install --no-deps --no-compile --no-index` into a fresh environment, and packed
as a layer that `tarfile` reads back. Paths, contents, modes and link targets must be the same; the interpreter's path in
shebangs is made the same first. Ignored: INSTALLER, REQUESTED, direct_url.json, and the hashes in RECORD, not its paths.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from shipwheel.layers.venv import ROOT
from shipwheel.layers.wheels import wheel_tree
from shipwheel.oci.layer import pack

LIST = Path(__file__).with_name("wheels.txt")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
IGNORED = ("INSTALLER", "REQUESTED", "direct_url.json")
FIND_LINKS_ONLY = "# find-links"
"""Marks a line whose wheel is on no index; it is skipped where PIP_FIND_LINKS does not lead to it."""

CHUNK = 1 << 20

File = tuple[str, int, str]
"""Kind, mode, and sha256 of a file, target of a link, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one wheel; `skipped` says why it was not compared."""

    spec: str
    files: int = 0
    seconds: float = 0.0
    differences: tuple[str, ...] = ()
    skipped: str = ""

    def __str__(self) -> str:
        if self.skipped:
            return f"skip   {self.spec}: {self.skipped}"
        verdict = "DIFFER" if self.differences else "equal "
        lines = [f"{verdict} {self.spec} ({self.files} files, {self.seconds:.1f} s)", *self.differences[:20]]
        return "\n         ".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """The newest pip, in an environment of its own, and the folder of wheels that it has downloaded."""

    command: tuple[str, ...]
    wheels: Path

    @classmethod
    def newest(cls, cache: Path) -> Pip:
        """Made once per cache."""
        venv = cache / "pip"
        if not (venv / "bin" / "pip").exists():
            run([sys.executable, "-m", "venv", str(venv)])
            run([str(venv / "bin" / "pip"), "install", "--quiet", "--upgrade", "pip"])
        return cls(command=(str(venv / "bin" / "pip"), "--disable-pip-version-check"), wheels=cache / "wheels")

    def download(self, spec: str) -> Path:
        """The wheel of `name==version`, kept for the next time."""
        folder = self.wheels / spec
        if not list(folder.glob("*.whl")):
            run([*self.command, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), spec])
        return next(folder.glob("*.whl"))

    def install(self, venv: Path, *wheels: Path) -> dict[str, File]:
        """What installing them leaves, by path below the environment."""
        run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
        before = set(walk(venv))
        options = ("--quiet", "--no-deps", "--no-compile", "--no-index", "--no-warn-script-location")
        run([*self.command, "--python", str(venv / "bin" / "python"), "install", *options, *map(str, wheels)], plain=True)
        return {path: installed(venv, path) for path in walk(venv) if path not in before}


def read_list(text: str) -> list[tuple[str, bool]]:
    """`name==version` and whether only PIP_FIND_LINKS has it."""
    lines = (line.strip() for line in text.splitlines())
    return [(line.split("#")[0].strip(), FIND_LINKS_ONLY in line) for line in lines if line and not line.startswith("#")]


def compare(spec: str, pip: Pip) -> Outcome:
    """Both ways, side by side."""
    started = time.monotonic()
    wheel = pip.download(spec)
    with tempfile.TemporaryDirectory(prefix="equals-pip-") as folder:
        theirs = pip.install(Path(folder, "venv"), wheel)
        their_record = _record(theirs, lambda path: Path(folder, "venv", path).read_bytes())
    ours, our_record = packed(wheel)
    differences = [*differences_of(theirs, ours), *_set_differences("RECORD", their_record, our_record)]
    return Outcome(spec=spec, files=len(ours), seconds=time.monotonic() - started, differences=tuple(differences))


def packed(wheel: Path) -> tuple[dict[str, File], set[str]]:
    """What a layer of the wheel holds, as `tarfile` reads it, and the paths in its RECORD."""
    tree = wheel_tree(wheel, PYTHON)
    with tempfile.TemporaryFile() as layer:
        pack(tree, layer)
        layer.seek(0)
        found, contents = {}, {}
        with tarfile.open(fileobj=layer, mode="r:gz") as tar:
            for member in tar:
                found[member.name] = _unpacked(tar, member)
                if member.name.endswith(".dist-info/RECORD"):
                    contents[member.name.removeprefix(f"{ROOT}/")] = _read(tar, member).read()
    assert set(found) == {entry.path for entry in tree}, "the layer holds other paths than the tree"
    below = {path.removeprefix(f"{ROOT}/"): file for path, file in found.items() if path.startswith(f"{ROOT}/")}
    return below, _record(below, contents.__getitem__)


def _unpacked(tar: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    if member.isdir():
        return "dir", member.mode, ""
    if member.issym():
        return "link", 0o777, member.linkname
    assert member.isreg(), member.name
    return "file", member.mode, _sha256(_read(tar, member), f"/{ROOT}")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    stream = tar.extractfile(member)
    assert stream is not None
    return stream  # type: ignore[return-value]


def walk(venv: Path) -> Iterator[str]:
    """Every path below it."""
    for folder, folders, files in os.walk(venv):
        for name in (*folders, *files):
            yield str(Path(folder, name).relative_to(venv))


def installed(venv: Path, path: str, own_path: str = "") -> File:
    """What lies there; `own_path` is the environment's own idea of where it is."""
    full = venv / path
    mode = full.lstat().st_mode & 0o7777
    if full.is_symlink():
        return "link", 0o777, str(full.readlink())
    if full.is_dir():
        return "dir", mode, ""
    with full.open("rb") as stream:
        return "file", mode, _sha256(stream, own_path or str(venv))


def _sha256(stream: BinaryIO, venv: str) -> str:
    """Of the contents, where the shebang of a script names the interpreter of `venv` in one way."""
    hasher, shebang = hashlib.sha256(), re.compile(rb"#!" + re.escape(venv).encode() + rb"/bin/python[0-9.]*(?=\n)")
    first = True
    while chunk := stream.read(CHUNK):
        hasher.update(shebang.sub(b"#!PYTHON", chunk, count=1) if first and shebang.match(chunk) else chunk)
        first = False
    return hasher.hexdigest()


def _record(files: Iterable[str], read: Callable[[str], bytes]) -> set[str]:
    """The paths that RECORD lists, without those that are ignored."""
    path = next(path for path in files if re.fullmatch(r"lib/[^/]+/site-packages/[^/]+\.dist-info/RECORD", path))
    rows = csv.reader(io.StringIO(read(path).decode(), newline=""))
    return {row[0] for row in rows if row and not _is_ignored(row[0])}


def _is_ignored(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in IGNORED and folder.endswith(".dist-info")


def differences_of(theirs: dict[str, File], ours: dict[str, File]) -> Iterator[str]:
    """In paths, kinds, modes and contents."""
    theirs, ours = ({path: file for path, file in files.items() if not _is_ignored(path)} for files in (theirs, ours))
    known = {path for path, file in ours.items() if file[0] == "dir" and path not in theirs}  # made with the environment
    yield from _set_differences("tree", set(theirs), set(ours) - {path for path in known if _any_below(path, theirs)})
    for path in sorted(theirs.keys() & ours.keys()):
        (kind, mode, content), (our_kind, our_mode, our_content) = theirs[path], ours[path]
        if kind != our_kind or mode != our_mode:
            yield f"{path}: pip {kind} {mode:o}, ours {our_kind} {our_mode:o}"
        elif content != our_content and not path.endswith(".dist-info/RECORD"):
            yield f"{path}: other contents"


def _any_below(folder: str, paths: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for path in paths)


def _set_differences(what: str, theirs: set[str], ours: set[str]) -> Iterator[str]:
    yield from (f"{what}: only pip has {path}" for path in sorted(theirs - ours))
    yield from (f"{what}: only ours has {path}" for path in sorted(ours - theirs))


def run(command: Sequence[str], *, plain: bool = False) -> None:
    """`plain`: without the settings of this user's pip, which could change what an installation is."""
    env = {key: value for key, value in os.environ.items() if not (plain and key.startswith("PIP_"))}
    env |= {"PIP_CONFIG_FILE": os.devnull} if plain else {}
    done = subprocess.run(command, env=env, umask=0o022, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _one(pip: Pip, line: tuple[str, bool]) -> Outcome:
    spec, only_find_links = line
    if only_find_links and not _is_offered(spec):
        outcome = Outcome(spec=spec, skipped="no folder in PIP_FIND_LINKS has it")
    else:
        outcome = compare(spec, pip)
    print(outcome, flush=True)
    return outcome


def _is_offered(spec: str) -> bool:
    name, _, version = spec.partition("==")
    folders = os.environ.get("PIP_FIND_LINKS", "").split()
    return any(list(Path(folder).glob(f"{name}-{version}-*.whl")) for folder in folders)


def default_cache() -> Path:
    """Where wheels are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shipwheel-equals-pip"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these distributions of the list")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where wheels are kept (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="wheels at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    lines = read_list(LIST.read_text())
    if options.only:
        lines = [line for line in lines if line[0].partition("==")[0] in options.only]
    started = time.monotonic()
    pip = Pip.newest(options.cache)
    with ThreadPoolExecutor(options.jobs) as threads:
        outcomes = list(threads.map(partial(_one, pip), lines))
    differ = sum(bool(outcome.differences) for outcome in outcomes)
    skipped = sum(bool(outcome.skipped) for outcome in outcomes)
    equal, files = len(outcomes) - differ - skipped, sum(outcome.files for outcome in outcomes)
    seconds = time.monotonic() - started
    print(f"{equal} wheels equal pip's installation, {differ} differ, {skipped} skipped; {files:,} files, {seconds:.0f} s")
    return 1 if differ or not equal else 0


if __name__ == "__main__":
    sys.exit(main())
