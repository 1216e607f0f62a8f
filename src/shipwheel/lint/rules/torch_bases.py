"""torch and TensorFlow twice, or another build of them than is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.packages.python import Added, packages_of
from shipwheel.lint.packages.torch_table import TABLE, release_of, torch_for
from shipwheel.lint.packages.torch_wheels import (
    applies,
    by_pip,
    called,
    indexes_of,
    install_of_added,
    package,
    place,
    torch_build,
)
from shipwheel.lint.rule import Rule

_CPU_NAME = re.compile(r"(?:^|[._-])cpu(?:[._-]|$)", re.IGNORECASE)
_DEVICE = re.compile(r"(?:^|_)DEVICE$")

UV_TORCH_BACKEND_IGNORED = Rule(
    key="uv-torch-backend-ignored",
    severity="warning",
    title="--torch-backend or UV_TORCH_BACKEND with uv sync",
    why="Only uv pip knows the backend; uv sync installs what uv.lock says, which may be another build of torch.",
    remedy="Name the index in pyproject.toml under [tool.uv.sources] and lock again, or install with uv pip",
    source="https://docs.astral.sh/uv/guides/integration/pytorch/#automatic-backend-selection",
)

FRAMEWORK_REINSTALLED = Rule(
    key="framework-reinstalled",
    severity="warning",
    title="A framework installed again over the one of the base",
    why="The image holds it twice, gigabytes of it, and the base's own build, tuned and tested with its CUDA, is lost.",
    remedy="Leave it out, or take a base without a framework (python:3.12-slim)",
    source="https://docs.nvidia.com/deeplearning/frameworks/user-guide/index.html",
)

TORCH_DEFAULT_IS_CUDA = Rule(
    key="torch-default-is-cuda",
    severity="info",
    title="PyPI's torch in an image that is meant for CPUs",
    why="On Linux x86-64 the default index has the CUDA build: some gigabytes of libraries that a CPU never loads.",
    remedy="Add --index-url https://download.pytorch.org/whl/cpu",
    source="https://pytorch.org/get-started/locally/",
    dated=TABLE,
)


@UV_TORCH_BACKEND_IGNORED.check(Dockerfile)
def _backend_of_sync(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        syncs = [
            install for step in stage.steps for install in step.installs if install.manager == "uv" and install.action == "sync"
        ]
        for install in syncs:
            if any(option.startswith("--torch-backend") for option in install.options):
                yield Hit(span=install.command.span, message="uv sync has no option --torch-backend")
        pip = any(install.tool == "uv" and install.manager == "pip" for step in stage.all_steps for install in step.installs)
        if syncs and not pip:
            yield from _backend_variable(stage)


def _backend_variable(stage: Stage) -> Iterator[Hit]:
    for step in stage.all_steps:
        named = [word for name, word in step.pairs if name == "UV_TORCH_BACKEND"] if step.keyword in ("ENV", "ARG") else []
        named += [one.value for command in step.commands for one in command.assignments if one.name == "UV_TORCH_BACKEND"]
        if named:
            yield Hit(span=step.span, message="UV_TORCH_BACKEND is set, and uv sync, which installs here, does not read it")
            return


_FRAMEWORKS = {"pytorch": "torch", "tensorflow": "tensorflow"}


@FRAMEWORK_REINSTALLED.check(Dockerfile)
def _reinstalled(dockerfile: Dockerfile) -> Iterator[Hit]:
    seen: set[tuple[int, int]] = set()
    for stage in dockerfile.stages:
        name = _FRAMEWORKS.get(stage.facts.framework, "")
        for added in _again(stage, name) if name else ():
            if place(added) not in seen:
                seen.add(place(added))
                yield Hit(span=place(added), message=_again_message(stage, name, added))


def _again(stage: Stage, name: str) -> Iterator[Added]:
    """What replaces the base's framework or stands beside it; the framework itself rather than its kin."""
    names = [name, "torchvision", "torchaudio"] if name == "torch" else [name, "tensorflow-gpu", "tensorflow-cpu"]
    for each in names:
        found = (*_by_name(stage, each), package(packages_of(stage), each))
        again = (one for one in found if one and one.step in stage.steps and one.step.stage.root_image == stage.root_image)
        if added := next((one for one in again if _replaces(stage, one)), None):
            yield added
            return


def _by_name(stage: Stage, name: str) -> Iterator[Added]:
    """Where command lines name it, in order: what is replaced by the first is not there for those behind."""
    for step in stage.steps:
        for install in step.installs:
            yield from (
                Added(requested=one, step=step, options=install.options) for one in install.packages if one.name == name
            )


def _replaces(stage: Stage, added: Added) -> bool:
    asked, install = added.requested, install_of_added(added)
    if (
        install is None
        or not asked.known
        or not applies(asked.marker)
        or install.option("--no-deps", "--target", "-t") is not None
    ):
        return False
    if install.manager in ("uv", "poetry", "pipenv"):
        return True
    if install.option("--upgrade", "-U", "--force-reinstall") is not None or asked.url:
        return True
    have = stage.facts.framework_version
    if asked.name in ("torchvision", "torchaudio"):
        needed = torch_for(asked.name, asked.version) if asked.version else ()
        return bool(needed and release_of(have)) and not {have, f"{have}.0"} & set(needed)
    return not _satisfied(asked, have)


def _satisfied(asked: Requested, have: str) -> bool:
    """Whether pip keeps the base's version. NVIDIA's are builds of their own (2.6.0a0+ecf3bae) that no `==` fits."""
    if not asked.specifier:
        return True
    if not have:
        return not asked.version
    try:
        return (
            SpecifierSet(asked.specifier.partition("+")[0]).contains(have, prereleases=True) and "+cpu" not in asked.specifier
        )
    except InvalidSpecifier:
        return True


def _again_message(stage: Stage, name: str, added: Added) -> str:
    have = " ".join(filter(None, (name, stage.facts.framework_version)))
    return f"{called(added)} is installed again: {stage.root_image} has {have}"


@TORCH_DEFAULT_IS_CUDA.check(Dockerfile)
def _default_on_cpu(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        added = package(packages_of(stage), "torch")
        if added is None or stage.facts.gpu is not False or stage.facts.framework or not by_pip(added):
            continue
        build = torch_build(added)
        if build.kind == "cuda" and build.cuda and _from_pypi(added) and (reason := _meant_for_cpu(dockerfile, stage)):
            yield Hit(span=place(added), message=f"{called(added)} from PyPI is the CUDA build, and {reason}")


def _from_pypi(added: Added) -> bool:
    indexes = indexes_of(added.options, added.step.variables)
    return not (indexes.extra or indexes.links or "pytorch" in indexes.main or "+" in added.requested.specifier)


def _meant_for_cpu(dockerfile: Dockerfile, stage: Stage) -> str:
    """What says that no GPU is there, "" for nothing."""
    name = dockerfile.source.name.rsplit("/", 1)[-1]
    if _CPU_NAME.search(name):
        return f"{name} is for CPUs by its name"
    if _CPU_NAME.search(stage.name):
        return f"the stage {stage.name} is for CPUs by its name"
    for variable, value in stage.env.items():
        if _DEVICE.search(variable) and value == "cpu":
            return f"{variable} is cpu"
        if variable == "CUDA_VISIBLE_DEVICES" and value in ("", "-1"):
            return "CUDA_VISIBLE_DEVICES hides every GPU"
    return ""
