"""`make bench`: shipwheel beside Dockerfiles, the same wheels from the same disk, on this machine, now.

Needs root on Debian with dockerd, buildx, docker-registry, skopeo and mmdebstrap. What it compares, and what stands in for
what cannot be had offline, is told in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import base
import docker_side as docker
from bound import bound_seconds, packing_seconds
from docker_side import DockerSide
from engine import Engine, engine, missing_tools, registry
from measure import CommandError, Summary, disk, log, stored
from projects import CHANGES, CODE, EXAMPLES, FIRST, NOTHING, PYTHON, ROOT, Project, prepare
from records import OCI_FOLDER, TO_ENGINE, Record
from report import OURS, tables
from shipwheel_side import NAME, ShipwheelSide
from starts import start_seconds
from wheelhouse import Wheelhouse

TOOLS = ("dockerd", "docker", "docker-registry", "skopeo", "mmdebstrap", "ip")
START_RUNS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that a measurement needs; `records` and `extras` gather what was found."""

    work: Path
    house: Wheelhouse
    classic: Engine
    containerd: Engine
    ways: tuple[str, ...]
    records: list[Record] = field(default_factory=list)
    extras: dict[str, dict[str, float]] = field(default_factory=dict)

    def keep(self, record: Record) -> None:
        """Note and say a result."""
        place = f"{record.example}: {record.side}, {record.way}, {record.change}"
        log(f"{place}: {record.seconds:.2f} s, {record.written / 1e6:.2f} MB")
        self.records.append(record)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=sorted(EXAMPLES), help="one example instead of both")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each, default 3")
    parser.add_argument("--quick", action="store_true", help="one run, the tabular example, one way to push")
    parser.add_argument("--side", choices=("ours", "docker"), help="one side only")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "bench", metavar="DIR", help="wheels, bases and results")
    chosen = parser.parse_args()
    missing = missing_tools(TOOLS)
    if missing or os.geteuid():
        raise SystemExit(f"bench needs root and {', '.join(missing or TOOLS)}")
    chosen.work = chosen.work.resolve()
    chosen.work.mkdir(parents=True, exist_ok=True)
    only = "tabular" if chosen.quick and not chosen.only else chosen.only
    with ExitStack() as stack:
        bench = _open(stack, chosen.work, quick=chosen.quick)
        for name in [only] if only else EXAMPLES:
            _measure(bench, *EXAMPLES[name], 1 if chosen.quick else chosen.runs, chosen.side)
    found = {"records": [asdict(record) for record in bench.records], "extras": bench.extras}
    (chosen.work / "results.json").write_text(json.dumps(found, indent=1))
    print(tables(bench.records, bench.extras))


def _open(stack: ExitStack, work: Path, *, quick: bool) -> Bench:
    (work / "wheels").mkdir(exist_ok=True)
    house = stack.enter_context(Wheelhouse(work / "wheels", work / "debs"))
    tar = base.rootfs(work / "base", house.mirror)
    engines = []
    for name, containerd in (("classic", False), ("containerd", True)):
        shutil.rmtree(work / name, ignore_errors=True)
        engines.append(stack.enter_context(engine(work / name, containerd_store=containerd)))
        base.load(engines[-1], tar, work)
    ways = (docker.DOCKER_PUSH, docker.BUILDX_ZSTD) if quick else (docker.DOCKER_PUSH, docker.SKOPEO, docker.BUILDX_ZSTD)
    return Bench(work=work, house=house, classic=engines[0], containerd=engines[1], ways=ways)


def _measure(bench: Bench, example: str, heavy: str, runs: int, side: str | None) -> None:
    project = prepare(example, heavy, bench.work)
    for number in range(runs):
        if side != "ours":
            for dockerfile in ("usual", "split"):
                _run_dockerfile(bench, project, dockerfile, number)
        if side != "docker":
            _run_ours(bench, project, number)
    if side is None:
        _compare_images(bench, project)
    if side != "docker":
        _compare_with_bound(bench, project, runs)


def _run_dockerfile(bench: Bench, project: Project, dockerfile: str, number: int) -> None:
    """All changes on an engine that remembers nothing: with the classic store and what pushes it, then with containerd's."""
    classic = [way for way in bench.ways if way in docker.CLASSIC]
    for store, ways in ((bench.classic, classic), *((bench.containerd, [way]) for way in bench.ways if way not in classic)):
        with ExitStack() as stack:
            folders = {way: _fresh(bench.work / f"registry-{nth}") for nth, way in enumerate(ways)}
            addresses = {way: stack.enter_context(registry(folder)) for way, folder in folders.items()}
            side = DockerSide(dockerfile=dockerfile, engine=store, index=f"{bench.house.url}/simple/", registries=addresses)
            side.reset()
            for change in (FIRST, *CHANGES):
                project.apply(change, number)
                step = _Step(bench=bench, project=project, dockerfile=dockerfile, change=change, number=number)
                if store is bench.classic:
                    step.classic(side, folders)
                elif not step.containerd(side, ways[0], folders[ways[0]]):
                    break


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One change of one run of one Dockerfile."""

    bench: Bench
    project: Project
    dockerfile: str
    change: str
    number: int

    def classic(self, side: DockerSide, folders: dict[str, Path]) -> None:
        """Build once, push in every way that may win: saving the whole image to push one line of code cannot."""
        built = side.build(self.project.folder)
        self._keep(TO_ENGINE, built.seconds, memory=built.memory, disk=self._disk(side.engine))
        for way, folder in folders.items():
            if way == docker.SKOPEO and self.change in (NOTHING, CODE):
                continue
            before = stored(folder / "blobs")
            pushed = side.push(way)
            self._keep(
                way,
                built.seconds + pushed.seconds,
                making=built.seconds,
                written=stored(folder / "blobs") - before,
                memory=max(built.memory, pushed.memory),
            )

    def containerd(self, side: DockerSide, way: str, folder: Path) -> bool:
        """Build and push at once. With zstd the BuildKit of Docker 26 now and then loses a snapshot: then False."""
        before = stored(folder / "blobs")
        try:
            done = side.build_and_push(self.project.folder, way)
        except CommandError as error:
            log(f"{self.project.name}: {self.dockerfile}, {way}, {self.change}: left out, docker failed: {str(error)[-300:]}")
            return False
        written = stored(folder / "blobs") - before
        self._keep(way, done.seconds, written=written, memory=done.memory, disk=self._disk(side.engine))
        return True

    def _disk(self, engine: Engine) -> int:
        return disk(engine.data) if self.change == FIRST else 0

    def _keep(self, way: str, seconds: float, **found: float) -> None:
        where = {"example": self.project.name, "side": self.dockerfile, "way": way, "change": self.change, "run": self.number}
        self.bench.keep(Record(**where, seconds=seconds, **found))  # type: ignore[arg-type]  # names checked by Record


def _run_ours(bench: Bench, project: Project, number: int) -> None:
    home, out, locks = bench.work / "home", bench.work / "oci", bench.work / f"locks-{project.name}"
    side = ShipwheelSide(home=home, url=bench.house.url, docker_host=bench.classic.host)
    if number == 0:
        side.reset()
        side.lock(project, locks)
    for way, to in ((OCI_FOLDER, f"oci:{out}"), (TO_ENGINE, "docker")):
        side.reset(out)
        _forget(bench.classic, NAME)
        for change in (FIRST, *CHANGES):
            project.apply(change, number)
            side.apply(project, change, locks)
            before = stored(out)
            done = side.build(project.folder, to)
            bench.keep(
                Record(
                    example=project.name,
                    side=OURS,
                    way=way,
                    change=change,
                    run=number,
                    seconds=done.seconds,
                    written=stored(out) - before,
                    memory=done.memory,
                    disk=disk(home, out) if change == FIRST else 0,
                )
            )


def _compare_images(bench: Bench, project: Project) -> None:
    """Sizes and starts of both images of the project as it was at first, and what bytecode costs."""
    found = bench.extras.setdefault(project.name, {})
    side = ShipwheelSide(home=bench.work / "home", url=bench.house.url, docker_host=bench.classic.host)
    project.apply(FIRST, 0)
    side.apply(project, FIRST, bench.work / f"locks-{project.name}")
    side.build(project.folder, "docker")
    theirs = DockerSide(dockerfile="usual", engine=bench.classic, index=f"{bench.house.url}/simple/", registries={})
    theirs.build(project.folder)
    sizes = side.describe(project.folder)["sizes"]
    found["image, ours, MB compressed"] = sizes["compressed"] / 1e6
    found["image, ours, MB unpacked"] = sizes["unpacked"] / 1e6
    pushed = [record for record in bench.records if (record.example, record.side) == (project.name, "usual")]
    whole = {record.way: record.written for record in pushed if record.change == FIRST}
    found["image, Dockerfile, MB compressed"] = whole[docker.DOCKER_PUSH] / 1e6
    shown = bench.classic.docker("image", "inspect", "--format", "{{.Size}}", docker.IMAGE)
    found["image, Dockerfile, MB unpacked"] = int(shown) / 1e6
    for name, image in (("ours", NAME), ("Dockerfile", docker.IMAGE)):
        times = Summary.of([start_seconds(bench.classic, image) for _ in range(START_RUNS)])
        log(f"{project.name}: {name} answers after {times.median:.2f} s ({times.low:.2f} to {times.high:.2f})")
        found[f"docker run to the first 200, {name}, s (median of {START_RUNS})"] = times.median
        found[f"docker run to the first 200, {name}, s (lowest)"] = times.low
        found[f"docker run to the first 200, {name}, s (highest)"] = times.high
    side.reset(bench.work / "oci")
    found["from nothing without bytecode, s"] = side.build(project.folder, f"oci:{bench.work / 'oci'}", "--no-bytecode").seconds


def _compare_with_bound(bench: Bench, project: Project, runs: int) -> None:
    found = bench.extras.setdefault(project.name, {})
    wheels = [wheel for wheel in sorted(bench.work.joinpath("wheels").glob("*.whl")) if project.uses(wheel)]
    bound = Summary.of([bound_seconds(wheels) for _ in range(runs)]).median
    packing = Summary.of([packing_seconds(wheels, PYTHON) for _ in range(runs)]).median
    found["inflate and hash all wheels, s"] = bound
    found["pack all wheels as layers, one process, s"] = packing
    found["packing over its bound"] = packing / bound


def _forget(engine: Engine, name: str) -> None:
    names = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    for found in names:
        if name in found:
            engine.docker("image", "rm", "--force", found)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    main()
