"""For which CUDA a torch is built that is installed: by its version, its index and the table of releases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from packaging.markers import InvalidMarker, Marker

from shipwheel.lint.dockerfile.stages import Step
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.python import Added, Packages
from shipwheel.lint.packages.torch_table import newest, release_of
from shipwheel.lint.source import Span

FAMILY = ("torch", "torchvision", "torchaudio")

_INDEX = re.compile(
    r"/(?:whl|pytorch-wheels)/(?P<channel>(?:nightly|test|lts/[\d.]+)/)?(?P<build>cu\d+|cpu|rocm[\d.]*|xpu)(?P<page>/[^?#]*)?"
)
_FILES = re.compile(r"/(?:whl|pytorch-wheels)/(?:torch_stable\.html|[\w.]+/torch_stable\.html|[\w.]+/torch/?$)")
_NUMBER = re.compile(r"cu(\d+)(\d)$")

_LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """`kind` is "cuda", "cpu" or "" (unknown); `cuda` its version, "" for unknown. `dated`: no version is asked for, so that
    this is the newest one on the date of the table."""

    kind: Literal["cuda", "cpu", ""] = ""
    cuda: str = ""
    dated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Where a command looks for packages: `main` instead of PyPI, `extra` beside it, `links` are pages with links to files."""

    main: str = ""
    extra: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def indexes_of(options: Iterable[str], variables: Mapping[str, str]) -> Indexes:
    """Of a command's options and its environment."""
    main, extra, links = "", [], []
    for option in options:
        name, _, value = option.partition("=")
        if name in ("-i", "--index-url", "--default-index", "--pypi-url"):
            main = value
        elif name in ("--extra-index-url", "--index"):
            extra.append(value)
        elif name in ("-f", "--find-links"):
            links.append(value)
        elif name == "--torch-backend" and value.startswith(("cu", "cpu")):
            main = f"https://download.pytorch.org/whl/{value}"
    main = main or _variable(variables, "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
    extra += _variable(variables, "PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX").split()
    links += _variable(variables, "PIP_FIND_LINKS", "UV_FIND_LINKS").split()
    return Indexes(main=main, extra=tuple(extra), links=tuple(links))


def _variable(variables: Mapping[str, str], *names: str) -> str:
    return next((variables[name] for name in names if variables.get(name)), "")


def build_of_index(url: str) -> Build | None:
    """What an index of download.pytorch.org (or a mirror of it) holds; None for another address or one that is not known."""
    found = _INDEX.search(url)
    return _build(found["build"]) if found else None


def is_release_index(url: str) -> bool:
    """Whether it holds releases of one build: not nightly builds, not the page of all files."""
    found = _INDEX.search(url)
    return bool(found and not found["channel"])


def is_page_of_files(url: str) -> bool:
    """Whether it is a page of links to wheels, as -f needs, and not an index."""
    return bool(_FILES.search(url)) or url.endswith((".html", ".whl"))


def _build(name: str) -> Build:
    if name == "cpu":
        return Build(kind="cpu")
    number = _NUMBER.match(name)
    return Build(kind="cuda", cuda=f"{number[1]}.{number[2]}") if number else Build()


def applies(marker: str) -> bool:
    """Whether an environment marker can be true in an image for Linux on x86-64."""
    try:
        return not marker or "extra" in marker or Marker(marker).evaluate({**_LINUX})
    except InvalidMarker:
        return True


def torch_build(added: Added) -> Build:
    """For which CUDA the torch of a stage is built."""
    requested, install = added.requested, install_of_added(added)
    if not requested.known or not applies(requested.marker) or "arm64" in added.step.stage.platform:
        return Build()
    if requested.url:
        found = re.search(r"(?:\+|%2B)(cpu|cu\d+)", requested.url)
        return _build(found[1]) if found else Build()
    if "+" in requested.version and added.file.endswith(".lock"):
        return Build()  # one of several, for other extras or platforms
    if "+" in requested.version:
        return _build(requested.version.partition("+")[2])
    if install and install.manager == "conda":
        return _of_conda(install)
    if install and install.manager not in ("pip", "uv", "poetry", "pipenv"):
        return Build()
    return _of_indexes(added, install)


def _of_conda(install: Install) -> Build:
    names = {one.name: one for one in install.packages}
    if "cpuonly" in names:
        return Build(kind="cpu")
    chosen = next((names[name] for name in ("pytorch-cuda", "cudatoolkit", "cuda-version") if name in names), None)
    number = re.search(r"\d+\.\d+", chosen.specifier) if chosen else None
    return Build(kind="cuda", cuda=number[0]) if number else Build()


def _of_indexes(added: Added, install: Install | None) -> Build:
    uv = bool(install and install.tool == "uv")
    backend = added.step.variables.get("UV_TORCH_BACKEND") if uv else None
    if backend:
        return _build(backend)
    indexes = indexes_of(added.options, added.step.variables)
    if indexes.main and "pytorch" in indexes.main:
        return build_of_index(indexes.main) or Build()
    if any("$" in url for url in (indexes.main, *indexes.extra, *indexes.links)):
        return Build()
    version = added.requested.version
    pages = [url for url in indexes.links if is_page_of_files(url)]
    for found in filter(None, map(build_of_index, (*indexes.extra, *pages))):
        release = release_of(version) if version else None
        if found.kind == "cpu" or uv or (release and (found.cuda in release.cuda or not release.cuda)):
            return found
        if not version:
            return Build(kind="cuda")
    return _of_pypi(added)


def _of_pypi(added: Added) -> Build:
    asked = added.requested.version
    release = release_of(asked or newest(added.requested.specifier))
    return Build(kind="cuda", cuda=release.pypi, dated=not asked) if release else Build()


def install_of_added(added: Added) -> Install | None:
    """The install command of a step that adds a package: the one that names it, or reads the file that does."""
    span, name = added.requested.span, added.file.rsplit("/", 1)[-1]
    for install in added.step.installs:
        if not added.file and any(one.span == span for one in install.packages):
            return install
        if name and any(word.text.rsplit("/", 1)[-1] == name for word in install.files):
            return install
    readers = [one for one in added.step.installs if one.manager not in ("apt", "apk", "dnf", "npm")]
    folders = [one for one in readers if one.manager != "pip" or any(not each.name for each in one.packages)]
    return next(iter(folders or readers), None) if added.file else None


def package(packages: Packages, name: str) -> Added | None:
    """A package of a stage; what the command line says of it, where a requirements file beside it names it too."""
    added = packages.by_name.get(name)
    install = install_of_added(added) if added and added.file else None
    given = next((one for one in install.packages if one.name == name), None) if install else None
    if added and _removed_again(added.step, added.requested):
        return None
    return replace(added, requested=given, file="") if added and given else added


def _removed_again(step: Step, requested: Requested) -> bool:
    """Whether `pip uninstall` of the same RUN takes it out, after what it was for."""
    return any(
        command.span[0] > requested.span[0] and {"uninstall", requested.name} <= {word.text for word in command.words}
        for command in step.commands
    )


def by_pip(added: Added) -> bool:
    """Whether pip (or uv pip) installs it, in an image for Linux."""
    install = install_of_added(added)
    return bool(install and install.manager == "pip" and added.requested.known and applies(added.requested.marker))


def place(added: Added) -> Span:
    """Where a package stands in the Dockerfile: its word, or that of the file which names it, or the command."""
    if not added.file:
        return added.requested.span
    install = install_of_added(added)
    if install is None:
        return added.step.span
    name = added.file.rsplit("/", 1)[-1]
    word = next((word for word in install.files if word.text.rsplit("/", 1)[-1] == name), install.command.words[0])
    return word.span


def called(added: Added) -> str:
    """A package with its version and the file that asks for it: "torch==2.1.0 of requirements.txt"."""
    text = f"{added.requested.name}{added.requested.specifier.replace(' ', '')}"
    return f"{text} of {added.file}" if added.file else text
