"""Compilers and headers in the image that is shipped: of its base, and installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from shipwheel.lint.context.running import SYSTEM, for_running, removed, tools
from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.names import well_known
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.source import Span
from shipwheel.lint.tables import table
from shipwheel.lint.wording import listed

BASE_DEVEL_FINAL = Rule(
    key="base-devel-final",
    severity="warning",
    title="A -devel image as the last stage",
    why="A -devel image brings nvcc, headers and static libraries: several GB that every pull moves and nothing runs.",
    remedy="Compile in a stage on the -devel image, and copy the result into one on -runtime or -base of the same version",
    source="https://hub.docker.com/r/nvidia/cuda",
)

BUILD_TOOLS_FINAL = Rule(
    key="build-tools-final",
    severity="warning",
    title="Compilers in the image that is shipped",
    why="They add hundreds of MB to every pull, and give an intruder what he needs to build his tools.",
    remedy="Install them in a builder stage, and copy the virtual environment or the wheels into the last one",
    source="https://docs.docker.com/build/building/multi-stage/",
)

_DEVEL = re.compile(r"(?:^|-)devel(?:$|-)")
_SDK = re.compile(r"rocm/dev-|intel/oneapi-(?:base|hpc)kit")
"""Images of compilers that come from one repository, not by a tag."""
_LATE_CALLS = re.compile(r"\btorch\.compile\(|\bcpp_extension\.load|\bload_inline\(|\bpyximport\b")
_FILES = 200
"""Python files that are searched for a call of a compiler."""


@cache
def _patterns(key: str) -> re.Pattern[str]:
    return re.compile("|".join(table("tools.toml")["build"][key]))


@BASE_DEVEL_FINAL.check(Dockerfile)
def _devel(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in for_running(dockerfile, notebooks=True):
        if _is_devel(stage) and tools("late", "nvcc").isdisjoint(packages_of(stage).by_name):
            root = stage.lineage[0]
            smaller = str(root.image).replace("-devel", "-runtime", 1)
            remedy = f"Compile in a stage on it, and copy the result into one on {smaller}" if stage.facts.flavour else ""
            if root.image and _SDK.match(root.image.repository):
                remedy = "Compile in a stage on it, and copy the result into one on the plain distribution with what it loads"
            yield Hit(span=stage.base.span, message=f"the image is shipped with all of {root.image}", remedy=remedy)


def _is_devel(stage: Stage) -> bool:
    image = stage.root_image
    return stage.facts.flavour == "devel" or bool(image and (_DEVEL.search(image.tag) or _SDK.match(image.repository)))


@BUILD_TOOLS_FINAL.check(Dockerfile)
def _build_tools(dockerfile: Dockerfile) -> Iterator[Hit]:
    told: set[Span] = set()
    for stage in for_running(dockerfile):
        found = [*_installed(stage), *_brought(stage)]
        if found and not _compiles_late(dockerfile, stage):
            yield from (hit for hit in found if hit.span not in told)
            told.update(hit.span for hit in found)


def _installed(stage: Stage) -> Iterator[Hit]:
    for step in stage.all_steps:
        for packages in _tools(step):
            where = f", through stage {step.stage.name}," if step.stage is not stage and step.stage.name else ""
            message = f"{listed(package.name for package in packages)}{where} {_stays(packages)} in the image"
            yield Hit(span=packages[0].span, message=message)


def _brought(stage: Stage) -> Iterator[Hit]:
    """The full image of Python, which is there to build wheels."""
    root = stage.lineage[0]
    if root.image and well_known(root.image.repository) == "python" and "gcc" in stage.facts.programs and not root.image.digest:
        smaller = f"python:{_slim(root.image.tag)}"
        message = f"{root.image} brings gcc, make and headers, which {smaller} leaves out"
        remedy = f"Take {smaller} for the stage that is shipped, and {root.image} for one that builds, if any"
        yield Hit(span=stage.base.span, message=message, remedy=remedy)


def _slim(tag: str) -> str:
    """The slim variant of a tag of python: 3.12 -> 3.12-slim, 3.12-bookworm -> 3.12-slim-bookworm."""
    version, _, release = tag.partition("-")
    if not version[:1].isdigit():
        version, release = "", tag.removeprefix("latest")
    return "-".join(part for part in (version, "slim", release) if part)


def _stays(packages: list[Requested]) -> str:
    return "stays" if len({package.name for package in packages}) == 1 else "stay"


def _tools(step: Step) -> Iterator[list[Requested]]:
    """The compilers that each command of a step installs, with headers, but for what is taken away again in the same step."""
    gone = removed(step) if step.installs else frozenset[str]()
    for install in step.installs:
        if install.action in ("install", "create", "group", "groupinstall") and "*" not in gone:
            left = [one for one in install.packages if one.name not in gone]
            if any(_is_tool(install, one) for one in left) and not _virtual(install, gone):
                yield [one for one in left if _is_tool(install, one) or _is_header(install, one)]


def _is_tool(install: Install, package: Requested) -> bool:
    name = package.name.lower()
    if install.manager == "conda":
        return name in tools("build", "conda")
    return install.manager in SYSTEM and (name in tools("build", "names") or bool(_patterns("patterns").fullmatch(name)))


def _is_header(install: Install, package: Requested) -> bool:
    return install.manager in SYSTEM and bool(_patterns("headers").fullmatch(package.name.lower()))


def _virtual(install: Install, gone: frozenset[str]) -> bool:
    """Whether apk put them under a name (`--virtual .build`) that is deleted afterwards."""
    name = install.option("--virtual", "-t")
    return name is not None and name in gone


def _compiles_late(dockerfile: Dockerfile, stage: Stage) -> bool:
    """Whether something in it is known to call a compiler while it runs."""
    if not tools("late", "compilers").isdisjoint(packages_of(stage).by_name):
        return True
    context = dockerfile.context
    paths = [path for path in context.files() if path.endswith(".py")] if not context.alone else []
    sources = (context.read(path) for path in paths[:_FILES])
    return any(source is not None and _calls_compiler(source.text) for source in sources)


@lru_cache(maxsize=4096)
def _calls_compiler(text: str) -> bool:
    return _LATE_CALLS.search(text) is not None
