"""Environments to serve a model from without a container, made with uv below HOME/environments and kept by what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

UNUSED_FOR = 30 * 86400.0
"""Seconds after which `prune` takes an environment that nobody has served from."""

Fill = Callable[[Path], None]
"""Installs packages for the interpreter that it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """The folder below `home`; `env` is what uv sees."""

    home: Path
    env: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """One environment each, by key."""
        return self.home / "environments"

    def ensure(self, python: str, contents: Sequence[str], fill: Fill) -> Path:
        """The interpreter of the environment that holds `contents`, for Python `python` (3.11); made with `fill` if need be.

        Raises:
            ResolveError: no such Python is here and none can be had, or `fill` says so.
        """
        key = hashlib.sha256(json.dumps([python, sys.platform, os.uname().machine, *contents]).encode()).hexdigest()[:32]
        path = self.folder / key
        interpreter = path / "bin" / "python"
        if interpreter.exists():
            with contextlib.suppress(OSError):
                os.utime(path)
            return interpreter
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.folder) as folder:
            fresh = Path(folder) / key
            self._uv(
                ("venv", "--relocatable", "--python", _interpreter(python), str(fresh)), f"no Python {python} to serve with"
            )
            fill(fresh / "bin" / "python")
            if path.exists():  # its interpreter is gone
                shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):  # another process was first
                fresh.rename(path)
        return interpreter

    def install(self, python: Path, arguments: Sequence[str], what: str) -> None:
        """Run `uv pip install` for an interpreter.

        Raises:
            ResolveError: uv says why.
        """
        self._uv(("pip", "install", "--quiet", "--python", str(python), *arguments), what)

    def install_files(self, python: Path, wheels: Mapping[str, Path]) -> None:
        """Install verified wheels, and nothing else; `wheels` are paths by the wheel's own filename."""
        with tempfile.TemporaryDirectory(prefix="shipwheel-wheels-") as folder:
            for filename, path in wheels.items():
                Path(folder, filename).symlink_to(path.absolute())
            listed = Path(folder, "requirements.txt")
            listed.write_text("".join(f"{Path(folder, filename)}\n" for filename in wheels))
            flags = ("--no-deps", "--no-index", "--offline", "--requirements", str(listed))
            self.install(python, flags, "the locked packages cannot be installed here")

    def _uv(self, arguments: Sequence[str], what: str) -> None:
        from shipwheel.resolve.uv import Uv, failure

        done = Uv(folder=self.home, env={"UV_PYTHON_DOWNLOADS": "automatic", **self.env}).run(arguments)
        if done.returncode:
            raise failure(what, done.stderr)


def _interpreter(python: str) -> str:
    """Our own where it is of that version: nothing has to be looked for or fetched."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    return os.path.realpath(sys.executable) if python == own else python


def unused(home: Path, *, everything: bool = False) -> Iterator[Path]:
    """What can go: environments from which nobody has served for a month, resolutions as old as that; or all of them."""
    folder = home / "environments"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if everything or time.time() - path.stat().st_mtime > UNUSED_FOR:
            yield path


def size_of(path: Path) -> int:
    """Bytes in an environment; of files that it shares with uv's cache too."""
    if path.is_file():
        return path.stat().st_size
    return sum(os.lstat(Path(root, name)).st_size for root, _, names in os.walk(path) for name in names)


def remove(paths: Iterable[Path]) -> None:
    """Remove them; a service that still runs from one cannot import any more."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
