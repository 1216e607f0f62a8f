"""The wheel of the runtime, shipwheel-serve, which every shipwheel carries as sources: the same bytes wherever it is made.

It is written by hand, member by member: zipfile and the builders of wheels leave marks of their version and of the machine,
and cost more to import than an unchanged build takes.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import struct
import tomllib
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipwheel.errors import ShipwheelError

NAME = "shipwheel-serve"
PACKAGE = "shipwheel_serve"
_INSTALLED = Path(__file__).with_name("_serve")
_CHECKOUT = Path(__file__).parents[2] / "serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeWheel:
    """The wheel: what a lock says of it, and its bytes."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    data: bytes = field(repr=False)

    def write(self, folder: Path, name: str = "") -> Path:
        """Write it into `folder`, under its own name or `name`; nobody ever sees half of it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name or self.filename)
        fresh = folder / f".{path.name}.{os.getpid()}"
        fresh.write_bytes(self.data)
        fresh.replace(path)
        return path


def sources() -> Path:
    """The folder that holds the package `shipwheel_serve`: package data, or, in a checkout, serve/src.

    Raises:
        ShipwheelError: neither is there.
    """
    for folder in (_INSTALLED, _CHECKOUT / "src"):
        if (folder / PACKAGE / "__init__.py").is_file():
            return folder
    raise ShipwheelError("this shipwheel came without its runtime", hint="install it again")


@functools.cache
def runtime_wheel() -> RuntimeWheel:
    """Make the wheel from the sources, in memory."""
    folder = sources()
    project = _project(folder)
    version = _version(folder / PACKAGE / "__init__.py")
    info = f"{PACKAGE}-{version}.dist-info"
    members = {
        **dict(sorted(_modules(folder))),
        f"{info}/METADATA": _metadata(project, version).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: shipwheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": _entry_points(project).encode(),
    }
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in members.items())
    data = _zip({**members, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()})
    return RuntimeWheel(
        name=NAME,
        version=version,
        filename=f"{PACKAGE}-{version}-py3-none-any.whl",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        data=data,
    )


def _project(folder: Path) -> Mapping[str, Any]:
    """[project] of the runtime's pyproject.toml, which lies beside or above its package."""
    path = folder / "pyproject.toml" if folder == _INSTALLED else folder.parent / "pyproject.toml"
    table: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8"))["project"]
    return table


def _version(path: Path) -> str:
    found = re.search(r'^__version__ = "([^"]+)"', path.read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def _modules(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the package, without what an editor or Python itself leaves there."""
    for place, folders, files in os.walk(folder / PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if not name.startswith(".") and path.suffix in (".py", ".typed", ".html"):
                yield path.relative_to(folder).as_posix(), path.read_bytes()


def _metadata(project: Mapping[str, Any], version: str) -> str:
    """Core metadata 2.4 (packaging.python.org, "Core metadata specifications")."""
    extras: Mapping[str, list[str]] = project.get("optional-dependencies", {})
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in project["dependencies"]),
    ]
    for extra, needs in sorted(extras.items()):
        lines += [f"Provides-Extra: {extra}", *(f'Requires-Dist: {each}; extra == "{extra}"' for each in needs)]
    return "".join(f"{line}\n" for line in lines)


def _entry_points(project: Mapping[str, Any]) -> str:
    scripts: Mapping[str, str] = project["scripts"]
    return "[console_scripts]\n" + "".join(f"{name} = {target}\n" for name, target in sorted(scripts.items()))


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


_DATE = (1 << 5) | 1
"""The first of January 1980, at midnight: the first moment that a zip can name (APPNOTE, 4.4.6)."""
_MODE = 0o100644 << 16
_VERSION, _UNIX = 20, 3


def _zip(members: Mapping[str, bytes]) -> bytes:
    """A zip archive, nothing compressed (PKWARE APPNOTE 6.3, 4.3.7, 4.3.12 and 4.3.16)."""
    body, directory = bytearray(), bytearray()
    for name, data in members.items():
        key, at = name.encode(), len(body)
        common = struct.pack("<5H3I2H", _VERSION, 0, 0, 0, _DATE, zlib.crc32(data), len(data), len(data), len(key), 0)
        body += b"PK\x03\x04" + common + key + data
        directory += b"PK\x01\x02" + bytes((_VERSION, _UNIX)) + common + struct.pack("<3H2I", 0, 0, 0, _MODE, at) + key
    count, size = len(members), len(directory)
    return bytes(body + directory + b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, count, count, size, len(body), 0))
