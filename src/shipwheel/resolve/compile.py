"""uv's resolution of a request, in the format of PEP 751: compiled, exported from uv.lock, or read as it is."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.errors import ResolveError
from shipwheel.lock import Built, Wheel
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.request import RUNTIME, WheelRequest
from shipwheel.resolve.simple import normalise
from shipwheel.resolve.uv import Uv, failure
from shipwheel.runtime import NAME, runtime_wheel

if TYPE_CHECKING:
    from packaging.pylock import Pylock

COMPLETE = frozenset({"poetry.lock", "Pipfile.lock"})
"""Lines that name every package: nothing must be added to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How to resolve the same once more: from the index for `backend` (uv's name of one), or with versions to `prefer`.

    Of several versions of one package uv takes the highest that fits.
    """

    backend: str = ""
    prefer: tuple[tuple[str, str], ...] = ()


PLAIN = Tuning()
"""As uv is configured."""


def resolution(request: WheelRequest, folder: Path, tuning: Tuning = PLAIN) -> tuple[Pylock, Path]:
    """The resolution in the format of PEP 751, and the folder that paths in it are relative to.

    `folder` is for files of ours.
    """
    from packaging.pylock import Pylock, PylockValidationError

    kind, files = request.requirements.kind, request.requirements.files
    if kind in ("pylock", "uv.lock") and (request.upgrade.all or request.upgrade.names):
        command = "uv lock --upgrade" if kind == "uv.lock" else "the tool that wrote it"
        raise ResolveError(f"the versions stand in {files[0].name}, not in shipwheel.lock", hint=f"upgrade with {command}")
    if kind == "pylock":
        path, base = files[0], files[0].parent
    else:
        path, base = folder / "pylock.toml", folder
        folder.mkdir(exist_ok=True)
        _export(request, path) if kind == "uv.lock" else _compile(request, path, tuning)
    try:
        return Pylock.from_dict(tomllib.loads(path.read_text("utf-8"))), base
    except (PylockValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ResolveError(f"{path.name} cannot be used: {error}", hint="write it anew with the tool that made it") from None


def _uv(request: WheelRequest) -> Uv:
    return Uv(folder=request.root, env={**request.env, **request.indexes.environment()})


def _flags(flag: str, values: Iterable[str]) -> list[str]:
    return [each for value in values for each in (flag, value)]


def requirers(request: WheelRequest, folder: Path, tuning: Tuning, pins: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Who needs each package of a resolution whose versions are `pins`: packages, and files that name it; by uv's annotations.

    Empty where nobody knows: pylock.toml does not say it.
    """
    kind = request.requirements.kind
    if kind == "pylock":
        return {}
    output, constraints = folder / "annotated.txt", folder / "pins.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), "utf-8")
    if kind == "uv.lock":
        arguments = _export_arguments(request, output, "requirements.txt")
    else:
        arguments = [*_compile_arguments(request, output, tuning), "--constraint", str(constraints)]
    done = _uv(request).run(arguments, _stdin(request))
    return _annotations(output.read_text("utf-8"), request.requirements) if done.returncode == 0 else {}


def _annotations(text: str, needs: Requirements) -> dict[str, tuple[str, ...]]:
    """`NAME==VERSION`, then a line `# via NAME`, or `# via` and lines `#   NAME`; `-r FILE` is a file. Our lines get none."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := re.match(r"(?:-e )?([A-Za-z0-9][\w.-]*)", line):
            name = normalise(match[1])
        elif not line.startswith(" "):
            name = ""
        elif (match := re.match(r"\s+# (?:via |  )(\S.*)", line)) and not match[1].startswith("-c "):
            who = match[1]
            found.setdefault(name, []).append(Path(who[3:]).name if who.startswith("-r ") else who)
    for match in filter(None, (re.match(r"[A-Za-z0-9][\w.-]*", line) for line in needs.pinned)):
        found.setdefault(normalise(match[0]), []).append(needs.files[0].name if needs.files else needs.kind)
    return {name: tuple(who) for name, who in found.items()}


def _export(request: WheelRequest, path: Path) -> None:
    """From uv.lock, as it is: `--frozen` neither checks nor changes it."""
    done = _uv(request).run(_export_arguments(request, path, "pylock.toml"))
    if done.returncode:
        raise failure("uv.lock cannot be read", done.stderr)


def _export_arguments(request: WheelRequest, path: Path, form: str) -> list[str]:
    needs = request.requirements
    chosen = [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)]
    fixed = ["--frozen", "--format", form, "--no-default-groups", "--no-editable", "--no-header", "--quiet"]
    hashes = ["--no-hashes"] if form == "requirements.txt" else []
    return ["export", *fixed, *hashes, *chosen, "--output-file", str(path), "--project", str(needs.files[0].parent)]


def _compile(request: WheelRequest, path: Path, tuning: Tuning) -> None:
    """Resolve with uv; an output file that is there already holds the versions to prefer."""
    needs = request.requirements
    _write_preferences(request, path, tuning.prefer)
    arguments = _compile_arguments(request, path, tuning)
    if request.upgrade.all:
        arguments += ["--refresh" if path.exists() else "--upgrade"]
    arguments += _flags("--upgrade-package", sorted(request.upgrade.names - {name for name, _ in tuning.prefer}))
    done = _uv(request).run(arguments, _stdin(request))
    if done.returncode:
        what = (
            f"the runtime, {NAME}, cannot be added to" if needs.kind == RUNTIME else "the requirements cannot be resolved for"
        )
        raise failure(f"{what} {request.target.platform}", done.stderr)


def _compile_arguments(request: WheelRequest, path: Path, tuning: Tuning) -> list[str]:
    """For uv to write to `path`, in the format that its name says."""
    needs, form = request.requirements, "pylock.toml" if path.suffix == ".toml" else "requirements.txt"
    arguments = ["pip", "compile", *_sources(needs), "--format", form, "--output-file", str(path), "--quiet"]
    arguments += ["--no-header", "--python-version", request.target.python, "--python-platform", request.target.uv_platform]
    arguments += [*_flags("--extra", needs.extras), *_flags("--group", needs.groups)] if needs.kind == "pyproject" else []
    arguments += ["--no-deps"] if needs.kind in COMPLETE else []
    arguments += ["--torch-backend", tuning.backend] if tuning.backend else []
    settled = [str(_write_constraints(request, path.parent)), *request.env.get("UV_CONSTRAINT", "").split()]
    return [*arguments, *_flags("--constraint", settled)]


def _stdin(request: WheelRequest) -> str:
    return "".join(f"{line}\n" for line in request.requirements.pinned)


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


def _write_preferences(request: WheelRequest, path: Path, prefer: tuple[tuple[str, str], ...]) -> None:
    """What should stay, for uv to find: versions of training, and of the last lock, where `--upgrade` does not move them all.

    A model is not moved from what it was trained with by an upgrade of everything; that takes the package's name.
    """
    previous = (
        {}
        if request.previous is None or request.upgrade.all
        else dict(versions(request.previous.wheels, request.previous.built))
    )
    known = {**previous, **request.trained} if request.retrained else {**request.trained, **previous}
    kept = {name: version for name, version in known.items() if name not in dict(prefer)}
    pairs = {(name, text) for name, version in kept.items() for text in (version, version.partition("+")[0])} | set(prefer)
    packages = "".join(f'[[packages]]\nname = "{name}"\nversion = "{version}"\n' for name, version in sorted(pairs))
    if packages:
        path.write_text(f'lock-version = "1.0"\ncreated-by = "shipwheel"\n{packages}')


def versions(wheels: Iterable[Wheel], built: Iterable[Built]) -> Iterator[tuple[str, str]]:
    """Names and versions of files whose versions an index knows."""
    yield from ((each.name, each.version) for each in wheels)
    yield from ((each.name, each.version) for each in built if each.kind == "sdist")
