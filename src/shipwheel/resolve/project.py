"""`lock_project`: everything that an image of a project is made of, chosen for each platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.errors import ProjectError
from shipwheel.http import Client
from shipwheel.lock import BaseImage, Built, Deb, Lock, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.oci.reference import Reference
from shipwheel.project import Project, Served
from shipwheel.project.rules import COMPOSED
from shipwheel.resolve.base import DEBIAN_IMAGE, SHELL, SUITES, base_packages, interpreter_packages
from shipwheel.resolve.base_image import lock_base
from shipwheel.resolve.debian import DebianArchives, DebIndex, IndexSource, load_index, resolve_debs
from shipwheel.resolve.fingerprint import fingerprint
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.inside import ASSUMED_GLIBC, GLIBC, minor
from shipwheel.resolve.model import lock_model, runtime_extras
from shipwheel.resolve.needs import Chosen, Examine, unexamined
from shipwheel.resolve.request import STAY, Upgrade, WheelRequest, silent
from shipwheel.resolve.target import Target
from shipwheel.resolve.wheels import resolve_wheels

if TYPE_CHECKING:
    from shipwheel.registry.repository import Repository

NAMED = "named in system-packages"
"""The reason for a Debian package that the project asks for."""

BUILDERS = ("amd64", "arm64")
"""Debian architectures of machines that build images; each has its own interpreter in the lock, to compile bytecode with."""


def _unreached(reference: Reference) -> Repository:
    raise ProjectError(f"{reference} is in a registry, which is not reached from here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where versions and files come from, and this machine; `cache` keeps what indexes said, `env` is for uv.

    `repository` connects to the repository of a reference; `examine` finds out what chosen wheels need of the system.
    `say` is told what was decided on the way, in lines for people.
    """

    client: Client
    archives: DebianArchives
    indexes: Indexes
    cache: Path
    host: Platform
    env: Mapping[str, str] = field(repr=False)
    repository: Callable[[Reference], Repository] = field(default=_unreached, repr=False)
    examine: Examine = field(default=unexamined, repr=False)
    say: Callable[[str], object] = field(default=silent, repr=False)


def lock_project(
    project: Project,
    platforms: Sequence[Platform],
    reach: Reach,
    *,
    previous: Lock | None = None,
    upgrade: Upgrade = STAY,
) -> Lock:
    """Choose exact files for every platform; what `previous` has stays where it fits and `upgrade` does not move it.

    Raises:
        ProjectError: a base that nothing can be built on, or a model that cannot be pinned.
        ResolveError: no versions, wheels or packages that fit, or an index that cannot be trusted.
        NetworkError: an index that cannot be reached.
    """
    stated, kept = fingerprint(project), {each.platform: each for each in previous.platforms} if previous else {}
    bases = _bases(project, platforms, reach, {} if upgrade.all else kept)
    project = replace(project, python=_python(project, bases))
    with ThreadPoolExecutor() as pool:
        debian = _Debian(IndexSource(archives=reach.archives, fetcher=reach.client, cache=reach.cache / "debian"), pool)
        debian.expect(project.python, () if bases else platforms)
        model = lock_model(project, reach.client)
        wish = _wish(project, model.served if model else None, upgrade)
        wish = replace(wish, retrained=not previous or (model is not None and set(model.files) != set(previous.model)))
        started = [_Platform(platform=each, base=bases.get(each), previous=kept.get(each)) for each in platforms]
        choosing = [pool.submit(_wheels, project, each, reach, wish) for each in started]
        locked = [
            _completed(
                project,
                PlatformLock(platform=each.platform, base=each.base, wheels=wheels, built=built),
                debian,
                reach.examine,
            )
            for each, (wheels, built) in ((each, future.result()) for each, future in zip(started, choosing, strict=True))
        ]
        interpreters = debian.interpreters(project.python)
    return Lock(
        fingerprint=stated,
        python=project.python,
        suite="" if bases else SUITES[project.python],
        dates=debian.dates(),
        platforms=tuple(sorted(locked, key=lambda each: each.platform)),
        interpreters=interpreters,
        model=model.files if model else (),
    )


def _bases(
    project: Project, platforms: Sequence[Platform], reach: Reach, kept: Mapping[Platform, PlatformLock]
) -> dict[Platform, BaseImage]:
    """The images of a registry that the platforms lie on; none where the base is composed."""
    if project.settings.base == COMPOSED:
        return {}
    pinned = {platform: locked.base for platform, locked in kept.items()}
    bases = {each: lock_base(project, each, reach.repository, pinned.get(each)) for each in platforms}
    strange = [base for base in bases.values() if base.distribution not in SUITES.values()]
    if project.settings.system_packages and strange:
        raise ProjectError(
            f"system-packages are Debian's; {project.settings.base} does not show that it is {' or '.join(SUITES.values())}",
            hint="take a base that has them, or the debian base",
        )
    return bases


def _python(project: Project, bases: Mapping[Platform, BaseImage]) -> str:
    """The minor version that all platforms have."""
    found = {minor(base.python) for base in bases.values()} or {project.python}
    if len(found) > 1:
        problem = f"{project.settings.base} has another Python on each platform: {', '.join(sorted(found))}"
        raise ProjectError(problem, hint="choose a tag that names the version")
    return found.pop()


class _Debian:
    """Debian's indexes, loaded in threads and once each."""

    def __init__(self, source: IndexSource, pool: ThreadPoolExecutor) -> None:
        self.source, self._pool = source, pool
        self._loading: dict[tuple[str, str], Future[DebIndex]] = {}

    def expect(self, python: str, platforms: Sequence[Platform]) -> None:
        """Start with those of the interpreter, and of bases to be composed."""
        if suite := SUITES.get(python):
            for architecture in sorted({*BUILDERS, *(platform.architecture for platform in platforms)}):
                self._start(suite, architecture)

    def index(self, suite: str, architecture: str) -> DebIndex:
        """What a suite offers for an architecture."""
        return self._start(suite, architecture).result()

    def _start(self, suite: str, architecture: str) -> Future[DebIndex]:
        wanted = (suite, architecture)
        if wanted not in self._loading:
            self._loading[wanted] = self._pool.submit(load_index, self.source, suite, architecture)
        return self._loading[wanted]

    def interpreters(self, python: str) -> dict[str, tuple[Deb, ...]]:
        """By architecture of the machine that builds; none where Debian has no such Python."""
        suite, names = SUITES.get(python), interpreter_packages(python)
        return {name: resolve_debs(self.index(suite, name), names, follow=False) for name in BUILDERS} if suite else {}

    def dates(self) -> dict[str, str]:
        """The newest of each archive: at that date the snapshot archive has what any of these indexes names."""
        dates: dict[str, str] = {}
        for future in self._loading.values():
            for archive, date in future.result().dates.items():
                dates[archive] = max(date, dates.get(archive, ""))
        return dates


def lock_wheels(project: Project, platform: Platform, reach: Reach) -> Lock:
    """A lock of the Python packages alone, for one platform: what a served model needs outside of an image.

    Raises:
        ResolveError: no versions or wheels that fit, or an index that cannot be trusted.
        NetworkError: an index that cannot be reached.
    """
    if not project.python:
        raise ProjectError(
            f"only {project.settings.base} knows which Python the project has", hint="run 'shipwheel lock', or set 'python'"
        )
    wheels, built = _wheels(project, _Platform(platform=platform), reach, _wish(project, project.served, STAY))
    locked = PlatformLock(platform=platform, wheels=wheels, built=built)
    suite = SUITES.get(project.python, "")
    return Lock(fingerprint=fingerprint(project), python=project.python, suite=suite, platforms=(locked,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Platform:
    """A platform to lock, what it lies on, and what it was locked to before."""

    platform: Platform
    base: BaseImage | None = None
    previous: PlatformLock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What all platforms have in common: what may move, and what a served model needs, as `WheelRequest` has it."""

    upgrade: Upgrade
    extras: tuple[str, ...] | None = None
    trained: Mapping[str, str] = field(default_factory=dict)
    retrained: bool = True


def _wish(project: Project, served: Served | None, upgrade: Upgrade) -> _Wish:
    if served is None:
        return _Wish(upgrade=upgrade)
    return _Wish(upgrade=upgrade, extras=runtime_extras(project, served), trained=served.trained.packages)


def target_for(python: str, platform: Platform, base: BaseImage | None) -> Target:
    """The interpreter and the system that wheels must fit; without `base` those of the composed one."""
    glibc = base.glibc if base else GLIBC.get(SUITES.get(python, ""), ASSUMED_GLIBC)
    return Target(python=python, platform=platform, glibc=glibc)


def _wheels(project: Project, wanted: _Platform, reach: Reach, wish: _Wish) -> tuple[tuple[Wheel, ...], tuple[Built, ...]]:
    request = WheelRequest(
        root=project.root,
        requirements=project.requirements,
        target=target_for(project.python, wanted.platform, wanted.base),
        host=reach.host,
        indexes=reach.indexes,
        env=reach.env,
        previous=wanted.previous,
        upgrade=wish.upgrade,
        extras=wish.extras,
        trained=wish.trained,
        retrained=wish.retrained,
        accelerator=project.settings.accelerator,
        say=reach.say,
    )
    wheels, built = resolve_wheels(request, reach.client)
    if project.is_package and project.name not in {each.name for each in built}:
        built = tuple(
            sorted((*built, Built(name=project.name, version="0", kind="path", path=".")), key=lambda each: each.name)
        )
    return wheels, built


def _completed(project: Project, chosen: PlatformLock, debian: _Debian, examine: Examine) -> PlatformLock:
    """With the Debian packages: the base's where it is composed, those that the project names, those that the wheels need."""
    named = dict.fromkeys(project.settings.system_packages, NAMED)
    before = replace(chosen, debs=_debs(project, chosen, named, debian))
    needs = examine(
        Chosen(
            project=project,
            locked=before,
            suite=_suite(project, chosen),
            glibc=target_for(project.python, chosen.platform, chosen.base).glibc,
            distribution=chosen.base.distribution if chosen.base else SUITES.get(project.python, ""),
            debian=debian.source,
        )
    )
    debs = _debs(project, chosen, {**needs.packages, **named}, debian) if needs.packages else before.debs
    return replace(before, debs=debs, accelerator=needs.accelerator)


def _suite(project: Project, chosen: PlatformLock) -> str:
    """The Debian release whose packages fit below the wheels; empty where the base is not Debian's."""
    suite = chosen.base.distribution if chosen.base else SUITES.get(project.python, "")
    return suite if suite in SUITES.values() else ""


def _debs(project: Project, chosen: PlatformLock, reasons: Mapping[str, str], debian: _Debian) -> tuple[Deb, ...]:
    """The base's packages where it is composed, and those that there are reasons for."""
    architecture, suite = chosen.platform.architecture, _suite(project, chosen)
    if chosen.base is None:
        base = dict.fromkeys(base_packages(project.python), "")
        shell = dict.fromkeys(SHELL if project.settings.shell else (), "'shell' in the settings")
        return resolve_debs(debian.index(suite, architecture), {**reasons, **shell, **base})
    if not reasons or not suite:
        return ()
    index = debian.index(suite, architecture)
    return resolve_debs(index, reasons, present=debian_image(index))


def debian_image(index: DebIndex) -> tuple[Deb, ...]:
    """The packages that every Debian image has, as this index offers them."""
    return resolve_debs(index, (name for name in DEBIAN_IMAGE.split() if index.best(name)), skip={})
