"""uv's resolution of a request, in the format of PEP 751: compiled, exported from uv.lock, or read as it is."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.errors import ResolveError
from shipwheel.lock import Built, Wheel
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.request import RUNTIME, WheelRequest
from shipwheel.resolve.uv import Uv, failure
from shipwheel.runtime import NAME, runtime_wheel

if TYPE_CHECKING:
    from packaging.pylock import Pylock

_COMPLETE = frozenset({"poetry.lock", "Pipfile.lock"})
"""Lines that name every package: nothing must be added to them."""


def resolution(request: WheelRequest, folder: Path) -> tuple[Pylock, Path]:
    """The resolution in the format of PEP 751, and the folder that paths in it are relative to."""
    from packaging.pylock import Pylock, PylockValidationError

    kind, files = request.requirements.kind, request.requirements.files
    if kind in ("pylock", "uv.lock") and (request.upgrade.all or request.upgrade.names):
        command = "uv lock --upgrade" if kind == "uv.lock" else "the tool that wrote it"
        raise ResolveError(f"the versions stand in {files[0].name}, not in shipwheel.lock", hint=f"upgrade with {command}")
    if kind == "pylock":
        path, base = files[0], files[0].parent
    else:
        path, base = folder / "pylock.toml", folder
        (_export if kind == "uv.lock" else _compile)(request, path)
    try:
        return Pylock.from_dict(tomllib.loads(path.read_text("utf-8"))), base
    except (PylockValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ResolveError(f"{path.name} cannot be used: {error}", hint="write it anew with the tool that made it") from None


def _uv(request: WheelRequest) -> Uv:
    return Uv(folder=request.root, env={**request.env, **request.indexes.environment()})


def _flags(flag: str, values: Iterable[str]) -> list[str]:
    return [each for value in values for each in (flag, value)]


def _export(request: WheelRequest, path: Path) -> None:
    """From uv.lock, as it is: `--frozen` neither checks nor changes it."""
    needs = request.requirements
    chosen = [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)]
    fixed = ["--frozen", "--format", "pylock.toml", "--no-default-groups", "--no-editable", "--no-header", "--quiet"]
    done = _uv(request).run(["export", *fixed, *chosen, "--output-file", str(path), "--project", str(needs.files[0].parent)])
    if done.returncode:
        raise failure("uv.lock cannot be read", done.stderr)


def _compile(request: WheelRequest, path: Path) -> None:
    """Resolve with uv; an output file that is there already holds the versions to prefer."""
    needs = request.requirements
    _write_preferences(request, path)
    arguments = ["pip", "compile", *_sources(needs), "--format", "pylock.toml", "--output-file", str(path), "--quiet"]
    arguments += ["--no-header", "--python-version", request.target.python, "--python-platform", request.target.uv_platform]
    arguments += [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)] if needs.kind == "pyproject" else []
    arguments += ["--no-deps"] if needs.kind in _COMPLETE else []
    settled = [str(_write_constraints(request, path.parent)), *request.env.get("UV_CONSTRAINT", "").split()]
    arguments += _flags("--constraint", settled)
    if request.upgrade.all:
        arguments += ["--refresh" if path.exists() else "--upgrade"]
    arguments += _flags("--upgrade-package", sorted(request.upgrade.names))
    stdin = "".join(f"{line}\n" for line in needs.pinned) if needs.pinned else ""
    done = _uv(request).run(arguments, stdin)
    if done.returncode:
        what = (
            f"the runtime, {NAME}, cannot be added to" if needs.kind == RUNTIME else "the requirements cannot be resolved for"
        )
        raise failure(f"{what} {request.target.platform}", done.stderr)


def _sources(needs: Requirements) -> list[str]:
    """The files to name: those that no other one includes; `-` for lines that come through stdin."""
    if needs.kind not in ("requirements", "pyproject"):
        return ["-"]
    if needs.kind == "pyproject":
        return [str(needs.files[0])]
    included: set[Path] = set()
    for path in needs.files:
        for match in re.finditer(
            r"^\s*-(?:[rc]|-requirement|-constraint)[\s=]*(\S+)", path.read_text("utf-8", "replace"), re.M
        ):
            included.add(Path(os.path.normpath(path.parent / match[1])))
    return [str(path) for path in needs.files if Path(os.path.normpath(path)) not in included or path == needs.files[0]]


def _write_constraints(request: WheelRequest, folder: Path) -> Path:
    """Versions that are settled, and the runtime's own wheel, for whoever asks for it: no index is asked for that name."""
    wheel = runtime_wheel().write(folder)
    path = folder / "constraints.txt"
    lines = (f"{NAME} @ {wheel.as_uri()}", *request.requirements.constraints)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def _write_preferences(request: WheelRequest, path: Path) -> None:
    """What should stay, for uv to find: versions of training, and of the last lock, where `--upgrade` does not move them all.

    A model is not moved from what it was trained with by an upgrade of everything; that takes the package's name.
    """
    previous = (
        {}
        if request.previous is None or request.upgrade.all
        else dict(versions(request.previous.wheels, request.previous.built))
    )
    known = {**previous, **request.trained} if request.retrained else {**request.trained, **previous}
    pairs = {(name, text) for name, version in known.items() for text in (version, version.partition("+")[0])}
    packages = "".join(f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(pairs))
    if packages:
        path.write_text(f'lock-version = "1.0"\ncreated-by = "shipwheel"\n{packages}')


def versions(wheels: Iterable[Wheel], built: Iterable[Built]) -> Iterator[tuple[str, str]]:
    """Names and versions of files whose versions an index knows."""
    yield from ((each.name, each.version) for each in wheels)
    yield from ((each.name, each.version) for each in built if each.kind == "sdist")
