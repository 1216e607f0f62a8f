"""Installs behind a COPY of code, which run again with every change of it, and how the COPY moves behind them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipwheel.lint.context.copying import from_context, in_context, tidy, whole_copy
from shipwheel.lint.context.folder import BuildContext
from shipwheel.lint.dockerfile.stages import Step, in_folder
from shipwheel.lint.finding import Edit
from shipwheel.lint.packages.installs import Install

_TOOLS = frozenset(("pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pip-tools", "conda", "mamba"))
"""What is installed to install; it costs a second."""

_FIRST = frozenset(
    ("python", "torch", "torchvision", "torchaudio", "numpy", "cython", "pybind11", "ninja", "packaging", "nvidia-pyindex")
)
"""What is installed before the packages of an application, from an index of its own or to build them."""

_SYSTEM = ("apt", "apk", "dnf")

_CODE = (".py", ".ipynb", ".js", ".ts", ".go", ".rs", ".cpp", ".cc", ".cu", ".java", ".r")
_NO_CODE = re.compile(
    r"require|wheel|dist|deps|docker|conf|patch|cert|key|etc|bin|install|data|model|weight|package|vendor|asset|font|licen[cs]e"
    r"|root|files|opt|entrypoint|start|run|setup|bootstrap|third_party|env|tmp|cache|build|proto|(?<!s)rc$"
)
"""How folders are named in which no code of one's own lies, and programs without a suffix."""

_FOLDER = re.compile(r"(?=.*[a-z])(?!.*file$)[A-Za-z][A-Za-z0-9_-]*")
"""A name that a folder of code may have; LICENSE and Makefile are others."""

_HARMLESS = frozenset(("echo", "set", "export", "true", "useradd", "adduser", "groupadd", "addgroup", "mkdir", ""))
_SETTINGS = frozenset(("ENV", "ARG", "LABEL", "EXPOSE", "WORKDIR", "USER", "SHELL"))
_INCLUDES = re.compile(
    r"^\s*(?:-[rcef]|--requirement|--constraint|--editable|--find-links)\b|file:|^\s*\.{1,2}/|^\s*-\s+-[re]", re.MULTILINE
)
_MANIFESTS = {
    "pipenv": ("Pipfile", "Pipfile.lock"),
    "poetry": ("pyproject.toml", "poetry.lock"),
    "uv": ("pyproject.toml", "uv.lock"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstalls:
    """A COPY of code with the steps behind it that install what does not need it."""

    context: BuildContext
    steps: Sequence[Step]
    """All of the stage."""
    number: int
    """That of the COPY."""
    installs: tuple[tuple[int, Install], ...]


def reinstalls(context: BuildContext, steps: Sequence[Step]) -> Iterator[Reinstalls]:
    """Of a stage, the first COPY of code that installs follow; behind the main packages only that of the whole context."""
    for number, step in enumerate(steps):
        if not step.onbuild and _brings_code(context, step):
            found = tuple(_needless(context, steps, number))
            if found and (whole_copy(step) or _are_main(steps[:number], [install for _, install in found])):
                yield Reinstalls(context=context, steps=steps, number=number, installs=found)
                return


def _are_main(before: Sequence[Step], found: Sequence[Install]) -> bool:
    """Whether these bring the packages of the application: the first ones, or the first from a file."""
    earlier = [install for step in before for install in step.installs if _is_of_application(install)]
    if any(install.files or install.manager in _MANIFESTS for install in earlier):
        return False
    return any(install.files if earlier else _is_python(install) for install in found)


def _brings_code(context: BuildContext, step: Step) -> bool:
    if whole_copy(step):
        return context.bare or any(path.endswith(_CODE) for path in context.files())
    place = step.destination
    own = place.startswith("/usr/src/") or not place.startswith(
        ("/usr/", "/opt/conda/", "/opt/nvidia/", "/etc/", "/tmp/", "/bin/")
    )
    return own and any(_is_code(context, tidy(word.text)) for word in from_context(step))


def _is_code(context: BuildContext, source: str) -> bool:
    if source.endswith((".py", ".ipynb")):
        return posixpath.basename(source) not in (
            "setup.py",
            "versioneer.py",
            "__init__.py",
            "__about__.py",
            "_version.py",
        ) and not source.startswith("install")
    if context.is_folder(source):
        return any(path.endswith(".py") for path in context.files(source))
    name = posixpath.basename(source)
    return not context.exists(source) and _FOLDER.fullmatch(name) is not None and not _NO_CODE.search(name.lower())


def _needless(context: BuildContext, steps: Sequence[Step], number: int) -> Iterator[tuple[int, Install]]:
    """Installs behind the COPY for which its files are not needed, or most of them are not."""
    earlier = any(_is_of_application(one) for step in steps[:number] for one in step.installs)
    for at in range(number + 1, len(steps)):
        for install in steps[at].installs:
            if install.manager in _SYSTEM and not _free(context, steps[at]):
                continue
            if _independent(context, steps[at], install) or (
                not earlier and _builds_project(install) and _of_project(steps[number], steps[at], install)
            ):
                yield at, install
            earlier = earlier or _is_of_application(install)


def _is_python(install: Install) -> bool:
    names = {package.name for package in install.packages}
    return install.manager in ("pip", "uv", "conda", "poetry", "pipenv") and not (names and names <= _TOOLS)


def _is_of_application(install: Install) -> bool:
    names = {package.name for package in install.packages}
    return _is_python(install) and not (names and names <= _TOOLS | _FIRST and not install.files)


def _independent(context: BuildContext, step: Step, install: Install) -> bool:
    if any(package.url and "://" not in package.url for package in install.packages):
        return False
    if install.manager in _SYSTEM:
        return install.action == "install" and bool(install.packages) and all(package.known for package in install.packages)
    if install.manager == "pip":
        names = {package.name for package in install.packages}
        plain = install.action in ("install", "sync") and not names <= _TOOLS if not install.files else True
        return plain and not any(_local(context, step, word.text) for word in install.files)
    if install.manager == "uv":
        return install.action == "sync" and install.option("--no-install-project", "--no-install-workspace") is not None
    if install.manager == "poetry":
        return install.action == "install" and install.option("--no-root") is not None
    return install.manager == "pipenv" or (install.manager == "conda" and bool(install.files or install.packages))


def _local(context: BuildContext, step: Step, path: str) -> bool:
    """Whether a requirements file of that name says that the project itself is installed with it."""
    source = context.read(posixpath.basename(path)) or context.read(path)
    return (
        source is not None
        and re.search(r"^\s*(?:-e|--editable)\s+\.|^\s*\.\.?(?:/|\[|\s|$)", source.text, re.MULTILINE) is not None
    )


def _builds_project(install: Install) -> bool:
    """The project with all that it requires, with nothing installed before it."""
    if install.manager == "pip":
        return bool(_folder(install)) and install.action == "install" and install.option("--no-deps") is None
    return install.action in ("sync", "install") and install.manager in ("uv", "poetry") and bool(install.command.words)


def _folder(install: Install) -> str:
    """The folder of a project that pip installs, "" for none."""
    paths = (package.url.partition("[")[0] for package in install.packages)
    return next((path for path in paths if path and "://" not in path and not path.endswith((".whl", ".gz", ".zip"))), "")


def _of_project(copy: Step, step: Step, install: Install) -> bool:
    """Whether the COPY is of the project that a step installs: its folder, or something above or below."""
    moves = (command.arguments[0].text for command in step.commands if command.program == "cd" and command.arguments)
    project = in_folder(in_folder(step.workdir, next(moves, ".")), _folder(install) or ".")
    copied = copy.destination.rstrip("/") or "/"
    return f"{copied}/".startswith(f"{project.rstrip('/')}/") or f"{project}/".startswith(f"{copied.rstrip('/')}/")


def moved(found: Reinstalls) -> tuple[Edit, ...]:
    """Copy the files that the installs name, install, and copy the rest; nothing where that could mean something else."""
    steps, copy = found.steps, found.steps[found.number]
    last = _reach(found)
    if last is None or not _movable(copy, steps[last]):
        return ()
    wanted = [_wanted(found, step) for step in steps[found.number + 1 : last + 1]]
    if any(paths is None for paths in wanted):
        return ()
    paths = list(dict.fromkeys(path for one in wanted for path in one or ()))
    folders = {posixpath.dirname(path) for path in paths}
    if len(folders) > 1:
        return ()
    return _edits(copy, steps[last], paths)


def _movable(copy: Step, last: Step) -> bool:
    """Whether the COPY means the same a few steps later."""
    words = copy.instruction.words
    plain = not copy.instruction.json and not copy.instruction.heredocs and len(words) == 2
    return (
        plain
        and copy.workdir == last.workdir
        and "$" not in words[0].text + words[1].text + "".join(flag.value for flag in copy.flags)
    )


def _reach(found: Reinstalls) -> int | None:
    """The last of these installs that can stand before the COPY."""
    wanted = {number for number, _ in found.installs}
    last = None
    for number in range(found.number + 1, len(found.steps)):
        step = found.steps[number]
        if step.keyword == "RUN" and not _free(found.context, step):
            break
        if step.keyword not in ("RUN", *_SETTINGS):
            break
        last = number if number in wanted else last
    return last


def _free(context: BuildContext, step: Step) -> bool:
    """Whether a RUN reads nothing of what the COPY brings, but for files that its installs name."""
    if step.instruction.json or step.instruction.heredocs or any(mount.type == "bind" for mount in step.mounts):
        return False
    by_place = {install.command.span: install for install in step.installs}
    for command in step.commands:
        install = by_place.get(command.span)
        if install is not None:
            tools = install.manager == "pip" and {package.name for package in install.packages} <= _TOOLS and not install.files
            if not (tools or install.action in ("update", "upgrade") or _independent(context, step, install)):
                return False
        elif not (command.program in _HARMLESS or _cleans([word.text for word in command.words])):
            return False
    return bool(step.commands)


def _cleans(words: list[str]) -> bool:
    if words[:1] == ["rm"]:
        return all(word.startswith(("-", "/var/", "/tmp/", "/root/.cache")) for word in words[1:])
    return words[:2] in (
        ["apt-get", "clean"],
        ["apt", "clean"],
        ["apt-get", "autoremove"],
        ["conda", "clean"],
        ["pip", "cache"],
    )


def _wanted(found: Reinstalls, step: Step) -> list[str] | None:
    """The files of the context that the installs of a RUN name; None where one is not known to stand alone."""
    copy, paths = found.steps[found.number], []
    for install in step.installs:
        words = (*install.files, *install.constraints)
        linked = install.manager == "pip" and install.option("--find-links", "-f") is not None
        if linked or not all(word.known for word in words):
            return None
        named = [in_folder(step.workdir, word.text) for word in words if "://" not in word.text]
        manifests = _MANIFESTS.get(install.manager, ())
        if manifests and not found.context.exists(manifests[0]):
            return None
        named += [in_folder(step.workdir, name) for name in manifests if found.context.exists(name)]
        inside = [in_context(copy, path) for path in named]
        if not all(inside) or not all(_stands_alone(found.context, path) for path in inside):
            return None
        paths += inside
    return paths


def _stands_alone(context: BuildContext, path: str) -> bool:
    """Whether a requirements file is there (or nothing is known of the folder), gets in, and names no other file."""
    source = context.read(path)
    if context.left_out(path) or not (source or context.alone):
        return False
    return source is None or path.endswith(("Pipfile", ".lock", ".toml")) or not _INCLUDES.search(source.text)


def _edits(copy: Step, last: Step, paths: list[str]) -> tuple[Edit, ...]:
    source = copy.instruction.body.source
    written = source.text[slice(*copy.span)]
    end = source.text.find("\n", last.span[1])
    behind = (
        Edit(end + 1, end + 1, written + source.line_end)
        if end >= 0
        else Edit(len(source.text), len(source.text), source.line_end + written)
    )
    if end >= 0 and source.text[last.span[1] : end].strip():
        return ()
    if not paths:
        line_end = source.text.find("\n", copy.span[1])
        return (Edit(copy.span[0], line_end + 1, ""), behind)
    folder = copy.instruction.words[1].text
    below = posixpath.relpath(posixpath.dirname(paths[0]) or ".", tidy(copy.instruction.words[0].text))
    target = posixpath.join("./" if folder in (".", "./") else folder, "" if below == "." else below, "")
    flags = "".join(f"{source.text[slice(*flag.span)]} " for flag in copy.flags)
    return (Edit(copy.span[0], copy.span[1], f"COPY {flags}{' '.join(paths)} {target}"), behind)
