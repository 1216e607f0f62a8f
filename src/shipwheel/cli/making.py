"""From a folder to an image in the local store: what `build` and `run` share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from shipwheel.build import DEFAULT, BuildOptions, BuildResult, build
from shipwheel.cli.attesting import find_evidence, keep_evidence
from shipwheel.cli.context import Context, folder
from shipwheel.cli.layer_index import AS_SET, IndexUse, open_layer_index
from shipwheel.cli.workshop import open_workshop, this_machine, wanted_platforms
from shipwheel.errors import LockError
from shipwheel.lock import FILE_NAME, Lock
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.plan import Plan
from shipwheel.project import Project, load_project
from shipwheel.project.about import PREFIX
from shipwheel.project.revision import Revision, find_revision
from shipwheel.project.served import delivery_of
from shipwheel.resolve.fingerprint import current_lock
from shipwheel.verify import Verdict, Verifier, serves


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asks for; empty: as the project says."""

    directory: str
    tag: str = ""
    platforms: tuple[str, ...] = ()
    options: BuildOptions = DEFAULT
    jobs: int = 0
    verify: bool = True
    index: IndexUse = AS_SET


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image in the store under `name`, how each platform's was built, what is known of its model, the seconds of it all."""

    project: Project
    name: str
    image: Image | Index
    builds: tuple[BuildResult, ...]
    seconds: float
    verdicts: tuple[Verdict, ...] = ()


def make_image(context: Context, request: Request) -> Made:
    """Load the project, lock it if it never was, build for every platform, and name the result in the store."""
    started = time.monotonic()
    project = load_project(folder(request.directory))
    name = str(Reference.parse(request.tag or project.name))
    platforms = wanted_platforms(request.platforms, project) or (this_machine(),)
    lock = _lock(context, project, platforms)
    revision = find_revision(project.root)
    annotations = _annotations(project, revision)
    plans = [Plan(project=project, platform=platform, annotations=annotations) for platform in platforms]
    with open_workshop(context, project, request.jobs) as opened:
        shop = replace(opened, index=open_layer_index(context, project, request.index), verify_index=request.index.verify)
        builds = tuple(build(plan, lock, shop, request.options) for plan in plans)
    images = [each.image for each in builds]
    verdicts = tuple(_verdicts(context, project, name, images)) if request.verify else ()
    image = images[0] if len(images) == 1 else compose_index(images, annotations)
    keep_evidence(context, image, find_evidence(context, project, lock, revision, request.options))
    copy(image, context.store, name)
    seconds = time.monotonic() - started
    return Made(project=project, name=name, image=image, builds=builds, seconds=seconds, verdicts=verdicts)


def _annotations(project: Project, revision: Revision | None) -> Mapping[str, str]:
    """What the project says of itself, and the commit that it is at; its own address of the source comes first."""
    if revision is None or not project.settings.git_annotations:
        return project.about
    source = {f"{PREFIX}source": revision.source} if revision.source else {}
    return {**source, **project.about, f"{PREFIX}revision": revision.commit}


def _verdicts(context: Context, project: Project, name: str, images: Iterable[Image]) -> Iterator[Verdict]:
    """Of the images that serve a model."""
    served = [image for image in images if serves(image)]
    if not served:
        return
    from shipwheel.cli.engines import surroundings

    verifier = Verifier(where=surroundings(context), machine=this_machine(), say=context.say)
    yield from (verifier.verify(image, name, delivery_of(project.settings)) for image in served)


def _lock(context: Context, project: Project, platforms: tuple[Platform, ...]) -> Lock:
    """The project's lock, checked; made now where there is none."""
    if not (project.root / FILE_NAME).exists():
        from shipwheel.cli.locking import make_lock

        context.say(f"no {FILE_NAME} yet: choosing versions")
        return make_lock(context, project, platforms)
    lock = current_lock(project)
    absent = [str(platform) for platform in platforms if platform not in {each.platform for each in lock.platforms}]
    if absent:
        flags = " ".join(f"--platform {platform}" for platform in absent)
        raise LockError(f"{FILE_NAME} holds nothing for {', '.join(absent)}", hint=f"shipwheel lock {flags}")
    return lock
