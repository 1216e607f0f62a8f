"""What a build reads of its context: what is copied, mounted or installed from, and what a project's own build opens."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from shipwheel.lint.context.copying import in_context, taken, whole_copy
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Dockerfile, Step, in_folder
from shipwheel.lint.packages.installs import Install

_VERSION_OF_GIT = re.compile(
    r"setuptools[_-]scm|hatch-vcs|versioneer|dunamai|dynamic-versioning|setuptools-git|pdm.*scm|gitpython", re.I
)
_READS_GIT = frozenset(("describe", "log", "rev-parse", "submodule", "status", "checkout", "rev-list"))
_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_CODE = (".py", ".yaml", ".yml", ".toml", ".json", ".sh", ".cfg", ".ini")
_MAX_CODE = 300
"""Files of code in which a name is looked for."""


def of(dockerfile: Dockerfile) -> Iterator[tuple[str, str]]:
    """Paths of the context with what needs them, as the end of a sentence."""
    for step, source in taken(dockerfile):
        yield source, f"{step.keyword} copies" if step.keyword != "RUN" else "RUN mounts"
    for stage in dockerfile.stages:
        for number, step in enumerate(stage.steps):
            whole = next((one for one in reversed(stage.steps[:number]) if whole_copy(one)), None)
            if step.keyword == "RUN" and whole:
                yield from _installed(dockerfile.context, step, whole)


def _installed(context: BuildContext, step: Step, whole: Step) -> Iterator[tuple[str, str]]:
    """What the commands of a RUN read, of a context that was copied as a whole."""
    for install in step.installs:
        if install.command.program == "cd" or any(command.program == "cd" for command in step.commands):
            return
        for word in install.files:
            path = in_context(whole, in_folder(step.workdir, word.text)) if word.known else ""
            if path:
                yield path, f"{install.tool} installs"
        if in_context(whole, step.workdir or whole.destination.rstrip("/")) == ".":
            yield from _locked(context, install)
            if _builds_here(install):
                yield from _opened(context)


def _locked(context: BuildContext, install: Install) -> Iterator[tuple[str, str]]:
    locked = install.option("--frozen", "--locked") is not None
    if install.manager == "uv" and install.action == "sync" and locked:
        yield "uv.lock", "uv sync reads"
    if install.manager == "pipenv" and (install.action == "sync" or install.option("--deploy") is not None):
        yield "Pipfile.lock", "pipenv reads"
    if install.manager == "npm" and install.action == "sync":
        yield "package-lock.json", "npm ci reads"
    if install.manager in ("uv", "poetry") and install.action == "sync" and context.exists("pyproject.toml"):
        yield "pyproject.toml", f"{install.tool} reads"


def _builds_here(install: Install) -> bool:
    """Whether the project itself is built and installed."""
    if install.manager == "pip":
        return any(package.url.rstrip("/") in (".", "") and package.url for package in install.packages)
    if install.manager == "uv":
        return install.action == "sync" and install.option("--no-install-project") is None
    return install.manager == "poetry" and install.action == "install" and install.option("--no-root") is None


def _opened(context: BuildContext) -> Iterator[tuple[str, str]]:
    """The README and licence that a build backend refuses to do without, and those that setup.py opens."""
    project = pyproject(context)
    backend = str(project.get("build-system", {}).get("build-backend", ""))
    if backend and "setuptools" not in backend:
        metadata, poetry = project.get("project", {}), project.get("tool", {}).get("poetry", {})
        for value in (metadata.get("readme"), metadata.get("license"), poetry.get("readme")):
            name = value.get("file") if isinstance(value, dict) else value if value is not metadata.get("license") else None
            for one in name if isinstance(name, list) else [name]:
                if isinstance(one, str):
                    yield one, "pyproject.toml names and the build reads"
    setup = context.read("setup.py")
    for found in re.findall(r"""open\(\s*["']([\w./-]+)["']""", setup.text) if setup else ():
        yield found, "setup.py opens"


def pyproject(context: BuildContext) -> dict[str, Any]:
    """The project's pyproject.toml; empty where there is none or it cannot be read."""
    source = context.read("pyproject.toml")
    try:
        found = tomllib.loads(source.text) if source else {}
    except tomllib.TOMLDecodeError:
        return {}
    return {key: value for key, value in found.items() if isinstance(value, dict)}


def git(context: BuildContext, dockerfiles: Iterable[Dockerfile]) -> bool:
    """Whether a build reads .git: for the version of the project, or by a command."""
    texts = [source.text for name in _BUILD_FILES if (source := context.read(name))]
    if any(_VERSION_OF_GIT.search(text) for text in texts):
        return True
    commands = [command for one in dockerfiles for step in one.steps("RUN") for command in step.commands]
    fetched = any(command.program == "git" and "clone" in [word.text for word in command.words] for command in commands)
    reads = (command.program == "git" and _READS_GIT & {word.text for word in command.words} for command in commands)
    return not fetched and any(reads)


def mentioned(context: BuildContext, name: str) -> bool:
    """Whether code or configuration of the context names a folder as a path."""
    files = [path for path in context.files() if path.endswith(_CODE) and not path.startswith(f"{name}/")][:_MAX_CODE]
    path = re.compile(rf"(?<![\w-]){name}/|[\"']{name}[\"']")
    return any((source := context.read(file)) is not None and path.search(source.text) for file in files)
