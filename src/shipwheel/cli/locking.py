"""Making a lock: what `lock`, `build` and `run` share."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.cli.context import Context
from shipwheel.cli.decisions import say_decisions
from shipwheel.cli.workshop import open_workshop
from shipwheel.errors import UsageError
from shipwheel.lock import FILE_NAME, Lock, PlatformLock, is_dependency, write_lock
from shipwheel.oci.blob import Platform
from shipwheel.project import Project, Served
from shipwheel.resolve.project import lock_project
from shipwheel.resolve.request import STAY, Upgrade


def make_lock(
    context: Context,
    project: Project,
    platforms: tuple[Platform, ...],
    previous: Lock | None = None,
    upgrade: Upgrade = STAY,
) -> Lock:
    """Choose versions, write the project's shipwheel.lock and say what was decided."""
    say_decisions(context, project)
    with open_workshop(context, project) as shop:
        lock = lock_project(project, platforms, shop.reach(), previous=previous, upgrade=upgrade)
    _check_names(lock, upgrade)
    write_lock(project.root / FILE_NAME, lock)
    for line in _said_of_bases(lock):
        context.say(line)
    for each in lock.platforms:
        built = f", {len(each.built)} built from source" if each.built else ""
        context.say(f"locked {each.platform}: {len(each.wheels)} wheels{built}, {len(each.debs)} Debian packages")
        for line in _said_of_needs(each):
            context.say(f"  {line}")
        if project.served and (apart := _apart(project.served, each)):
            context.say(f"  other than in training: {', '.join(apart)}", style="yellow")
    return lock


def _said_of_bases(lock: Lock) -> Iterator[str]:
    """What was found in images of a registry, and what was only assumed."""
    bases = [(each.platform, each.base) for each in lock.platforms if each.base]
    for platform, base in bases:
        known = base.distribution or "assumed, as nothing in it shows its distribution"
        yield f"  base for {platform}: {base.reference} {base.digest[:19]}"
        yield f"    Python {base.python} at {base.interpreter}, glibc 2.{base.glibc} ({known})"
    if bases and not lock.interpreters:
        yield f"  no bytecode: Debian has no Python {lock.python} to compile it with, so a service starts slower"


def _said_of_needs(locked: PlatformLock) -> Iterator[str]:
    """The Debian packages that wheels need, not those that only these need, and what the wheels need of a GPU."""
    yield from (f"{deb.name}: {deb.reason}" for deb in locked.debs if deb.reason and not is_dependency(deb))
    if found := locked.accelerator:
        driver = f", a driver from {found.driver} on" if found.driver else ""
        code = f", code for {found.architectures}" if found.architectures else ""
        yield f"GPU: {'CUDA' if found.kind == 'cuda' else 'ROCm'} {found.version}{driver}{code}"


def _apart(served: Served, locked: PlatformLock) -> list[str]:
    """Packages whose versions are not those that the bundle was trained with."""
    found = {each.name: each.version.partition("+")[0] for each in locked.packages}
    trained = {name: version.partition("+")[0] for name, version in served.trained.packages.items()}
    different = sorted(name for name, version in trained.items() if found.get(name) != version)
    return [f"{name} {found.get(name, 'absent')} (was {trained[name]})" for name in different]


def _check_names(lock: Lock, upgrade: Upgrade) -> None:
    """A name that nothing in the image has is a slip of the keyboard, not an upgrade."""
    from packaging.utils import canonicalize_name

    names = {canonicalize_name(file.name) for each in lock.platforms for file in each.packages}
    unknown = sorted(name for name in upgrade.names if canonicalize_name(name) not in names)
    if unknown:
        raise UsageError(f"the project needs no package '{unknown[0]}'", hint="shipwheel.lock lists what it needs")
