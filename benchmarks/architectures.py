"""Whether `gpu inspect` says what cuobjdump says, library by library, of torch with all of its CUDA; and how long both take.

Needs no GPU, 10 GB of disk below the folder that --work names, and ten minutes on two cores. Status 1 on any difference.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cuobjdump import Codes, Cuobjdump, containers

from shipwheel.errors import IntegrityError
from shipwheel.gpu.code import Code
from shipwheel.gpu.fatbin import FILLED, Entry, read_codes, read_entries
from shipwheel.gpu.sections import read_sections
from shipwheel.lock import read_lock

ROOT = Path(__file__).parents[1]
LOCAL_WHEELS = ("PIP_FIND_LINKS", "UV_FIND_LINKS")
"""Folders of wheels that would win over PyPI's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One library. `inside` are its entries where cuobjdump looks, `outside` those elsewhere; `differences` are counts."""

    name: str
    inside: Codes
    outside: Codes
    empty: int
    differences: int
    seconds: float
    theirs: float


def main() -> int:
    """Lock, compose, inspect; then compare every library of the wheels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "architectures")
    parser.add_argument("--requirement", default="torch==2.15.0")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    project, env = make_project(arguments.work, arguments.requirement)
    run = Shipwheel(project=project, env=env)
    inspect(run)
    tool = Cuobjdump.fetched(arguments.work / "cuobjdump")
    files = unpacked(project / "shipwheel.lock", arguments.work / "home" / "downloads" / "sha256", arguments.work / "files")
    compared = [each for path in files if (each := compare(path, tool))]
    report(compared)
    shutil.rmtree(arguments.work)
    return 1 if any(each.differences for each in compared) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipwheel:
    """Runs its commands in one project."""

    project: Path
    env: dict[str, str]

    def __call__(self, *words: str) -> str:
        """What it prints; how long it took is said."""
        begun = time.perf_counter()
        command = [sys.executable, "-c", "from shipwheel.cli.main import main; main()", *words]
        out = subprocess.run(command, cwd=self.project, env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"{time.perf_counter() - begun:7.1f} s  shipwheel {' '.join(words)}", flush=True)
        return out


def make_project(work: Path, requirement: str) -> tuple[Path, dict[str, str]]:
    """A project with one requirement and a home of its own."""
    project = work / "project"
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text(f"{requirement}\n")
    (project / "main.py").write_text("import torch\n")
    (project / "shipwheel.toml").write_text('command = ["python", "main.py"]\naccelerator = "cuda"\n')
    inherited = {key: value for key, value in os.environ.items() if key not in LOCAL_WHEELS}
    return project, {**inherited, "SHIPWHEEL_HOME": str(work / "home")}


def inspect(run: Shipwheel) -> None:
    """The lock's table, twice: read, and remembered; and the image's, which must be the same."""
    run("lock")
    shutil.rmtree(Path(run.env["SHIPWHEEL_HOME"]) / "downloads" / "facts")
    of_lock = json.loads(run("gpu", "inspect", "--json"))
    run("gpu", "inspect", "--json")
    run("build", "-t", "closure:1")
    of_image = json.loads(run("gpu", "inspect", "closure:1", "--json"))
    same = _without_folders(of_lock) == _without_folders(of_image)
    print(f"the image's table is {'that of the lock' if same else 'ANOTHER THAN THE LOCK HAS'}\n")


def _without_folders(table: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
    rows = table["libraries"]
    return sorted(
        (str(row["package"]), str(row["path"]).rpartition("site-packages/")[2], json.dumps(row["codes"])) for row in rows
    )


def unpacked(lock: Path, downloads: Path, folder: Path) -> Iterator[Path]:
    """Every ELF file of the locked wheels, one after the other; each is gone when the next one comes."""
    for each in read_lock(lock).platforms[0].wheels:
        if each.filename.endswith("-any.whl"):
            continue
        with zipfile.ZipFile(downloads / each.sha256) as wheel:
            for name in wheel.namelist():
                with wheel.open(name) as member:
                    if member.read(4) != b"\x7fELF":
                        continue
                path = Path(wheel.extract(name, folder))
                yield path
                path.unlink()


def compare(path: Path, tool: Cuobjdump) -> Compared | None:
    """One file, by our reading and by theirs; None where both find nothing."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begun = time.perf_counter()
        try:
            read_codes(data)
            seconds = time.perf_counter() - begun
            entries = list(read_entries(data))
        except IntegrityError as error:
            print(f"{path.name}: {error.message}")
            entries, seconds = [], 0.0
        inside = _counts(entry for entry in entries if entry.section in FILLED)
        outside = _counts(entry for entry in entries if entry.section not in FILLED)
        joined = b"".join(
            container
            for section in read_sections(data, 0, len(data))
            if section.name in {entry.section for entry in entries} - FILLED
            for container in containers(data[section.start : section.end])
        )
    listed, theirs = tool.listed(path)
    dumped = tool.dump(path)
    if not (entries or listed or dumped):
        return None
    differences = _distance(inside, dumped) + _distance(outside, tool.dump_apart(iter([joined])) if joined else Counter())
    if listed:  # nothing, where it refuses the file
        differences += _distance(_as_listed(inside), listed)
    return Compared(
        name=path.name,
        inside=inside,
        outside=outside,
        empty=sum(entry.empty for entry in entries),
        differences=differences,
        seconds=seconds,
        theirs=theirs,
    )


def _counts(entries: Iterator[Entry]) -> Codes:
    return Counter(Code(kind=each.kind, architecture=each.architecture, variant=each.variant).name for each in entries)


def _as_listed(codes: Codes) -> Codes:
    """As --list-elf and --list-ptx have it: LTO is in neither, and sm_100f is sm_100."""
    listed = Counter[str]()
    for name, count in codes.items():
        if not name.startswith("lto_"):
            listed[name.removesuffix("f") if name.startswith("sm_") else name] += count
    return listed


def _distance(ours: Codes, theirs: Codes) -> int:
    return (ours - theirs).total() + (theirs - ours).total()


def report(compared: list[Compared]) -> None:
    """A row for each library, and the sums."""
    print("| library | cubins | PTX | LTO | outside `.nv_fatbin` | without kernels | differences | ours, s | cuobjdump, s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for each in sorted(compared, key=lambda each: each.name):
        kinds = (_of_kind(each.inside, kind) for kind in ("sm", "compute", "lto"))
        numbers = (*kinds, each.outside.total(), each.empty, each.differences)
        print(f"| {each.name} | {' | '.join(map(str, numbers))} | {each.seconds:.3f} | {each.theirs:.2f} |")
    ours, theirs = sum(each.seconds for each in compared), sum(each.theirs for each in compared)
    entries = sum(each.inside.total() + each.outside.total() for each in compared)
    differences = sum(each.differences for each in compared)
    print(f"\n{len(compared)} libraries, {entries} entries, {differences} differences")
    print(f"{ours:.2f} s against {theirs:.2f} s of --list-elf and --list-ptx: {theirs / ours:.0f} times")


def _of_kind(codes: Codes, kind: str) -> int:
    return sum(count for name, count in codes.items() if name.startswith(f"{kind}_"))


if __name__ == "__main__":
    sys.exit(main())
