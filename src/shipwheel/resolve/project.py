"""`lock_project`: everything that an image of a project is made of, chosen for each platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from shipwheel.errors import ProjectError
from shipwheel.http import Client
from shipwheel.lock import Built, Deb, Lock, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project import Project, Served
from shipwheel.resolve.base import SUITES, base_packages, interpreter_packages
from shipwheel.resolve.debian import DebianArchives, DebIndex, IndexSource, load_index, resolve_debs
from shipwheel.resolve.fingerprint import fingerprint
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.model import lock_model, runtime_extras
from shipwheel.resolve.target import Target
from shipwheel.resolve.wheels import STAY, Upgrade, WheelRequest, resolve_wheels

GLIBC = {"bookworm": 36, "trixie": 41}
"""glibc 2.N of each release: which manylinux wheels run on it (PEP 600)."""

LIBRARIES = {"lightgbm": ("libgomp1",)}
"""System libraries that a wheel of a library which the runtime serves needs and does not bring (lightgbm: OpenMP)."""

BUILDERS = ("amd64", "arm64")
"""Debian architectures of machines that build images; each has its own interpreter in the lock, to compile bytecode with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where versions and files come from, and this machine; `cache` keeps what indexes said, `env` is for uv."""

    client: Client
    archives: DebianArchives
    indexes: Indexes
    cache: Path
    host: Platform
    env: Mapping[str, str] = field(repr=False)


def lock_project(
    project: Project, platforms: Sequence[Platform], reach: Reach, *, previous: Lock | None = None, upgrade: Upgrade = STAY
) -> Lock:
    """Choose exact files for every platform; what `previous` has stays where it fits and `upgrade` does not move it.

    Raises:
        ProjectError: a base that cannot be composed, or a model that cannot be pinned.
        ResolveError: no versions, wheels or packages that fit, or an index that cannot be trusted.
        NetworkError: an index that cannot be reached.
    """
    suite = _suite(project)
    architectures = sorted({platform.architecture for platform in platforms} | set(BUILDERS))
    source = IndexSource(archives=reach.archives, fetcher=reach.client, cache=reach.cache / "debian")
    with ThreadPoolExecutor() as pool:
        loading = {name: pool.submit(load_index, source, suite, name) for name in architectures}
        kept = {each.platform: each for each in previous.platforms} if previous else {}
        model = lock_model(project, reach.client)
        wish = _wish(project, model.served if model else None, upgrade)
        wish = replace(wish, retrained=not previous or (model is not None and set(model.files) != set(previous.model)))
        choosing = [pool.submit(_wheels, project, each, reach, kept.get(each), wish) for each in platforms]
        indexes = {name: future.result() for name, future in loading.items()}
        wheels = [future.result() for future in choosing]
    locked = [
        PlatformLock(platform=platform, debs=_debs(project, indexes[platform.architecture], chosen), wheels=chosen, built=built)
        for platform, (chosen, built) in zip(platforms, wheels, strict=True)
    ]
    interpreter = interpreter_packages(project.python)
    return Lock(
        fingerprint=fingerprint(project),
        python=project.python,
        suite=suite,
        dates=indexes[platforms[0].architecture].dates,
        platforms=tuple(sorted(locked, key=lambda each: each.platform)),
        interpreters={name: resolve_debs(indexes[name], interpreter, follow=False) for name in BUILDERS},
        model=model.files if model else (),
    )


def lock_wheels(project: Project, platform: Platform, reach: Reach) -> Lock:
    """A lock of the Python packages alone, for one platform: what a served model needs outside of an image.

    Raises:
        ResolveError: no versions or wheels that fit, or an index that cannot be trusted.
        NetworkError: an index that cannot be reached.
    """
    wheels, built = _wheels(project, platform, reach, None, _wish(project, project.served, STAY))
    locked = PlatformLock(platform=platform, wheels=wheels, built=built)
    return Lock(fingerprint=fingerprint(project), python=project.python, suite=_suite(project), platforms=(locked,))


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


def target_for(project: Project, platform: Platform) -> Target:
    """The interpreter and the system that wheels must fit."""
    return Target(python=project.python, platform=platform, glibc=GLIBC[_suite(project)])


def _suite(project: Project) -> str:
    if project.settings.base != "debian":
        raise ProjectError(
            f"base '{project.settings.base}' is an image of a registry, which this version cannot build on",
            hint='leave base out, or set base = "debian"',
        )
    return SUITES[project.python]


def _wheels(
    project: Project, platform: Platform, reach: Reach, previous: PlatformLock | None, wish: _Wish
) -> tuple[tuple[Wheel, ...], tuple[Built, ...]]:
    request = WheelRequest(
        root=project.root,
        requirements=project.requirements,
        target=target_for(project, platform),
        host=reach.host,
        indexes=reach.indexes,
        env=reach.env,
        previous=previous,
        upgrade=wish.upgrade,
        extras=wish.extras,
        trained=wish.trained,
        retrained=wish.retrained,
    )
    wheels, built = resolve_wheels(request, reach.client)
    if project.is_package and project.name not in {each.name for each in built}:
        built = tuple(
            sorted((*built, Built(name=project.name, version="0", kind="path", path=".")), key=lambda each: each.name)
        )
    return wheels, built


def _debs(project: Project, index: DebIndex, wheels: Sequence[Wheel]) -> tuple[Deb, ...]:
    base = base_packages(project.python, shell=project.settings.shell)
    needed = [name for wheel in wheels for name in LIBRARIES.get(wheel.name, ())]
    return resolve_debs(index, (*base, *needed, *project.settings.system_packages))
