"""Reads the command lines of package managers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from shipwheel.lint.files.requirement import conda_requirement, python_requirement, system_requirement
from shipwheel.lint.packages.installs import Install, Manager, Requested
from shipwheel.lint.packages.options import CONDA_VALUED, PIP_VALUED, UV_VALUED
from shipwheel.lint.shell.command import Command
from shipwheel.lint.shell.wrappers import program_name
from shipwheel.lint.word import Word

_PIP = re.compile(r"pip(?:\d+(?:\.\d+)?)?|pipx")
_PYTHON = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)?)?t?")


@dataclass(frozen=True, slots=True)
class _Tool:
    """How a manager's command line reads: its subcommands as actions, options with a value of their own word, those that name
    requirement files, and how a package is written."""

    manager: Manager
    actions: dict[str, str]
    valued: frozenset[str]
    package: Callable[..., Requested]
    files: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    editable: tuple[str, ...] = ()


_REQUIREMENT = ("-r", "--requirement", "--requirements")
_CONSTRAINT = ("-c", "--constraint", "--constraints")
_EDITABLE = ("-e", "--editable")
_PIP_TOOL = _Tool(
    "pip",
    {"install": "install", "download": "download", "wheel": "wheel", "sync": "sync", "inject": "install"},
    PIP_VALUED,
    python_requirement,
    _REQUIREMENT,
    _CONSTRAINT,
    _EDITABLE,
)
_UV_PIP = replace(_PIP_TOOL, valued=UV_VALUED)
_UV = replace(
    _UV_PIP, manager="uv", actions={"sync": "sync", "add": "add", "install": "install"}, editable=("--with-editable",)
)
_CONDA = _Tool(
    "conda",
    {"install": "install", "create": "create", "update": "update", "upgrade": "update"},
    CONDA_VALUED,
    conda_requirement,
    ("-f", "--file"),
)
_APT = _Tool(
    "apt",
    {
        **{
            "install": "install",
            "update": "update",
            "upgrade": "upgrade",
            "dist-upgrade": "upgrade",
            "full-upgrade": "upgrade",
        },
        **{"build-dep": "build-dep", "download": "download", "reinstall": "install", "safe-upgrade": "upgrade"},
    },
    frozenset(
        ("-o", "--option", "-t", "--target-release", "--default-release", "-c", "--config-file", "-a", "--host-architecture")
    ),
    system_requirement,
)
_DNF = _Tool(
    "dnf",
    {
        **{
            "install": "install",
            "localinstall": "install",
            "reinstall": "install",
            "groupinstall": "group",
            "update": "upgrade",
        },
        **{
            "upgrade": "upgrade",
            "makecache": "update",
            "check-update": "update",
            "builddep": "build-dep",
            "download": "download",
        },
    },
    frozenset(
        (
            "--setopt",
            "--enablerepo",
            "--disablerepo",
            "--installroot",
            "--releasever",
            "-c",
            "--config",
            "-x",
            "--exclude",
            "--repo",
        )
    ),
    system_requirement,
)
_TOOLS: dict[str, _Tool] = {
    **dict.fromkeys(("apt-get", "apt", "aptitude"), _APT),
    **dict.fromkeys(("dnf", "yum", "microdnf", "tdnf", "dnf5"), _DNF),
    **dict.fromkeys(("conda", "mamba", "micromamba"), _CONDA),
    "apk": _Tool(
        "apk",
        {"add": "install", "update": "update", "upgrade": "upgrade", "fetch": "download"},
        frozenset(
            (
                "-t",
                "--virtual",
                "-X",
                "--repository",
                "-p",
                "--root",
                "--repositories-file",
                "--keys-dir",
                "--cache-dir",
                "--arch",
            )
        ),
        system_requirement,
    ),
    "poetry": _Tool(
        "poetry",
        {"install": "install", "add": "add", "update": "update", "sync": "sync"},
        frozenset(
            (
                *("--with", "--without", "--only", "-E", "--extras", "-G", "--group", "--directory", "-C", "--project", "-P"),
                *("--source", "--python", "--platform"),
            )
        ),
        python_requirement,
        editable=_EDITABLE,
    ),
    "pipenv": _Tool(
        "pipenv",
        {"install": "install", "sync": "sync", "update": "update", "upgrade": "update"},
        frozenset(
            (
                "-r",
                "--requirements",
                "-i",
                "--index",
                "--pypi-mirror",
                "--python",
                "-e",
                "--editable",
                "--categories",
                "--extra-pip-args",
            )
        ),
        python_requirement,
        _REQUIREMENT,
        (),
        _EDITABLE,
    ),
    "npm": _Tool(
        "npm",
        {"install": "install", "i": "install", "add": "install", "ci": "sync", "update": "update"},
        frozenset(("--prefix", "--registry", "--cache", "-w", "--workspace", "--loglevel")),
        system_requirement,
    ),
}


def install_of(command: Command) -> Install | None:
    """What a command installs or updates (`apt-get update` is action "update"); None for any other command.

    `python -m pip install` and `python3.11 -m pip`, `pip3.10`, `$PIP`, `uv pip`, `conda run -n x pip` count.
    """
    words = command.words
    program = command.program
    if program in _TOOLS and program not in ("conda", "mamba", "micromamba"):
        return _read(command, _TOOLS[program], program, words[1:])
    if _PIP.fullmatch(program):
        return _read(command, _PIP_TOOL, program, words[1:])
    if _PYTHON.fullmatch(program):
        return _of_python(command)
    if program == "uv":
        return _of_uv(command)
    return _of_conda(command) if program in _TOOLS else None


def _of_python(command: Command) -> Install | None:
    """`python -m pip ...`, interpreter options before it."""
    words = command.words
    at = next((number for number, word in enumerate(words) if number and not word.text.startswith("-")), 0)
    if at < 2 or words[at - 1].text[-1:] != "m" or words[at - 1].text[:2] == "--":
        return None
    module = words[at].text
    if module == "uv":
        return _of_uv(replace(command, words=words[at:]))
    tool = _PIP_TOOL if module == "pip" else _TOOLS.get(module)
    return _read(command, tool, command.program, words[at + 1 :]) if tool else None


def _of_uv(command: Command) -> Install | None:
    words = command.words[1:]
    at = next(_positions(words, UV_VALUED), None)
    if at is None:
        return None
    first = words[at].text
    if first == "pip":
        return _read(command, _UV_PIP, "uv", (*words[:at], *words[at + 1 :]))
    if first in ("sync", "add"):
        return _read(command, _UV, "uv", words)
    if first == "tool" and words[at + 1 : at + 2] and words[at + 1].text == "install":
        return _read(command, _UV, "uv", (*words[:at], *words[at + 1 :]))
    return None


def _of_conda(command: Command) -> Install | None:
    words = command.words[1:]
    at = next(_positions(words, CONDA_VALUED), None)
    if at is None:
        return None
    if words[at].text == "run":
        inner = at + 1 + next(_positions(words[at + 1 :], CONDA_VALUED | {"--cwd"}), len(words))
        ran = replace(command, words=words[inner:], program=program_name(words[inner].text)) if inner < len(words) else None
        found = install_of(ran) if ran else None
        return replace(found, command=command) if found else None
    rest = (*words[:at], *words[at + 1 :]) if words[at].text == "env" else words
    return _read(command, _TOOLS[command.program], command.program, rest)


def _positions(words: tuple[Word, ...], valued: frozenset[str]) -> Iterator[int]:
    """Where words stand that are no options and no values of options."""
    skipping = False
    for number, word in enumerate(words):
        if skipping:
            skipping = False
        elif word.text.startswith("-") and len(word.text) > 1 and not word.text.startswith("--="):
            skipping = word.text in valued
        else:
            yield number


def _read(command: Command, tool: _Tool, program: str, words: tuple[Word, ...]) -> Install | None:
    at = next(_positions(words, tool.valued), None)
    action = tool.actions.get(words[at].text) if at is not None else None
    if at is None or action is None:
        return None
    reader = _Reader(tool)
    reader.read((*words[:at], *words[at + 1 :]))
    packages = () if action == "sync" and tool.manager == "pip" else tuple(reader.packages)
    files = (*reader.files, *reader.positional) if action == "sync" and tool.manager == "pip" else tuple(reader.files)
    return Install(
        manager=tool.manager,
        action=action,
        command=command,
        tool=program,
        packages=packages,
        files=files,
        constraints=tuple(reader.constraints),
        options=tuple(reader.options),
    )


class _Reader:
    """Sorts the arguments of one command."""

    def __init__(self, tool: _Tool) -> None:
        self.tool = tool
        self.packages: list[Requested] = []
        self.positional: list[Word] = []
        self.files: list[Word] = []
        self.constraints: list[Word] = []
        self.options: list[str] = []

    def read(self, words: tuple[Word, ...]) -> None:
        at, only_words = 0, False
        while at < len(words):
            word = words[at]
            at += 1
            if only_words or not word.text.startswith("-") or len(word.text) == 1:
                self._package(word)
            elif word.text == "--":
                only_words = True
            else:
                following = words[at] if word.text in self.tool.valued and at < len(words) else None
                at += following is not None
                self._option(word, following)

    def _package(self, word: Word, *, path: bool = False) -> None:
        self.positional.append(word)
        more = {"path": True} if path else {}
        self.packages.append(self.tool.package(word.text, word.span, known=word.known, **more))

    def _option(self, word: Word, following: Word | None) -> None:
        name, value = word.text, following
        if following is None:
            name, value = self._attached(word)
        if value is None:
            self.options.append(word.text)
        elif name in self.tool.files:
            self.files.append(value)
        elif name in self.tool.constraints:
            self.constraints.append(value)
        elif name in self.tool.editable:
            self._package(value, path=True)
        else:
            self.options.append(f"{name}={value.text}")

    def _attached(self, word: Word) -> tuple[str, Word | None]:
        """`--name=value` and `-rFILE` in parts; a part of a word keeps the word's place."""
        name, equals, value = word.text.partition("=")
        if name.startswith("--"):
            return name, replace(word, text=value) if equals else None
        short = word.text[:2]
        if len(word.text) > 2 and short in (*self.tool.files, *self.tool.constraints, *self.tool.editable):
            return short, replace(word, text=word.text[2:].removeprefix("="))
        return name, None
