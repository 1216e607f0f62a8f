"""`make bench-push`: `shipwheel push` beside `docker push` and `buildah push`, to registries on loopback, on this machine, now.

Needs root on Debian with dockerd, buildx, buildah, skopeo, docker-registry and mmdebstrap. What it compares is told in
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import base
from buildah_side import BuildahSide
from docker_side import IMAGE, DockerSide
from engine import Engine, engine, missing_tools
from lanes import Pushes, Side
from measure import log, seconds
from projects import EXAMPLES, ROOT, Project, prepare
from push_report import tables
from records import Pushed
from report import OURS
from services import SMALL_ONES, Services, Stored
from shipwheel_side import NAME, ShipwheelSide
from wheelhouse import Wheelhouse

TOOLS = ("dockerd", "docker", "buildah", "skopeo", "docker-registry", "mmdebstrap", "ip")
DOCKERFILES = ("usual", "split")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=sorted(EXAMPLES), help="one example instead of both")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="timed runs of each way, default 3")
    parser.add_argument("--services", type=int, default=10, metavar="N", help="services on one torch, default 10; 0: none")
    parser.add_argument("--quick", action="store_true", help="one run of the tabular example, no services")
    parser.add_argument("--side", choices=("ours", "theirs"), help="one side only: no table, only what it says on stderr")
    parser.add_argument("--work", type=Path, default=ROOT / ".work" / "bench", metavar="DIR", help="wheels, base and results")
    chosen = parser.parse_args()
    missing = missing_tools(TOOLS)
    if missing or os.geteuid():
        raise SystemExit(f"bench-push needs root and {', '.join(missing or TOOLS)}")
    if not 0 <= chosen.services <= len(SMALL_ONES) or chosen.services == 1:
        parser.error(f"--services takes 0, or 2 to {len(SMALL_ONES)}")
    if chosen.quick:
        chosen.only, chosen.runs, chosen.services = chosen.only or "tabular", 1, 0
    _run(chosen)


def _run(chosen: argparse.Namespace) -> None:
    started, load = time.monotonic(), os.getloadavg()[0]
    pushes: list[Pushed] = []
    services: list[Stored] = []
    chosen.work.mkdir(parents=True, exist_ok=True)
    try:
        moved = _measure(chosen, pushes, services)
    finally:  # what was found before something failed is worth minutes
        found = {
            "load": [load, os.getloadavg()[0]],
            "pushes": list(map(asdict, pushes)),
            "services": list(map(asdict, services)),
        }
        (chosen.work / "push.json").write_text(json.dumps(found, indent=1))
    log(f"{(time.monotonic() - started) / 60:.0f} minutes; load {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    if not chosen.side:
        print(tables(pushes, moved, services, chosen.services))


def _measure(chosen: argparse.Namespace, pushes: list[Pushed], services: list[Stored]) -> dict[str, int]:
    """Everything that is asked for, as it is found; the bytes of the heavy wheel that moves, by project."""
    with ExitStack() as stack:
        bench = Bench.open(stack, chosen.work.resolve())
        names = [chosen.only] if chosen.only else list(EXAMPLES)
        projects = {name: prepare(*EXAMPLES[name], bench.work) for name in names}
        for project in projects.values():
            for make in bench.sides(project, chosen.side):
                each = Pushes(example=project.name, side=make(), work=bench.scratch, runs=chosen.runs)
                pushes.extend(each.measure())
        if chosen.services and "torch" in projects and not chosen.side:
            services.extend(bench.services(projects["torch"], chosen.services).measure())
    return {project.name: project.moved_wheel.stat().st_size for project in projects.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all sides share: wheels and base are kept in `work`, all else in `scratch`, which is new."""

    work: Path
    house: Wheelhouse
    engine: Engine

    @classmethod
    def open(cls, stack: ExitStack, work: Path) -> Bench:
        """Start the index of wheels and the engine, for as long as `stack` lasts."""
        (work / "wheels").mkdir(parents=True, exist_ok=True)
        house = stack.enter_context(Wheelhouse(work / "wheels", work / "debs"))
        tar = base.rootfs(work / "base", house.mirror)
        scratch = work / "push"
        shutil.rmtree(scratch, ignore_errors=True)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        bench = cls(work=work, house=house, engine=stack.enter_context(engine(scratch / "engine")))
        base.load(bench.engine, tar, bench.scratch)
        return bench

    @property
    def scratch(self) -> Path:
        """Where engine, registries and stores lie."""
        return self.work / "push"

    @property
    def ours(self) -> ShipwheelSide:
        """Shipwheel with a home of its own."""
        return ShipwheelSide(home=self.scratch / "home", url=self.house.url, docker_host=self.engine.host)

    def docker(self, dockerfile: str) -> DockerSide:
        """A Dockerfile on the engine."""
        return DockerSide(dockerfile=dockerfile, engine=self.engine, index=f"{self.house.url}/simple/", registries={})

    def services(self, project: Project, number: int) -> Services:
        """So many like this project."""
        work = self.scratch / "services"
        return Services(project=project, work=work, number=number, docker=self.docker, ours=self.ours)

    def sides(self, project: Project, only: str | None) -> Iterator[Callable[[], Side]]:
        """Theirs and ours, each to be made when its turn comes."""
        if only != "ours":
            yield from (partial(self._theirs, project, dockerfile) for dockerfile in DOCKERFILES)
        if only != "theirs":
            yield partial(self._ours, project)

    def _theirs(self, project: Project, dockerfile: str) -> Side:
        docker, buildah = self.docker(dockerfile), BuildahSide(folder=self.scratch / "buildah", engine=self.engine)
        docker.reset()
        buildah.reset()

        def build(change: str) -> float:
            project.apply(change, 0)
            took = docker.build(project.folder).seconds
            buildah.bring()
            return took

        return Side(name=dockerfile, build=build, ways={"buildah push": buildah.push, "docker push": self._docker_push})

    def _docker_push(self, address: str) -> Callable[[], object]:
        self.engine.docker("tag", IMAGE, address)
        return partial(self.engine.docker, "push", "--quiet", address)

    def _ours(self, project: Project) -> Side:
        ours, locks = self.ours, self.scratch / f"locks-{project.name}"
        ours.reset()
        ours.lock(project, locks)

        def build(change: str) -> float:
            project.apply(change, 0)
            ours.apply(project, change, locks)
            return seconds(lambda: ours.build(project.folder, ""))

        ways = {"push NAME": partial(ours.push, NAME), "push DIR": partial(ours.push, project.folder)}
        return Side(name=OURS, build=build, ways=ways)


if __name__ == "__main__":
    main()
