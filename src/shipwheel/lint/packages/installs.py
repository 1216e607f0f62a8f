"""What commands install: apt, apk, dnf, pip, uv, conda and their kin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from shipwheel.lint.shell.command import Command
from shipwheel.lint.source import Span
from shipwheel.lint.word import Word

Manager = Literal["apt", "apk", "dnf", "pip", "uv", "conda", "poetry", "pipenv", "npm"]
"""dnf: also yum, microdnf, tdnf. uv: `uv sync`, `uv add`, `uv tool install`; `uv pip install` is pip with `tool` "uv".
conda: also mamba, micromamba."""

_EXACT = re.compile(r"(?:^|[,\s])={1,3}\s*([^\s,=<>!~*]+)(?![^\s,]*\*)")
_CLUSTER = re.compile(r"-[a-zA-Z]{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """One package on the command line or in a file. `name` is normalised (PEP 503 for Python; conda's channel taken off).

    `specifier` is what stands behind the name, such as "==2.1.0", "" for none; for apt "=1.2-3". `url` for a direct reference
    (git+https://..., a wheel's address, NAME @ URL) or a path; then `name` may be empty.
    """

    name: str
    span: Span
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str = ""
    known: bool = True

    @property
    def version(self) -> str:
        """The exact version that is asked for (`==1.2`, not `==1.*`), a local part (+cu118) included; "" for none."""
        match = _EXACT.search(self.specifier)
        return match[1] if match and "$" not in match[1] else ""

    @property
    def pinned(self) -> bool:
        """Whether one version is asked for, even where a variable holds it."""
        return bool(_EXACT.search(self.specifier))


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """One command that installs.

    `tool` is the program: "pip3", "python3.11", "uv", "yum". `action`: "install", "sync", "update", "upgrade", "create",
    "download" ... `files` are requirements (`-r`), constraints excluded (`constraints`), an environment.yml of conda, in words.
    `editable` and local paths are in `packages` with `url`. `options` are the options as written, values of `--index-url URL`
    joined with "=".
    """

    manager: Manager
    action: str
    command: Command
    tool: str = ""
    packages: tuple[Requested, ...] = ()
    files: tuple[Word, ...] = ()
    constraints: tuple[Word, ...] = ()
    options: tuple[str, ...] = ()

    def option(self, *names: str) -> str | None:
        """The value of the first of these options that is given, "" for one without a value; None where none is."""
        for text in self.options:
            name, _, value = text.partition("=")
            if name in names:
                return value
            if _CLUSTER.fullmatch(text) and any(len(short) == 2 and short[1] in text[1:] for short in names):
                return ""
        return None
