"""torch and its kin: builds that exist, and the index that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from shipwheel.lint.dockerfile.stages import Dockerfile, Step
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.installed_files import installed_files
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.packages.python import Added, packages_of
from shipwheel.lint.packages.torch_table import TABLE, release_of, tensorflow_loads, torch_for
from shipwheel.lint.packages.torch_wheels import (
    FAMILY,
    Indexes,
    applies,
    build_of_index,
    by_pip,
    called,
    indexes_of,
    is_page_of_files,
    is_release_index,
    package,
    place,
)
from shipwheel.lint.rule import Rule

_PREVIOUS = "https://pytorch.org/get-started/previous-versions/"

_LOCAL = re.compile(r"cu(\d+)(\d)")
_OTHER_PYTHON = re.compile(r"pyenv|deadsnakes|conda|uv (?:venv|python|sync|run)|--python|\bpython3?\.\d+")
_PYTHON_PACKAGE = re.compile(r"python\d\.\d")

TORCH_CUDA_IMPOSSIBLE = Rule(
    key="torch-cuda-impossible",
    severity="error",
    title="A torch that was never built for that CUDA, or a torchvision or torchaudio of another torch",
    why="No such wheel exists, so the installation ends in an error or silently takes another build.",
    remedy="Take a pair from pytorch.org/get-started/previous-versions",
    source=_PREVIOUS,
    dated=TABLE,
)

TORCH_PYTHON_IMPOSSIBLE = Rule(
    key="torch-python-impossible",
    severity="error",
    title="A torch or TensorFlow without wheels for the base's Python",
    why="PyPI has no source distribution of it, so pip finds no matching distribution and the build stops.",
    remedy="Take a base with a Python that this release has wheels for, or a newer release",
    source="https://pypi.org/project/torch/#files",
    dated=TABLE,
)

INDEX_AMBIGUOUS = Rule(
    key="index-ambiguous",
    severity="warning",
    title="torch without a version beside a second index",
    why="pip takes the newest version of all indexes: PyPI's build replaces the one that was meant as soon as it is newer.",
    remedy="Pin torch with its build, such as torch==2.5.1+cu124, or give pytorch.org's index with --index-url alone",
    source="https://pip.pypa.io/en/stable/cli/pip_install/#finding-packages",
)


def _python_installs(step: Step) -> Iterator[Install]:
    return (one for one in step.installs if one.manager == "pip" and one.action != "download")


def _family(packages: Iterable[Requested]) -> list[Requested]:
    return [one for one in packages if one.name in FAMILY and one.known and applies(one.marker)]


@TORCH_CUDA_IMPOSSIBLE.check(Dockerfile)
def _impossible_in_commands(dockerfile: Dockerfile) -> Iterator[Hit]:
    for step in dockerfile.steps("RUN"):
        for install in _python_installs(step):
            yield from _impossible(install.packages, indexes_of(install.options, step.variables), install.tool)


@TORCH_CUDA_IMPOSSIBLE.check(Script)
def _impossible_in_scripts(script: Script) -> Iterator[Hit]:
    for command in script.commands:
        install = install_of(command)
        if install and install.manager == "pip":
            yield from _impossible(install.packages, indexes_of(install.options, {}), install.tool)


@TORCH_CUDA_IMPOSSIBLE.check(RequirementsFile)
def _impossible_in_files(file: RequirementsFile) -> Iterator[Hit]:
    yield from _impossible(file.packages, _indexes_of_file(file), "pip")


def _indexes_of_file(file: RequirementsFile) -> Indexes:
    names = {"-i": "main", "--index-url": "main", "--extra-index-url": "extra", "-f": "links", "--find-links": "links"}
    found: dict[str, list[str]] = {"main": [], "extra": [], "links": []}
    for name, value, _ in file.options:
        if name in names:
            found[names[name]].append(value)
    return Indexes(main=(found["main"] or [""])[-1], extra=tuple(found["extra"]), links=tuple(found["links"]))


def _impossible(packages: Iterable[Requested], indexes: Indexes, tool: str) -> Iterator[Hit]:
    family = _family(packages)
    torch = next((one for one in family if one.name == "torch" and one.version), None)
    message = _never_built(torch, indexes, tool) if torch else ""
    if torch and message:
        yield Hit(span=torch.span, message=message, remedy=_builds(torch.version))
    elif torch:
        yield from _pairs(torch, family)


def _never_built(torch: Requested, indexes: Indexes, tool: str) -> str:
    """Why no such build can be had."""
    release = release_of(torch.version)
    if release is None or not release.cuda:
        return ""
    local = _LOCAL.fullmatch(torch.version.partition("+")[2])
    asked = f"{local[1]}.{local[2]}" if local else ""
    if asked and asked not in release.cuda:
        return f"torch {torch.version} does not exist: this release was never built for CUDA {asked}"
    name = torch.version.partition("+")[0]
    extra = [url for url in (*indexes.extra, *filter(is_page_of_files, indexes.links)) if is_release_index(url)]
    for url in (indexes.main, *extra):
        build = build_of_index(url) if is_release_index(url) else None
        if build is None or not build.cuda or build.cuda in release.cuda or "+" in torch.version:
            continue
        if url == indexes.main:
            return f"torch {name} was never built for CUDA {build.cuda}, so that its index does not have it"
        if tool != "uv" and not indexes.main and not any(_has(other, release.cuda) for other in extra):
            return f"torch {name} was never built for CUDA {build.cuda}: PyPI's build for CUDA {release.pypi} is taken instead"
    return ""


def _has(url: str, cuda: tuple[str, ...]) -> bool:
    build = build_of_index(url)
    return bool(build and (build.kind == "cpu" or build.cuda in cuda))


def _builds(version: str) -> str:
    release = release_of(version)
    builds = " and ".join(f"cu{each.replace('.', '')}" for each in release.cuda) if release else ""
    return f"Take torch {version.partition('+')[0]} for {builds}, for which there are builds, or another release"


def _pairs(torch: Requested, family: list[Requested]) -> Iterator[Hit]:
    """torchvision and torchaudio that require another torch than the one beside them."""
    version = torch.version.partition("+")[0]
    wrong = [one for one in family if one.name != "torch" and _of_another(one, version)]
    if wrong:
        one = wrong[0]
        needed = torch_for(one.name, one.version)[-1]
        fits = getattr(release_of(version), one.name, ())
        yield Hit(
            span=one.span,
            message=f"{one.name} {one.version} requires torch {needed}, and torch {version} is asked for",
            remedy=f"Take {one.name}=={fits[-1]} with torch {version}" if fits else "",
        )


def _of_another(one: Requested, torch: str) -> bool:
    needed = torch_for(one.name, one.version) if one.version else ()
    return bool(needed and release_of(torch)) and torch not in needed and f"{torch}.0" not in needed


@TORCH_PYTHON_IMPOSSIBLE.check(Dockerfile)
def _without_wheels(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if not stage.facts.python or stage.facts.framework or any(map(_brings_python, stage.all_steps)):
            continue
        for name in ("torch", "tensorflow"):
            added = package(packages_of(stage), name)
            if added and added.step in stage.steps and by_pip(added):
                yield from _no_wheel(added, stage.facts.python)


def _brings_python(step: Step) -> bool:
    """Whether a step may install another Python."""
    if step.keyword != "RUN":
        return False
    if _OTHER_PYTHON.search(step.instruction.body.text):
        return True
    return any(_PYTHON_PACKAGE.match(one.name) for install in step.installs for one in install.packages)


def _no_wheel(added: Added, python: str) -> Iterator[Hit]:
    version = added.requested.version
    row = release_of(version) if added.requested.name == "torch" else tensorflow_loads(version)
    if row is None or not row.python or added.requested.url or added.requested.marker or python in row.python:
        return
    yield Hit(
        span=place(added),
        message=f"{called(added)} has wheels for Python {row.python[0]} to {row.python[-1]}, and the base has {python}",
    )


@INDEX_AMBIGUOUS.check(Dockerfile)
def _ambiguous_in_commands(dockerfile: Dockerfile) -> Iterator[Hit]:
    for step in dockerfile.steps("RUN"):
        for install in _python_installs(step):
            if install.tool == "uv" and "unsafe" not in (install.option("--index-strategy") or ""):
                continue
            indexes = indexes_of(install.options, step.variables)
            named = {one.name: one for one in _family(install.packages)}
            if not install.constraints:
                yield from _ambiguous(named, indexes)
    for one in installed_files(dockerfile):
        if one.install.tool != "uv" and not one.install.constraints:
            indexes = indexes_of(one.install.options, one.step.variables)
            named = {each.name: each for each in _family(one.file.packages)}
            yield from (replace(hit, span=one.word.span) for hit in _ambiguous(named, indexes))


@INDEX_AMBIGUOUS.check(RequirementsFile)
def _ambiguous_in_files(file: RequirementsFile) -> Iterator[Hit]:
    yield from _ambiguous({one.name: one for one in _family(file.packages)}, _indexes_of_file(file))


def _ambiguous(named: dict[str, Requested], indexes: Indexes) -> Iterator[Hit]:
    first = named.get("torch") or next(iter(named.values()), None)
    beside = [
        url for url in (*indexes.extra, *filter(is_page_of_files, indexes.links)) if build_of_index(url) or "torch" in url
    ]
    if first is None or first.url or "pytorch.org" in indexes.main:
        return
    if beside and not first.version:
        yield Hit(span=first.span, message=f"{first.name} has no exact version, and {beside[0]} is searched beside PyPI")
    elif first.version and "+" not in first.version and any(_ALL_BUILDS.search(url) for url in indexes.links):
        message = f"{first.name} {first.version} is there for CPU, CUDA and ROCm: pip takes the last of them by the name"
        yield Hit(span=first.span, message=message)


_ALL_BUILDS = re.compile(r"/whl/torch_stable\.html$")
"""The page of all builds: of one version the greatest local label counts, +rocm above +cu (pytorch/pytorch#52571)."""
