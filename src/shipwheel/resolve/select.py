"""From a resolution (PEP 751) to one file per package: the wheel that fits best, or the source to build one from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from shipwheel.credentials import redact
from shipwheel.errors import ResolveError
from shipwheel.lock import Built, Wheel
from shipwheel.resolve.glibc import newer, remedy, wants
from shipwheel.resolve.simple import IndexFile, normalise
from shipwheel.resolve.target import Target, is_pure

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock


CARRIED = "shipwheel:"
"""The address of what shipwheel brings itself."""

_SOURCES = {"file": "find-links", "shipwheel": "shipwheel"}
"""What a lock calls places of files, by their schemes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that could be taken; `sha256` may be empty and `size` 0 while nobody has asked."""

    filename: str = ""
    url: str = ""
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One package's file. `kind`: wheel, sdist, git or path.

    `native` says that the package has wheels for other platforms only, so its source is not pure. `url`, `commit` and
    `subdirectory` are for git, `path` for a folder of this machine.
    """

    name: str
    version: str
    kind: str
    file: Candidate = Candidate()
    native: bool = False
    url: str = ""
    commit: str = ""
    subdirectory: str = ""
    path: Path | None = None

    def as_wheel(self) -> Wheel:
        """For the lock."""
        return Wheel(
            name=self.name,
            version=self.version,
            filename=self.file.filename,
            sha256=self.file.sha256,
            size=self.file.size,
            source=_SOURCES.get(self.file.url.partition(":")[0], "index"),
        )

    def as_built(self, root: Path) -> Built:
        """For the lock of the project in `root`."""
        if self.kind == "sdist":
            file = self.file
            return Built(
                name=self.name,
                version=self.version,
                kind="sdist",
                filename=file.filename,
                sha256=file.sha256,
                size=file.size,
                subdirectory=self.subdirectory,
            )
        if self.kind == "git":
            url, commit, inside = redact(self.url), self.commit, self.subdirectory
            return Built(name=self.name, version=self.version, kind="git", url=url, commit=commit, subdirectory=inside)
        path = os.path.relpath(self.path or root, root)
        return Built(name=self.name, version=self.version, kind="path", path=Path(path).as_posix())


def choose(pylock: Pylock, target: Target, base: Path, wanted: tuple[frozenset[str], frozenset[str]]) -> tuple[Choice, ...]:
    """One choice per package whose marker holds on the target; `base` is what paths in the file are relative to.

    `wanted` are the extras and dependency groups (an empty set of groups: the file's default ones).

    Raises:
        ResolveError: the file is for other Pythons or environments, names a package twice, or has no file that fits.
    """
    environment = target.environment()
    _check_python(pylock, environment)
    extras, groups = wanted
    context = {**environment, "extras": extras, "dependency_groups": groups or frozenset(pylock.default_groups or ())}
    chosen: dict[str, Choice] = {}
    missing: dict[str, list[str]] = {}
    for package in pylock.packages:
        if package.marker and not package.marker.evaluate(cast("dict[str, Any]", context), context="lock_file"):
            continue
        if package.name in chosen:
            raise ResolveError(f"{package.name} is meant in two versions for {target.platform}")
        choice = _choice(package, target, base)
        if choice is None:
            files = [package.archive] if package.archive else package.wheels or ()
            missing[f"{package.name} {package.version or ''}".strip()] = [_candidate(each, base).filename for each in files]
        else:
            chosen[package.name] = choice
    if missing:
        raise _unavailable(missing, target)
    return tuple(chosen.values())


def _unavailable(missing: Mapping[str, Sequence[str]], target: Target) -> ResolveError:
    """For packages, each with the names of its wheels."""
    needed = {name: found for name, files in missing.items() if (found := newer(files, target))}
    what = f"no wheel of {', '.join(missing)} for {target.platform} and Python {target.python}, and no source to build it from"
    hints = {remedy(missing[name], found, target) for name, found in needed.items()}
    alike = len(hints) == 1 and needed.keys() == missing.keys()
    return ResolveError(
        "\n".join([what, *(f"  {wants(name, found, target)}" for name, found in needed.items())]),
        hint=hints.pop() if alike else "choose a version that has one, or another Python",
    )


def _check_python(pylock: Pylock, environment: dict[str, str]) -> None:
    full = environment["python_full_version"]
    if pylock.requires_python and not pylock.requires_python.contains(full, prereleases=True):
        raise ResolveError(f"the lock file is for Python {pylock.requires_python}, the image has {full}", hint="set 'python'")
    if pylock.environments and not any(each.evaluate(dict(environment)) for each in pylock.environments):
        named = "; ".join(str(each) for each in pylock.environments)
        raise ResolveError(f"the lock file is for other environments only: {named}", hint="lock for this platform too")


def _choice(package: Package, target: Target, base: Path) -> Choice | None:
    name, version = package.name, str(package.version or "")
    if package.vcs:
        vcs = package.vcs
        url = vcs.url or (base / str(vcs.path)).resolve().as_uri()
        inside = vcs.subdirectory or ""
        return Choice(name=name, version=version or "dynamic", kind="git", url=url, commit=vcs.commit_id, subdirectory=inside)
    if package.directory:
        folder = (base / package.directory.path / (package.directory.subdirectory or "")).resolve()
        return Choice(name=name, version=version or project_version(folder), kind="path", path=folder)
    if package.archive:
        archive = package.archive
        file = _candidate(archive, base)
        kind = "wheel" if file.filename.endswith(".whl") else "sdist"
        if kind == "wheel" and target.best([(file.filename, file)]) is None:
            return None
        return Choice(name=name, version=version, kind=kind, file=file, subdirectory=archive.subdirectory or "")
    wheels = [_candidate(each, base) for each in package.wheels or ()]
    best = target.best((each.filename, each) for each in wheels)
    if best:
        return Choice(name=name, version=version, kind="wheel", file=best)
    if package.sdist:
        native = bool(wheels) and not any(is_pure(each.filename) for each in wheels)
        return Choice(name=name, version=version, kind="sdist", file=_candidate(package.sdist, base), native=native)
    return None


def _candidate(file: PackageWheel | PackageSdist | Any, base: Path) -> Candidate:
    url = file.url or (base / str(file.path)).resolve().as_uri()
    filename = getattr(file, "name", None) or unquote(urlsplit(url).path.rpartition("/")[2])
    return Candidate(filename=filename, url=url, sha256=file.hashes.get("sha256", ""), size=file.size or 0)


def project_version(folder: Path) -> str:
    """The version that a folder's pyproject.toml states; `dynamic` where its build decides."""
    import tomllib

    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
        return str(project.get("version", "dynamic"))
    except (OSError, ValueError, AttributeError):
        return "dynamic"


def from_files(name: str, version: str, files: Sequence[IndexFile], target: Target) -> Choice | None:
    """The best of these files for that version: a wheel that fits, else an sdist."""
    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

    def fits(file: IndexFile) -> bool:
        try:
            parse = parse_wheel_filename if file.filename.endswith(".whl") else parse_sdist_filename
            found = parse(file.filename)
        except (InvalidWheelFilename, InvalidSdistFilename):
            return False
        return normalise(found[0]) == normalise(name) and str(found[1]) == version

    fitting = [
        Candidate(filename=each.filename, url=each.url, sha256=each.sha256, size=each.size) for each in files if fits(each)
    ]
    if best := target.best((each.filename, each) for each in fitting):
        return Choice(name=name, version=version, kind="wheel", file=best)
    sdist = next((each for each in fitting if not each.filename.endswith(".whl")), None)
    return Choice(name=name, version=version, kind="sdist", file=sdist) if sdist else None
