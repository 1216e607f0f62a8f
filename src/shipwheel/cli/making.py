"""From a folder to an image in the local store: what `build` and `run` share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from shipwheel.build import DEFAULT, BuildOptions, BuildResult, build
from shipwheel.cli.context import Context, folder
from shipwheel.cli.workshop import open_workshop, this_machine, wanted_platforms
from shipwheel.errors import UsageError
from shipwheel.lock import FILE_NAME, Lock, check_fresh, read_lock
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.plan import Plan
from shipwheel.project import Project, load_project
from shipwheel.resolve.fingerprint import fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asks for; empty: as the project says."""

    directory: str
    tag: str = ""
    platforms: tuple[str, ...] = ()
    options: BuildOptions = DEFAULT
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image in the store under `name`, how each platform's was built, and the seconds of it all."""

    project: Project
    name: str
    image: Image | Index
    builds: tuple[BuildResult, ...]
    seconds: float


def make_image(context: Context, request: Request) -> Made:
    """Load the project, lock it if it never was, build for every platform, and name the result in the store."""
    started = time.monotonic()
    project = load_project(folder(request.directory))
    name = str(Reference.parse(request.tag or project.name))
    platforms = wanted_platforms(request.platforms, project) or (this_machine(),)
    lock = _lock(context, project, platforms)
    plans = [Plan(project=project, platform=platform) for platform in platforms]
    with open_workshop(context, project, request.jobs) as shop:
        builds = tuple(build(plan, lock, shop, request.options) for plan in plans)
    image = builds[0].image if len(builds) == 1 else compose_index(each.image for each in builds)
    copy(image, context.store, name)
    return Made(project=project, name=name, image=image, builds=builds, seconds=time.monotonic() - started)


def _lock(context: Context, project: Project, platforms: tuple[Platform, ...]) -> Lock:
    """The project's lock, checked; made now where there is none."""
    path = project.root / FILE_NAME
    if not path.exists():
        from shipwheel.cli.locking import make_lock

        context.say(f"no {FILE_NAME} yet: choosing versions")
        return make_lock(context, project, platforms)
    lock = read_lock(path)
    check_fresh(lock, fingerprint(project))
    absent = [str(platform) for platform in platforms if platform not in {each.platform for each in lock.platforms}]
    if absent:
        flags = " ".join(f"--platform {platform}" for platform in absent)
        raise UsageError(f"{FILE_NAME} holds nothing for {', '.join(absent)}", hint=f"shipwheel lock {flags}")
    return lock
