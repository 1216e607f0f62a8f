"""`Reader`: the facts of everything that an image holds: wheels, what is built from source, the project's own files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from shipwheel.errors import ResolveError
from shipwheel.examine.facts import Facts, FactsFolder, facts_in
from shipwheel.hashes import Hashes
from shipwheel.lock import Lock, PlatformLock
from shipwheel.native.members import elves_of_folder
from shipwheel.native.search import PROJECT
from shipwheel.plan import Plan
from shipwheel.progress import Progress
from shipwheel.project import Project
from shipwheel.resolve.project import Reach
from shipwheel.supply import Supplier

CARRIED = "shipwheel"
"""The source of the runtime's wheel, which has no native files."""

_SOURCES = (".c", ".cc", ".cpp", ".cu", ".cxx", ".f90", ".pyx", ".rs")
"""A folder with a file of these may be built into native code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads wheels once, fetched below `home` where they are not there yet."""

    reach: Reach
    home: Path
    progress: Progress

    def read(self, project: Project, locked: PlatformLock) -> Mapping[str, Facts]:
        """The facts by package; those of the project's own files under `PROJECT`.

        Raises:
            WheelError: a wheel that breaks its specification.
            NetworkError, IntegrityError: a wheel cannot be fetched, or is not what was promised.
        """
        files = [*self._wheels(project, locked), *self._built(project, locked)]
        folder = FactsFolder(self.home / "downloads" / "facts")
        with ThreadPoolExecutor() as pool:
            read = pool.map(lambda each: folder.of(each[1], each[2], each[0], project.python), files)
            found = dict(zip((name for name, _, _ in files), read, strict=True))
        return {**found, PROJECT: facts_in(elves_of_folder(project.files), PROJECT)}

    def _wheels(self, project: Project, locked: PlatformLock) -> Iterator[tuple[str, str, Path]]:
        """Name, sha256 and file of every locked wheel; some that call themselves pure (bitsandbytes 0.42) are not."""
        wheels = tuple(each for each in locked.wheels if each.source != CARRIED)
        files = self._supplier(project, replace(locked, wheels=wheels)).wheels()
        yield from ((each.name, each.sha256, files[each.filename]) for each in wheels)

    def _built(self, project: Project, locked: PlatformLock) -> Iterator[tuple[str, str, Path]]:
        """The same of what is built from source on this machine; what cannot be is left to the build, and said."""
        for each in locked.built:
            if each.kind == "path" and not _may_be_native(project.root / each.path):
                continue
            supplier = self._supplier(project, replace(locked, built=(each,)))
            try:
                ((_, path),) = supplier.built(Plan(project=project, platform=locked.platform))
            except ResolveError as error:
                why = error.message.partition("\n")[0]
                self.reach.say(f"  {each.name} cannot be built here, so what it needs of the system is not known: {why}")
            else:
                yield each.name, Hashes(self.home / "hashes").sha256(path), path

    def _supplier(self, project: Project, locked: PlatformLock) -> Supplier:
        lock = Lock(fingerprint="", python=project.python, suite="", platforms=(locked,))
        return Supplier(lock=lock, platform=locked.platform, reach=self.reach, home=self.home, progress=self.progress)


def _may_be_native(folder: Path) -> bool:
    """Whether building the folder could give native code, by the names of its files."""
    return any(path.suffix in _SOURCES for path in folder.rglob("*") if ".venv" not in path.parts)
