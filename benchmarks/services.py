"""Services on one torch: what one registry stores when each is its own project with its own small requirement."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from docker_side import DockerSide
from lanes import lane
from measure import log, stored
from projects import CODE, FIRST, Project, download, resolve
from shipwheel_side import ShipwheelSide

SMALL_ONES = (
    "cachetools", "tabulate", "toolz", "more-itertools", "inflection", "decorator", "tenacity", "humanize", "blinker", "pluggy",
)  # fmt: skip
"""One for each service: pure wheels of up to 100 KB that need no others."""

FEW = 3
"""Services that are measured where each adds a whole layer of its own: every further one costs what they did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Bytes that a registry stores after each service, the first first."""

    side: str
    after: tuple[int, ...]

    @property
    def each(self) -> float:
        """What every service after the first added."""
        return (self.after[-1] - self.after[0]) / (len(self.after) - 1)

    def of(self, number: int) -> float:
        """What so many services take."""
        return self.after[0] + self.each * (number - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """So many projects like `project`, in `work`, built by both sides."""

    project: Project
    work: Path
    number: int
    docker: Callable[[str], DockerSide]
    ours: ShipwheelSide

    def measure(self) -> Iterator[Stored]:
        """Ours, then each Dockerfile with one build cache for all, and the better one without."""
        services = [each.folder for each in self._make()]
        yield self._stored("shipwheel", services, lambda folder, to: self.ours.push(folder, to)())
        few = services[:FEW]
        for name, folders in (("usual", few), ("split", services), ("split, runners of their own", few)):
            side = self.docker(name.partition(",")[0])
            side.reset()
            yield self._stored(name, folders, self._pushing(side, keeps_cache="," not in name))
            side.reset()

    def _pushing(self, side: DockerSide, *, keeps_cache: bool) -> Callable[[Path, str], None]:
        def push(folder: Path, address: str) -> None:
            if not keeps_cache:
                side.reset()
            side.build(folder)
            side.save_and_copy(address)

        return push

    def _stored(self, name: str, services: Sequence[Path], push: Callable[[Path, str], object]) -> Stored:
        after = []
        with lane(self.work / "registry", counted=False) as to:
            for service in services:
                push(service, f"{to.address}/bench/{service.name}:latest")
                after.append(stored(to.folder))
                log(f"services: {name}, {service.name}: {after[-1] / 1e6:.1f} MB stored")
        return Stored(side=name, after=tuple(after))

    def _make(self) -> tuple[Project, ...]:
        """The pins of the project and one more each, a line of code of its own, and no weights: those would be its own too."""
        shutil.rmtree(self.work, ignore_errors=True)
        pins = self._small_pins()
        download(set(pins), self.project.wheels)
        made = tuple(
            replace(self.project, folder=self.work / f"service-{nth}", pins={FIRST: (*self.project.pins[FIRST], pin)})
            for nth, pin in enumerate(pins)
        )
        for nth, each in enumerate(made):
            (each.folder / "model").mkdir(parents=True)
            (each.folder / "model" / "config.json").write_text(f'{{"service": {nth}}}\n')
            for name in (".python-version", ".dockerignore"):
                shutil.copy(self.project.folder / name, each.folder)
            each.apply(CODE, nth)
        return made

    def _small_pins(self) -> Sequence[str]:
        kept = self.project.wheels.parent / "pins-services"
        kept.mkdir(exist_ok=True)
        file = kept / "pins.txt"
        if not file.exists():
            file.write_text(resolve(kept, SMALL_ONES, ()))
        return file.read_text().splitlines()[: self.number]
