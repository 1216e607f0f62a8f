"""A stand-in for python:3.11-slim, for machines that reach no public registry: Debian bookworm with its own Python 3.11.

About what the real one holds: Debian's essential packages with shell and apt, CA certificates, time zones, Python without
compiled bytecode, no documentation; Debian's Python stands in for the one built below /usr/local.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from engine import Engine
from measure import log, run

NAME = "python:3.11-slim"
PACKAGES = ("usr-is-merged", "ca-certificates", "netbase", "tzdata", "python3", "python3-distutils")
LEFT_OUT = ("man", "doc", "locale", "info", "lintian")
UV_NAME = "uv"


def rootfs(folder: Path, mirror: str) -> Path:
    """The tar of the base, made once and kept in `folder`."""
    made = folder / "base.tar"
    if made.exists():
        return made
    log("composing the base of the Dockerfiles with mmdebstrap")
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "part.tar"
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    hook = (
        'rm -rf "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/apt/lists/*;'
        ' find "$1" -name __pycache__ -prune -exec rm -r {} +;'
        ' ln -s /usr/bin/python3 "$1"/usr/local/bin/python; ln -s /usr/bin/python3 "$1"/usr/local/bin/python3'
    )
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", *excluded]
    run([*command, f"--customize-hook={hook}", "bookworm", part, f"{mirror}/debian"])
    part.rename(made)
    return made


def load(engine: Engine, tar: Path, work: Path) -> None:
    """Put the base, and an image that holds nothing but uv (as ghcr.io/astral-sh/uv does), into the engine."""
    change = 'CMD ["python3"]'
    engine.docker("import", "--change", change, "--change", "ENV LANG=C.UTF-8", tar, NAME)
    found = shutil.which("uv") or str(Path(__file__).parent.parent / ".venv" / "bin" / "uv")
    packed = work / "uv.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(found, "uv")
    engine.docker("import", packed, UV_NAME)
