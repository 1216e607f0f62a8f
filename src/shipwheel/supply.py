"""`Supplier`: from a lock to the files that layers are made of: fetched, or built from source on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shipwheel.errors import LockError, StaleLockError
from shipwheel.fetch import FileCache, Wanted, fetch
from shipwheel.layers.bytecode import Interpreter
from shipwheel.layers.interpreter import runs, unpack_interpreter, without_libc
from shipwheel.layers.recipe import Files, Recipe
from shipwheel.lock import Built, Deb, Lock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.plan import Plan
from shipwheel.progress import Progress
from shipwheel.resolve.debian import deb_urls
from shipwheel.resolve.project import Reach, target_for
from shipwheel.resolve.sources import Builder, build_wheel
from shipwheel.resolve.urls import wheel_urls
from shipwheel.runtime import runtime_wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """Brings the files of one lock for one platform; downloads are kept below `home`."""

    lock: Lock
    platform: Platform
    reach: Reach
    home: Path
    progress: Progress

    def built(self, plan: Plan) -> list[tuple[Built, Path]]:
        """What the lock has no wheel for, each with its wheel, built now or before from the same source."""
        built = self.lock.of(self.platform).built
        sdists = self._fetch(self._wanted(each) for each in built if each.kind == "sdist")
        builder = Builder(
            root=plan.project.root,
            cache=self.reach.cache,
            target=target_for(self.lock.python, self.platform, self.lock.of(self.platform).base),
            host=self.reach.host,
            env={**self.reach.env, **self.reach.indexes.environment()},
        )
        return [(each, build_wheel(each, builder, sdists.get(each.sha256))) for each in built]

    def wheels(self) -> Mapping[str, Path]:
        """The locked wheels, by their filenames."""
        locked = self.lock.of(self.platform).wheels
        files = self._fetch(self._wanted(each) for each in locked)
        return {each.filename: files[each.sha256] for each in locked}

    def fetched(self, recipes: Iterable[Recipe]) -> Files:
        """The locked files that these recipes are made of."""
        locked = self.lock.of(self.platform)
        needed = {sha256 for recipe in recipes for sha256 in recipe.files}
        wanted = [self._wanted(file) for file in locked.wheels if file.sha256 in needed]
        wanted += [self._wanted_deb(deb) for deb in locked.debs if deb.sha256 in needed]
        return self._fetch(wanted)

    def interpreter(self) -> Interpreter:
        """The image's interpreter, unpacked for the processor of this machine; with this machine's C library if that will do.

        Raises:
            LockError: the lock has none for it.
        """
        debs = self.lock.interpreters.get(self.reach.host.architecture)
        if debs is None or not sys.platform.startswith("linux"):
            raise LockError(
                f"bytecode cannot be compiled on this machine ({sys.platform}, {self.reach.host.architecture})",
                hint="build on Linux on amd64 or arm64, or with --no-bytecode",
            )
        lean = without_libc(debs)
        if lean != debs and runs(found := self._unpacked(lean)):
            return found
        return self._unpacked(debs)

    def _unpacked(self, debs: Iterable[Deb]) -> Interpreter:
        debs = tuple(debs)
        files = self._fetch(self._wanted_deb(deb) for deb in debs)
        return unpack_interpreter([(deb, files[deb.sha256]) for deb in debs], self.home / "interpreters")

    def _fetch(self, wanted: Iterable[Wanted]) -> Files:
        wanted, files = tuple(wanted), FileCache(self.reach.cache)
        runtime = runtime_wheel()
        if runtime.sha256 in {each.sha256 for each in wanted} and not files.find(runtime.sha256, runtime.size):
            path = files.path(runtime.sha256)
            runtime.write(path.parent, path.name)
        return fetch(wanted, files, self.reach.client, self.progress)

    def _wanted(self, file: Wheel | Built) -> Wanted:
        return Wanted(name=file.filename, sha256=file.sha256, size=file.size, urls=lambda: self._urls(file))

    def _urls(self, file: Wheel | Built) -> Iterable[str]:
        if isinstance(file, Wheel) and file.source == "shipwheel":  # it would be here, were it the one that we carry
            raise StaleLockError(f"locked with another version of the runtime, {file.version}", hint="run 'shipwheel lock'")
        return wheel_urls(file, self.reach.indexes, self.reach.client)

    def _wanted_deb(self, deb: Deb) -> Wanted:
        return Wanted(
            name=f"{deb.name} {deb.version}",
            sha256=deb.sha256,
            size=deb.size,
            urls=lambda: deb_urls(deb, self.reach.archives, self.lock.dates),
        )
