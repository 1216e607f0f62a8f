"""Which images a Dockerfile is built on: their tags, their age, their libc."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.references import Reference, references
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.files.subjects import Compose
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.ends import TABLE, Ended, ended, with_tag
from shipwheel.lint.images.names import ImageFacts, ImageName, example_tag, facts_of, parse_image
from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Span
from shipwheel.lint.tables import table
from shipwheel.lint.wording import listed

BASE_LATEST = Rule(
    key="base-latest",
    severity="warning",
    title="The tag latest",
    why="It is another image with every release: a rebuild brings another Python, CUDA or framework without a change of yours.",
    remedy="Name the version that you have tested",
    source="https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
)

BASE_UNTAGGED = Rule(
    key="base-untagged",
    severity="warning",
    title="An image without a tag",
    why="Without a tag it is `latest`: a rebuild brings another Python, CUDA or framework without a change of yours.",
    remedy="Name the version that you have tested",
    source="https://docs.docker.com/reference/dockerfile/#from",
)

BASE_FLOATING = Rule(
    key="base-floating",
    severity="info",
    title="A tag that leaves a version open",
    why="When the maintainers move it on, system packages get other names and versions, and a build that worked fails.",
    remedy="Name the version, and the release of the distribution",
    source="https://github.com/docker-library/faq#tags-and-aliases",
)

BASE_NO_DIGEST = Rule(
    key="base-no-digest",
    severity="info",
    title="An image without a digest",
    why="A tag is pushed again with every security fix, so that two builds of one commit may hold different libraries.",
    remedy="Write TAG@sha256:..., as `docker buildx imagetools inspect IMAGE` shows; keep a copy: a digest saves no image",
    source="https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
)

BASE_EOL = Rule(
    key="base-eol",
    severity="warning",
    title="A distribution, Python or framework that gets no updates any more",
    why="Known holes stay open, package archives move away so that apt-get update fails, and new wheels are not built for it.",
    remedy="Move to a release that is supported",
    source="https://devguide.python.org/versions/",
    dated=TABLE,
)

BASE_ALPINE_ML = Rule(
    key="base-alpine-ml",
    severity="warning",
    title="Packages for machine learning on Alpine",
    why="Alpine's libc is musl: wheels for glibc do not fit, so pip compiles for a long time, or finds nothing to install.",
    remedy="Take python:X.Y-slim-trixie, which is Debian with glibc",
    source="https://peps.python.org/pep-0656/",
    dated="images.toml",
)

_PINNED = re.compile(r"==?(\d+\.\d+)(?!\d)")
_LATEST = re.compile(r"(?:^|[-_.])latest(?:$|[-_.])", re.IGNORECASE)
_MOVING = frozenset(
    ("alpine", "slim", "stable", "edge", "nightly", "main", "master", "dev", "devel", "lts", "current", "rolling", "testing")
) | frozenset(("unstable", "mainline", "canary", "preview", "alpha", "beta"))
"""Tags that name no version, whatever the image."""


def _recommended(image: ImageName) -> str:
    if image.repository.startswith("gcr.io/distroless/"):
        return "Its tags name no versions: write @sha256:..., as `docker buildx imagetools inspect` shows it"
    tag = example_tag(image)
    return f"Name the version that you have tested, such as {image.repository}:{tag}" if tag else ""


@BASE_LATEST.check(Dockerfile)
def _latest(dockerfile: Dockerfile) -> Iterator[Hit]:
    for one in references(dockerfile):
        if _is_latest(one.image):
            yield Hit(span=one.span, message=f"{one.image} is another image with every release", remedy=_recommended(one.image))


def _is_latest(image: ImageName) -> bool:
    return not image.digest and bool(_LATEST.search(image.tag))


@BASE_UNTAGGED.check(Dockerfile)
def _untagged(dockerfile: Dockerfile) -> Iterator[Hit]:
    for one in references(dockerfile):
        if _is_untagged(one):
            message = f"{one.image} has no tag, which means {one.image}:latest"
            yield Hit(span=one.span, message=message, remedy=_recommended(one.image))


def _is_untagged(one: Reference) -> bool:
    return not one.image.tag and not one.image.digest and one.image.known and (one.surely_image or one.stage is not None)


@BASE_LATEST.check(Compose)
def _latest_service(compose: Compose) -> Iterator[Hit]:
    for span, image in _pulled(compose):
        if _is_latest(image):
            yield Hit(span=span, message=f"{image} is another image with every release", remedy=_recommended(image))


@BASE_UNTAGGED.check(Compose)
def _untagged_service(compose: Compose) -> Iterator[Hit]:
    for span, image in _pulled(compose):
        if not image.tag and not image.digest:
            yield Hit(span=span, message=f"{image} has no tag, which means {image}:latest", remedy=_recommended(image))


def _pulled(compose: Compose) -> Iterator[tuple[Span, ImageName]]:
    """Images of services that are pulled: not those that compose builds, nor those of this machine."""
    for service in compose.services.values():
        node = service.get("image")
        if node and node.text and not service.get("build"):
            image = parse_image(node.text)
            if image.known and ("/" in image.repository or facts_of(image) != ImageFacts()):
                yield node.span, image


@BASE_FLOATING.check(Dockerfile)
def _floating(dockerfile: Dockerfile) -> Iterator[Hit]:
    for one in _named(dockerfile):
        open_part = one.facts.floats or ("the version" if one.image.tag.lower() in _MOVING else "")
        if open_part and not one.image.digest:
            today = f" ({one.facts.release})" if "release" in open_part and one.facts.release else ""
            yield Hit(span=one.span, message=f"{one.image} leaves {open_part} open{today}", remedy=_closed(one))


def _closed(one: Reference) -> str:
    """The same image with what it leaves open named, where one knows how: the release that it is today."""
    release = one.facts.release
    if one.facts.floats == "the Debian release" and release:
        return f"Write {one.image}-{release}"
    if one.facts.floats == "the Alpine release" and release:
        return f"Write {one.image}{release}"
    return _recommended(one.image)


@BASE_NO_DIGEST.check(Dockerfile)
def _no_digest(dockerfile: Dockerfile) -> Iterator[Hit]:
    for one in _named(dockerfile):
        if one.image.known and not one.image.digest and not _local(one):
            yield Hit(span=one.span, message=f"{one.image} can be another image tomorrow")


def _local(one: Reference) -> bool:
    """An image of this machine, as far as one can tell: no registry, no owner, no name that is known."""
    known = one.facts.programs or with_tag(one.facts, one.image).distribution
    return "/" not in one.image.repository and not known


def _named(dockerfile: Dockerfile) -> Iterator[Reference]:
    """Each image where a change of it is written: at every FROM with its name, once for a variable and for copies."""
    seen: set[str] = set()
    for one in references(dockerfile):
        written = one.stage is not None and "$" not in dockerfile.source.text[slice(*one.span)]
        if written or str(one.image) not in seen:
            yield one
        seen.add(str(one.image))


@BASE_EOL.check(Dockerfile)
def _eol(dockerfile: Dockerfile) -> Iterator[Hit]:
    for one in _named(dockerfile):
        if over := ended(with_tag(one.facts, one.image)):
            since = " and ".join(f"{each.what} got its last free update by {each.since}" for each in over)
            yield Hit(span=one.span, message=f"{one.image}: {since}", remedy=_moved(over))
    for package in _condas_python(dockerfile):
        found = _PINNED.match(package.specifier)
        for each in ended(ImageFacts(python=found[1])) if found else ():
            message = f"{each.what} got its last free update by {each.since}"
            yield Hit(span=package.span, message=message, remedy=_moved([each]))


def _moved(over: list[Ended]) -> str:
    names = [listed(reversed(each.supported)) for each in over if each.supported]
    return f"Move to a release that is supported: {'; '.join(names)}" if names else ""


def _condas_python(dockerfile: Dockerfile) -> Iterator[Requested]:
    installs = (install for step in dockerfile.steps("RUN") for install in step.installs if install.manager == "conda")
    return (package for install in installs for package in install.packages if package.name == "python")


@BASE_ALPINE_ML.check(Dockerfile)
def _alpine(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if stage.facts.distribution == "alpine" and (names := _learning(stage)):
            yield Hit(span=stage.base.span, message=f"{listed(names)} on Alpine ({stage.root_image})")


def _learning(stage: Stage) -> list[str]:
    """Packages for machine learning that steps of this very stage install, those that have no wheel for musl first."""
    own = {name for name, added in packages_of(stage).by_name.items() if added.step.stage is stage}
    lists = table("images.toml")["musl"]
    return sorted(own.intersection(lists["none"])) + sorted(own.intersection(lists["late"]))
