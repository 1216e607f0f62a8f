"""`known_needs`: what packages open while they run, or call as programs: their files' headers say nothing of it.

The facts are in `data/native.toml`, each with the file that opens or calls and the version that was read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from packaging.specifiers import SpecifierSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Of one package: `libraries` as the loader is asked for them (libsndfile.so.1), `programs` as they are called (ffmpeg).

    What a Debian release lacks of the libraries is no loss: the names of several releases stand side by side. `optional`
    are files of the package (fnmatch, from the folder of modules on) that it does without where their libraries are not
    there: what they need is not missing. `why` says what opens or calls: "opened by soundfile.py of soundfile".
    """

    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One table of the data: `looked_at` is the version of the package that was read, `source` where its project is.

    It counts for `versions` of the package, not where one of the packages `unless_beside` is there too, and with `only_direct`
    only where the project itself asks for the package: others do without that part of it.
    """

    by: str
    looked_at: str
    source: str
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    versions: str = ""
    unless_beside: tuple[str, ...] = ()
    only_direct: bool = False

    def counts(self, version: str, direct: bool, beside: Collection[str]) -> bool:
        """Whether it says something of this version, among these other packages."""
        fits = SpecifierSet(self.versions).contains(version, prereleases=True)
        return fits and (direct or not self.only_direct) and not set(self.unless_beside) & set(beside)

    @property
    def verb(self) -> str:
        """What the package does with what it needs."""
        return "used" if self.libraries and self.programs else "called" if self.programs else "opened"


def known_needs(
    package: str, version: str, bundled: frozenset[str], *, direct: bool = True, beside: Collection[str] = ()
) -> Known:
    """What is known of `package` (normalised name) beyond its files' headers; `bundled` are names of ELF files in its wheel.

    `direct` says whether the project's own requirements name it, `beside` are the other packages of the environment.
    """
    entries = [each for each in known().get(package, ()) if each.counts(version, direct, beside)]
    return Known(
        libraries=tuple(name for each in entries for name in each.libraries if not _brings_library(bundled, name)),
        programs=tuple(name for each in entries for name in each.programs if not _brings_program(bundled, name)),
        optional=tuple(pattern for each in entries for pattern in each.optional),
        why=", ".join(f"{each.verb} by {each.by} of {package}" for each in entries if each.libraries or each.programs),
    )


@cache
def known() -> Mapping[str, tuple[Entry, ...]]:
    """All that is known, by package."""
    data = tomllib.loads(files("shipwheel").joinpath("data", "native.toml").read_text("utf-8"))
    return MappingProxyType({name: tuple(map(_entry, tables)) for name, tables in data["package"].items()})


def _entry(table: Mapping[str, object]) -> Entry:
    values = {key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Entry(**values)  # type: ignore[arg-type]  # tests/unit/native/test_known.py reads every entry


def _brings_library(bundled: Collection[str], library: str) -> bool:
    """libsndfile_x86_64.so and libsndfile-1a2b3c4d.so.1 (auditwheel) stand for libsndfile.so.1."""
    stem = library.partition(".so")[0]
    return any(name.startswith((f"{stem}.so", f"{stem}-", f"{stem}_")) for name in bundled)


def _brings_program(bundled: Collection[str], program: str) -> bool:
    """ffmpeg-linux-x86_64-v7.0.2 stands for ffmpeg."""
    return any(name == program or name.startswith(f"{program}-") for name in bundled)
