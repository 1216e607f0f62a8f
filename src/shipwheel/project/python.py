"""Which Python the image has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import basename

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.folder import Folder, read_text
from shipwheel.project.requirements import Requirements, poetry_specifier
from shipwheel.project.rules import COMPOSED
from shipwheel.project.settings import PYPROJECT

DEBIAN_PYTHONS = {"3.11": "3.11.2", "3.13": "3.13.5"}
"""Minor versions that the composed base has, by preference, each with the release that Debian ships (bookworm, trixie)."""

VERSION_FILE = ".python-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonChoice:
    """A minor version such as 3.11, and why; empty: whatever the base from a registry has, held to `demands` at lock."""

    version: str
    why: str
    demands: tuple[Demand, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a file says of Python: a specifier, and the minor version where it names exactly one."""

    where: str
    specifier: str

    @property
    def minor(self) -> str:
        """Such as 3.11; empty where the specifier admits several."""
        match = re.fullmatch(r"(?:===?|~=)\s*(3\.\d+)(?:\.(?:\d+|\*))?", self.specifier)
        return match[1] if match and not (self.specifier.startswith("~=") and self.specifier.count(".") < 2) else ""


def choose_python(folder: Folder, requirements: Requirements, trained: str = "") -> PythonChoice:
    """The version that the settings, the lock, .python-version or requires-python ask for; else that of training (3.11.7),
    or the nearest that is older; else the base's first.

    Raises:
        ProjectError: they contradict each other, or the base has no such Python.
    """
    demands = tuple(_demands(folder, requirements))
    exact = next((demand for demand in demands if demand.minor), None)
    on_debian = folder.settings.base == COMPOSED
    if exact:
        if on_debian and exact.minor not in DEBIAN_PYTHONS:
            raise _lacking(f"Python {exact.minor} ({exact.where})")
        refusing = [demand for demand in demands if not _admits(demand, exact.minor, on_debian=on_debian)]
        if refusing:
            raise _contradiction([exact, *refusing], on_debian=on_debian)
        return PythonChoice(version=exact.minor, why=exact.where, demands=demands)
    if not on_debian:
        return PythonChoice(version="", why=f"what {folder.settings.base} has", demands=demands)
    allowed = [version for version in DEBIAN_PYTHONS if all(_admits(d, version, on_debian=True) for d in demands)]
    if not allowed:
        raise _lacking(" and ".join(f"Python {demand.specifier} ({demand.where})" for demand in demands))
    asked = ", ".join(f"{demand.where} {demand.specifier}" for demand in demands)
    if re.match(r"3\.\d+", trained):
        return _as_trained(trained, allowed, asked)
    return PythonChoice(version=allowed[0], why=f"the base's first that fits {asked}" if asked else "the default")


def _as_trained(trained: str, allowed: list[str], asked: str) -> PythonChoice:
    """Packages that were there for a Python mostly are there for the one before it, and not yet for the one after it."""
    older = [version for version in allowed if _minor(version) <= _minor(trained)]
    version = max(older, key=_minor) if older else min(allowed, key=_minor)
    if trained.startswith(f"{version}."):
        return PythonChoice(version=version, why=f"the model was trained with {trained}")
    lacking = f"what {asked} leaves of the base" if asked else "the base"
    return PythonChoice(version=version, why=f"the model was trained with {trained}; {lacking} has nothing nearer")


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _demands(folder: Folder, requirements: Requirements) -> Iterator[Demand]:
    """In the order in which they are believed."""
    if folder.settings.python:
        yield Demand(where=f"python in {folder.settings_file}", specifier=f"=={folder.settings.python}.*")
    yield from _demands_of_base(folder)
    for specifier in requirements.python:
        yield Demand(where=requirements.files[0].name, specifier=specifier)
    if version := _version_file(folder):
        yield Demand(where=VERSION_FILE, specifier=f"=={version}.*")
    requires = folder.table("project").get("requires-python")
    if isinstance(requires, str) and requires.strip():
        yield Demand(where="requires-python", specifier=requires)
    poetry = folder.table("tool", "poetry", "dependencies").get("python")
    if isinstance(poetry, str) and poetry_specifier(poetry):
        yield Demand(where="Poetry's python", specifier=poetry_specifier(poetry))


def _demands_of_base(folder: Folder) -> Iterator[Demand]:
    """What the name of the interpreter, or an official image's tag, says of it."""
    named = re.fullmatch(r"python(3\.\d+)", basename(folder.settings.base_python or ""))
    if named:
        yield Demand(where=f"base-python in {folder.settings_file}", specifier=f"=={named[1]}.*")
    tagged = re.search(r"(?:^|/)python:(3\.\d+)(?![^.@-])", folder.settings.base)
    if tagged and not folder.settings.base_python:
        yield Demand(where=f"base in {folder.settings_file}", specifier=f"=={tagged[1]}.*")


def check_base_python(demands: Iterable[Demand], version: str, base: str) -> None:
    """That the Python of a base from a registry, 3.12.7 or only 3.12, is what the project asks for.

    Raises:
        ProjectError: it is not.
    """
    refusing = [demand for demand in demands if not _admits_any(demand, _releases(version))]
    if refusing:
        problems = [Problem(message=f"Python {demand.specifier}", path=demand.where) for demand in refusing]
        hint = "change the demand, or choose a base with that Python"
        raise ProjectError(f"{base} has Python {version}, the project asks for another", problems, hint=hint)


def _releases(version: str) -> list[str]:
    return [version] if version.count(".") > 1 else [f"{version}.{micro}" for micro in range(40)]


def _version_file(folder: Folder) -> str:
    """The minor version in .python-version (pyenv, uv); its other forms (pypy, a virtual environment) say nothing here."""
    if not folder.has(VERSION_FILE):
        return ""
    lines = [line.strip() for line in read_text(folder.root / VERSION_FILE, VERSION_FILE).splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), "")
    match = re.fullmatch(r"(?:cpython[-@])?(3\.\d+)(?:\.\d+)?", first)
    return match[1] if match else ""


def _admits(demand: Demand, minor: str, *, on_debian: bool) -> bool:
    if demand.minor and demand.where == VERSION_FILE:
        return demand.minor == minor
    return _admits_any(demand, [DEBIAN_PYTHONS[minor]] if on_debian else _releases(minor))


def _admits_any(demand: Demand, releases: Iterable[str]) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifiers = SpecifierSet(demand.specifier)
    except InvalidSpecifier:
        problem = Problem(file=PYPROJECT, path=demand.where, message=f"'{demand.specifier}' is not a version specifier")
        raise ProjectError("a demand on Python that cannot be read", [problem], hint='write it as ">=3.11"') from None
    return any(specifiers.contains(release, prereleases=True) for release in releases)


def _contradiction(demands: list[Demand], *, on_debian: bool) -> ProjectError:
    problems = [Problem(message=f"Python {demand.specifier}", path=demand.where) for demand in dict.fromkeys(demands)]
    names = " and ".join(f"{minor} ({release})" for minor, release in DEBIAN_PYTHONS.items())
    hint = f"make them agree; the debian base has {names}" if on_debian else "make them agree, or choose another base"
    return ProjectError("the project asks for Pythons that exclude each other", problems, hint=hint)


def _lacking(wanted: str) -> ProjectError:
    names = " and ".join(f"{minor} ({release})" for minor, release in DEBIAN_PYTHONS.items())
    return ProjectError(
        f"the debian base has no {wanted}; it has {names}",
        hint='change the demand, for example python = "3.13", or take base = "python:3.12-slim" under [tool.shipwheel]',
    )
