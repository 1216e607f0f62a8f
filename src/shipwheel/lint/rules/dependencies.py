"""Versions of Python packages that nobody wrote down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import RequirementsFile, Script
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.image_scripts import runs_in_a_build
from shipwheel.lint.packages.installed_files import installing, unlinted
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.packages.listed import of_environment
from shipwheel.lint.packages.python import context_path
from shipwheel.lint.rule import Rule
from shipwheel.lint.wording import listed
from shipwheel.project.requirements import DEVELOPMENT

TOOLS = frozenset(("conda", "mamba", "wheel", "pip"))
"""Their version decides nothing that is installed; but a pip that is updated by name is another resolver."""

FOLLOW_TORCH = frozenset(("torchvision", "torchaudio"))
"""Each of their releases requires one exact version of torch."""

_NAMES_ACTIONS = {
    "pip": ("install", "wheel", "download"),
    "conda": ("install", "create"),
    "poetry": ("add",),
    "pipenv": ("install",),
    "uv": ("add", "install"),
}
"""Commands with names of packages behind them."""

PIP_UNPINNED = Rule(
    key="pip-unpinned",
    severity="warning",
    title="Python packages without a version on a command line",
    why="The next build may get another release, so that an image that worked cannot be built again.",
    remedy="Write NAME==VERSION for each, or install from a lock file with pip install --require-hashes -r or uv sync --locked",
    source="https://pip.pypa.io/en/stable/topics/repeatable-installs/",
)


def loose(packages: Iterable[Requested], tools: frozenset[str] = TOOLS) -> list[Requested]:
    """Those that leave the choice of a version to the index."""
    wanted = [one for one in packages if one.name and one.known and not one.url]
    settled = tools | (
        FOLLOW_TORCH if any(one.name in ("torch", "pytorch") and one.pinned for one in packages) else frozenset()
    )
    return [one for one in wanted if one.name not in settled and not _fixed(one)]


def _fixed(one: Requested) -> bool:
    return one.pinned or "==" in one.specifier or one.specifier[:1].isdigit()


@PIP_UNPINNED.check(Dockerfile)
def pip_unpinned(dockerfile: Dockerfile) -> Iterator[Hit]:
    """One hit a command."""
    for step in dockerfile.steps("RUN"):
        for install in step.installs:
            yield from _unpinned(install, step.env)


@PIP_UNPINNED.check(Script)
def pip_unpinned_in_scripts(script: Script) -> Iterator[Hit]:
    """In scripts that a Dockerfile runs."""
    if runs_in_a_build(script):
        for command in script.commands:
            install = install_of(command)
            if install:
                yield from _unpinned(install, {})


def _unpinned(install: Install, env: Mapping[str, str]) -> Iterator[Hit]:
    if install.action not in _NAMES_ACTIONS.get(install.manager, ()) or _constrained(env, install):
        return
    found = loose(install.packages, TOOLS - {"pip"} if install.manager == "pip" else TOOLS)
    if found:
        program = "uv" if install.tool == "uv" else install.manager
        names = listed(one.name for one in found)
        yield Hit(span=found[0].span, message=f"{program} installs {names} without an exact version")


def _constrained(env: Mapping[str, str], install: Install) -> bool:
    """Whether versions are settled elsewhere: constraints, or a folder of wheels as the only source."""
    names = {"PIP_CONSTRAINT", "UV_CONSTRAINT", "PIP_NO_INDEX", "UV_NO_INDEX"}
    given = names.intersection(env) or any(one.name in names for one in install.command.assignments)
    return bool(install.constraints or install.option("--no-index", "--offline") is not None or given)


REQUIREMENTS_UNPINNED = Rule(
    key="requirements-unpinned",
    severity="warning",
    title="A requirements file that leaves versions open",
    why="The next build may get other releases than the one that was tested, and breaks on a day when nothing was changed.",
    remedy="Compile it: uv pip compile requirements.in --generate-hashes -o requirements.txt, or write == behind each name",
    source="https://pip.pypa.io/en/stable/topics/repeatable-installs/",
)


@REQUIREMENTS_UNPINNED.check(RequirementsFile)
def requirements_unpinned(file: RequirementsFile) -> Iterator[Hit]:
    """At the first open line of a file that an image installs; without any Dockerfile, of one that is not for development."""
    found = loose(file.packages)
    if not found:
        return
    places = installing(file)
    if any(not _constrained(one.step.env, one.install) for one in places) or (not places and _stands_alone(file)):
        yield Hit(span=found[0].span, message=_open(found, len(file.packages)))


@REQUIREMENTS_UNPINNED.check(Dockerfile)
def requirements_unpinned_behind(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The same for a file that is not linted itself, at the command that installs it."""
    for one in unlinted(dockerfile):
        found = loose(one.file.packages)
        if found and not _constrained(one.step.env, one.install):
            yield Hit(span=one.word.span, message=f"in {one.file.source.name} {_open(found, len(one.file.packages))}")


@REQUIREMENTS_UNPINNED.check(Dockerfile)
def environment_unpinned(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The same for conda's environment.yml, at the command that makes it."""
    for step in dockerfile.steps("RUN"):
        for install in step.installs:
            for word in install.files if install.manager == "conda" else ():
                place = context_path(step, word.text, install.command)
                source = dockerfile.context.read(place) if place.endswith((".yml", ".yaml")) else None
                packages = [one for one, _ in of_environment(source)] if source else []
                found = loose(packages)
                if found:
                    yield Hit(span=word.span, message=f"in {place} {_open(found, len(packages))}")


def _open(found: list[Requested], total: int) -> str:
    has = "has" if len(found) == 1 else "have"
    return f"{listed(one.name for one in found)} {has} no exact version ({len(found)} of {total} packages)"


def _stands_alone(file: RequirementsFile) -> bool:
    """Whether no Dockerfile says what is installed, and the name does not say that it is not for images."""
    name = file.source.path.name
    return next(file.workspace.all(Dockerfile), None) is None and not DEVELOPMENT.search(name) and not name.endswith(".in")


REQUIREMENTS_NO_HASHES = Rule(
    key="requirements-no-hashes",
    severity="info",
    title="Pinned requirements without hashes",
    why="A version does not say which file is installed: an index or a mirror can give other bytes under the same version.",
    remedy="Compile it with hashes (uv pip compile --generate-hashes, pip-compile --generate-hashes) and add --require-hashes",
    source="https://pip.pypa.io/en/stable/topics/secure-installs/",
)


@REQUIREMENTS_NO_HASHES.check(RequirementsFile)
def requirements_no_hashes(file: RequirementsFile) -> Iterator[Hit]:
    """A file of which every line is pinned, and that an image installs."""
    if _pinned_only(file) and installing(file):
        yield Hit(span=file.packages[0].span, message=f"{len(file.packages)} packages are pinned by version but not by hash")


@REQUIREMENTS_NO_HASHES.check(Dockerfile)
def requirements_no_hashes_behind(dockerfile: Dockerfile) -> Iterator[Hit]:
    """The same for a file that is not linted itself."""
    for one in unlinted(dockerfile):
        if _pinned_only(one.file):
            yield Hit(span=one.word.span, message=f"packages of {one.file.source.name} are pinned by version but not by hash")


def _pinned_only(file: RequirementsFile) -> bool:
    return bool(file.packages) and not file.hashed and all(one.pinned and not one.url for one in file.packages)
