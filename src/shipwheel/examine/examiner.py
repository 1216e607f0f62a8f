"""`Examiner`: from chosen wheels to the Debian packages that they need and to what they need of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from shipwheel.errors import ResolveError
from shipwheel.examine.facts import Facts, FactsFolder, facts_in, readable
from shipwheel.examine.system import counted, known_of, system_packages
from shipwheel.gpu.cuda import needs_of
from shipwheel.hashes import Hashes
from shipwheel.lock import Lock, PlatformLock
from shipwheel.native.members import elves_of_folder
from shipwheel.native.search import PROJECT
from shipwheel.native.versions import too_new
from shipwheel.plan import Plan
from shipwheel.progress import Progress
from shipwheel.resolve.needs import Chosen, Needs
from shipwheel.resolve.project import Reach
from shipwheel.resolve.target import MACHINES
from shipwheel.supply import Supplier

_SOURCES = (".c", ".cc", ".cpp", ".cu", ".cxx", ".f90", ".pyx", ".rs")
"""A folder with a file of these may be built into native code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Reads wheels, fetched below `home` where they are not there yet."""

    reach: Reach
    home: Path
    progress: Progress

    def __call__(self, chosen: Chosen) -> Needs:
        """What the wheels of one platform need.

        Raises:
            ResolveError: a wheel is made for a newer C library than the base has.
            NetworkError, IntegrityError: a wheel cannot be fetched, or is not what was promised.
        """
        facts = dict(self._facts(chosen))
        all_files = {owner: each.elves for owner, each in facts.items() if each.elves}
        known = known_of(chosen, all_files)
        owners = counted(all_files, known)
        versions = {each.name: each.version for each in chosen.locked.packages}
        machine = MACHINES[chosen.locked.platform.architecture]
        if error := too_new(owners, chosen.glibc, chosen.distribution, machine=machine, releases=versions):
            raise error
        libraries = [library for each in facts.values() for library in each.libraries]
        sonames = {elf.soname for elves in owners.values() for elf in elves if elf.soname}
        packages = system_packages(chosen, owners, known, self.reach.say)
        return Needs(packages=packages, accelerator=needs_of(versions.items(), libraries, sonames))

    def _facts(self, chosen: Chosen) -> Iterator[tuple[str, Facts]]:
        """By package; the project's own files too."""
        python, folder = chosen.project.python, FactsFolder(self.home / "downloads" / "facts")
        files = [*self._wheels(chosen), *self._built(chosen)]
        with ThreadPoolExecutor() as pool:
            read = pool.map(lambda each: folder.of(each[1], each[2], each[0], python), files)
            yield from zip((name for name, _, _ in files), read, strict=True)
        yield PROJECT, facts_in(elves_of_folder(chosen.project.files), PROJECT)

    def _wheels(self, chosen: Chosen) -> Iterator[tuple[str, str, Path]]:
        """Name, sha256 and file of every locked wheel."""
        wheels = readable(chosen.locked)
        files = self._supplier(chosen, replace(chosen.locked, wheels=wheels)).wheels()
        yield from ((each.name, each.sha256, files[each.filename]) for each in wheels)

    def _built(self, chosen: Chosen) -> Iterator[tuple[str, str, Path]]:
        """The same of what is built from source on this machine; what cannot be is left to the build, and said."""
        for each in chosen.locked.built:
            if each.kind == "path" and not _may_be_native(chosen.project.root / each.path):
                continue
            supplier = self._supplier(chosen, replace(chosen.locked, built=(each,)))
            try:
                ((_, path),) = supplier.built(Plan(project=chosen.project, platform=chosen.locked.platform))
            except ResolveError as error:
                why = error.message.partition("\n")[0]
                self.reach.say(f"  {each.name} cannot be built here, so what it needs of the system is not known: {why}")
            else:
                yield each.name, Hashes(self.home / "hashes").sha256(path), path

    def _supplier(self, chosen: Chosen, locked: PlatformLock) -> Supplier:
        lock = Lock(fingerprint="", python=chosen.project.python, suite=chosen.suite, platforms=(locked,))
        return Supplier(lock=lock, platform=locked.platform, reach=self.reach, home=self.home, progress=self.progress)


def _may_be_native(folder: Path) -> bool:
    """Whether building the folder could give native code, by the names of its files."""
    return any(path.suffix in _SOURCES for path in folder.rglob("*") if ".venv" not in path.parts)
