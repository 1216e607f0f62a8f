"""Console scripts: what an entry point of a wheel becomes (PyPA, "Entry points specification"; the text is pip's)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shipwheel.errors import Problem
from shipwheel.layers.venv import INTERPRETER

GROUPS = ("console_scripts", "gui_scripts")

_OBJECT = re.compile(r"([\w.]+)\s*:\s*([\w.]+)\s*(\[.*\])?")
"""`package.module:attribute.attribute [extra, extra]`; extras are obsolete and mean nothing here."""

_NAME = re.compile(r"[^\s/\\\[\0]+")
_WRAPPERS = re.compile(r"(.+?)(\.exe|-script\.py|\.pya)?", re.IGNORECASE | re.DOTALL)
"""What setuptools once put into `.data/scripts` for an entry point of that name."""

_TEXT = """\
#!{interpreter}
import sys
from {module} import {first}
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit({attributes}())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An executable that calls an object: `module` and the dotted `attributes` in it."""

    name: str
    module: str
    attributes: str

    @property
    def text(self) -> bytes:
        """Its file."""
        first = self.attributes.partition(".")[0]
        return _TEXT.format(interpreter=INTERPRETER, module=self.module, first=first, attributes=self.attributes).encode()


def parse_scripts(text: str, python: str) -> tuple[list[Script], list[Problem]]:
    """The scripts that `entry_points.txt` asks for, and all entries that can be none."""
    scripts, faults = [], []
    for name, value in _versioned(dict(_pairs(text)), python).items():
        match = _OBJECT.fullmatch(value)
        if match and _NAME.fullmatch(name) and name not in (".", ".."):
            scripts.append(Script(name=name, module=match[1], attributes=match[2]))
        else:
            faults.append(Problem(path="entry_points.txt", message=f"'{name} = {value}' cannot be a script"))
    return scripts, faults


def is_wrapper(file_name: str, scripts: Mapping[str, object]) -> bool:
    """Whether a file of `.data/scripts` stands for one of these entry points, which is made anew."""
    match = _WRAPPERS.fullmatch(file_name)
    return match is not None and match[1] in scripts


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names and objects of the groups that are scripts."""
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and line[0] not in "#;" and group in GROUPS:
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _versioned(names: dict[str, str], python: str) -> dict[str, str]:
    """pip and easy_install get names with the version of this Python, whatever version their wheel was made with."""
    major = python.partition(".")[0]
    for tool, baked, also in (
        ("pip", r"pip(\d+(\.\d+)?)?", (f"pip{major}", f"pip{python}")),
        ("easy_install", r"easy_install(-\d+\.\d+)?", (f"easy_install-{python}",)),
    ):
        value = names.get(tool)
        if value:
            names = {name: text for name, text in names.items() if not re.fullmatch(baked, name)}
            names |= dict.fromkeys((tool, *also), value)
    return names
