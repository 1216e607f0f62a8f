"""Which programs and Python packages a stage surely lacks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from functools import cache

from shipwheel.lint.dockerfile.stages import Stage, Step
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.lines import install_of
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.shell.command import Command
from shipwheel.lint.tables import table

_PACKAGES: dict[str, frozenset[str]] = {
    "nc": frozenset({"netcat", "netcat-openbsd", "netcat-traditional", "ncat", "nmap-ncat", "nmap", "busybox"}),
    "wget": frozenset({"wget", "busybox", "buildpack-deps"}),
    "supervisord": frozenset({"supervisor"}),
    "node": frozenset({"nodejs", "node"}),
    "npm": frozenset({"nodejs", "npm"}),
    "npx": frozenset({"nodejs", "npm"}),
}
"""What packages hold a program whose name is not theirs."""

_ANYTHING = frozenset({"make", "ansible-playbook", "apt-file", "dpkg", "tar", "unzip", "rsync", "nix", "brew", "xargs"})
"""Programs that may install anything."""
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "."})
_SYSTEM = frozenset({"curl", "wget", "nc", "tini", "gosu", "su-exec"})
"""Programs that no Python package brings."""
_MANAGERS = frozenset({"apt-get", "apt", "apk", "dnf", "yum"})
_TAKES_AWAY = frozenset({"remove", "purge", "autoremove", "del", "erase"})
_PROGRAM = re.compile(r"/uvx?|(?:/[\w.-]+)*/s?bin/[\w.-]+")
_BINARIES = frozenset({"/", "/usr", "/usr/bin", "/bin", "/sbin", "/usr/sbin", "/usr/local", "/usr/local/bin", "/opt"})


def lacks_program(stage: Stage, name: str) -> bool:
    """Whether its base has no such program and nothing in it could bring it; False in doubt."""
    if name not in stage.facts.lacks:
        return False
    if name not in _SYSTEM and any(_is_searched(stage, step) for step in stage.all_steps if step.copies_from):
        return False
    there = False
    for step in stage.all_steps:
        for brings in _effects(step, name):
            there = brings
    return not there


def _is_searched(stage: Stage, step: Step) -> bool:
    """Whether a folder that is copied lies on PATH with its programs, as an environment does."""
    target = step.destination.rstrip("/")
    return any(f"{entry}/".startswith(f"{target}/") for entry in stage.env.get("PATH", "").split(":") if target)


def _effects(step: Step, name: str) -> Iterator[bool]:
    """True for what (perhaps) brings the program, False for what takes it away."""
    if step.keyword in ("COPY", "ADD"):
        target = step.destination.rstrip("/") or "/"
        texts = [word.text for word in step.words]
        perhaps = (step.copies_from or step.keyword == "ADD") and target in _BINARIES and not _are_programs(step)
        if _mentions(texts, name) or perhaps:
            yield True
    elif step.keyword == "RUN":
        if not step.commands:
            yield True
        for command in step.commands:
            yield from _effect(command, name)


def _are_programs(step: Step) -> bool:
    """Whether each source is surely one program, by its name: /uv, /usr/local/bin/tini; not a folder of them."""
    return all(_PROGRAM.fullmatch(word.text) for word in step.sources)


def _effect(command: Command, name: str) -> Iterator[bool]:
    texts = [word.text for word in command.words]
    if command.program in _MANAGERS and not _TAKES_AWAY.isdisjoint(texts[:4]):
        yield from [False] * (name in texts)
        return
    install = install_of(command)
    packages = _PACKAGES.get(name, frozenset({name}))
    if install and install.manager in ("apt", "apk", "dnf"):
        named = any(
            not package.known or package.name in packages or name in package.name.split("-") for package in install.packages
        )
        if named or (install.files and install.action != "update"):
            yield True
    elif _unreadable(command) or _mentions(texts, name) or (install and name not in _SYSTEM and _unlisted(install)):
        yield True


def _unlisted(install: Install) -> bool:
    """Whether it installs packages whose names do not stand in the command."""
    return bool(install.files) or any(not package.known for package in install.packages)


def _unreadable(command: Command) -> bool:
    """Whether it runs a script or a tool that may install anything."""
    if command.program in _SHELLS:
        return any(not word.text.startswith("-") for word in command.arguments) and not command.has("-c")
    return command.program in _ANYTHING or command.program.endswith((".sh", ".bash")) or command.program.startswith("$")


def _mentions(texts: list[str], name: str) -> bool:
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.])")
    return any(word.search(text) or name == posixpath.basename(text) for text in texts)


_CLEAN = re.compile(r"python|debian|ubuntu|alpine|nvidia/cuda|ghcr\.io/astral-sh/uv|buildpack-deps")
"""Images without Python packages."""
_SHELL_BASES = re.compile(
    rf"{_CLEAN.pattern}|pytorch/pytorch|tensorflow/tensorflow|continuumio/(mini|ana)conda3|condaforge/miniforge3"
    r"|nvcr\.io/nvidia/(pytorch|tensorflow|cuda)|node|rocm/(pytorch|tensorflow|jax|dev-.*)|mambaorg/micromamba"
)


def starts_shell(stage: Stage) -> bool:
    """Whether its image is known to start a shell or Python's prompt: it holds no application, and evaluates no arguments."""
    image = stage.root_image
    return image is not None and _SHELL_BASES.fullmatch(image.repository) is not None


@cache
def _plain() -> tuple[frozenset[str], frozenset[str]]:
    data = table("plain.toml")
    return frozenset(data["plain"]), frozenset(data["extras"])


def lacks_package(stage: Stage, name: str) -> bool:
    """Whether a Python package is surely not there: all that is installed is known, and none of it brings the package."""
    image = stage.root_image
    if not image or not _CLEAN.fullmatch(image.repository):
        return False
    packages = packages_of(stage)
    if not packages.complete or name in packages.by_name:
        return False
    plain, extras = _plain()
    for package, added in packages.by_name.items():
        if package not in plain or (added.requested.extras and package not in extras):
            return False
    return not any(_system_package(install.packages, name) for step in stage.all_steps for install in step.installs)


def _system_package(packages: tuple[Requested, ...], name: str) -> bool:
    """Whether a Debian or Alpine package such as python3-requests is that package or may be."""
    return any(not package.known or package.name.endswith(f"-{name}") or package.name == name for package in packages)


def python_name(stage: Stage) -> str:
    """What Python is called in a stage; "" where it is not known to be there."""
    if "python" in stage.facts.programs:
        return "python"
    apt = any(
        install.manager in ("apt", "apk")
        and any(re.match(r"python3(\.\d+)?(-pip|-full|-venv|-dev)?$", one.name) for one in install.packages)
        for step in stage.all_steps
        for install in step.installs
    )
    return "python3" if apt or "python3" in stage.facts.programs else ""
