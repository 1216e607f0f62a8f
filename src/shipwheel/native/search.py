"""`Environment`: the native files of all packages together, and where the dynamic loader looks for what one of them needs.

Source: ld.so(8), "DESCRIPTION" and "Dynamic string tokens"; glibc, elf/dl-load.c (whose RPATH counts for whom).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename, dirname, normpath

from shipwheel.native.elf import Elf
from shipwheel.native.optional import is_optional, is_plugin

PROJECT = "the project"
"""The owner of native files that lie in the project's folder."""

VENV, APP = "opt/venv", "app"
"""Where packages and the project lie in an image; absolute folders of DT_RPATH are compared with them."""

_MUSL = ("libc.musl-", "ld-musl-")
_MUSL_OR_ANDROID = "libc.so"
"""Nothing that is made for glibc needs it: there it is called libc.so.6."""


@dataclass(frozen=True, slots=True)
class File:
    """A native file and the package that it comes with."""

    owner: str
    elf: Elf

    @property
    def place(self) -> str:
        """Its path in an image, without a leading slash."""
        return f"{APP if self.owner == PROJECT else VENV}/{self.elf.path}"

    @property
    def shown(self) -> str:
        """Its path as a person calls it: what is imported, without the folder of all packages."""
        return self.elf.path.rpartition("/site-packages/")[2]

    def folders(self, inherited: Iterable[str] = ()) -> tuple[str, ...]:
        """Where the loader looks for what this file needs; `inherited` are folders of DT_RPATH of those that load it."""
        if self.elf.runpath:
            return tuple(self._expanded(self.elf.runpath))
        return (*self._expanded(self.elf.rpath), *inherited)

    def handed_on(self, inherited: Iterable[str]) -> frozenset[str]:
        """The folders that count for what this file loads, too: DT_RPATH, which DT_RUNPATH beside it makes void."""
        return frozenset(inherited if self.elf.runpath else (*self._expanded(self.elf.rpath), *inherited))

    def _expanded(self, folders: Iterable[str]) -> Iterator[str]:
        origin = f"/{dirname(self.place)}"
        tokens = {"ORIGIN": origin, "LIB": f"lib/{self.elf.machine}-linux-gnu", "PLATFORM": self.elf.machine}
        for folder in folders:
            expanded = folder
            for token, value in tokens.items():
                expanded = expanded.replace(f"${{{token}}}", value).replace(f"${token}", value)
            if expanded.startswith("/"):
                yield normpath(expanded).lstrip("/")


class Environment:
    """All files that the loader of one machine (`x86_64`; empty: of any) can load, sorted by owner and path."""

    def __init__(self, owners: Mapping[str, Sequence[Elf]], machine: str = "") -> None:
        files = [File(owner, elf) for owner, elves in owners.items() for elf in elves if _loadable(elf, machine)]
        self.files = sorted(files, key=lambda file: (file.owner, file.elf.path))
        self._at = {file.place: file for file in self.files}
        self._called: dict[str, list[File]] = defaultdict(list)
        for file in self.files:
            for name in {file.elf.soname, basename(file.elf.path)} - {""} if not is_plugin(file.elf.path) else ():
                self._called[name].append(file)
        self._inherited = self._inherit()

    def found(self, file: File, name: str) -> tuple[File, ...]:
        """What the loader may find for a `name` that `file` needs: where it looks, else anywhere in the same package.

        In the package, because its modules load what others of it need first, as those of torch do.
        """
        reached = self._reached(file, name, self._inherited.get(file.place, frozenset()))
        return (reached,) if reached else tuple(each for each in self.called(name) if each.owner == file.owner)

    def called(self, name: str) -> Sequence[File]:
        """All files of this name or DT_SONAME; no plugins, which are there only for whoever asks."""
        return self._called.get(basename(name), ())

    def necessary(self) -> frozenset[str]:
        """Places of the files that matter: all but those that `is_optional`, and what only plugins load.

        What only tests load counts, too: packages open such libraries by ctypes, which no file tells.
        """
        loaded_by_plugins = self._loaded_for(file for file in self.files if is_plugin(file.elf.path))
        roots = [file for file in self.files if not is_optional(file.elf.path) and file.place not in loaded_by_plugins]
        return frozenset(self._loaded_for(roots) | {file.place for file in roots})

    def _loaded_for(self, files: Iterable[File]) -> set[str]:
        """Places of all that the loader brings in for these files."""
        loaded: set[str] = set()
        waiting = list(files)
        while waiting:
            file = waiting.pop()
            for name in file.elf.needed:
                for each in self.found(file, name) or self.called(name):
                    if each.place not in loaded:
                        loaded.add(each.place)
                        waiting.append(each)
        return loaded

    def _reached(self, file: File, name: str, inherited: Iterable[str]) -> File | None:
        if "/" in name:
            return self._at.get(normpath(name).lstrip("/"))
        places = (f"{folder}/{name}" for folder in file.folders(inherited))
        return next((self._at[place] for place in places if place in self._at), None)

    def _inherit(self) -> Mapping[str, frozenset[str]]:
        """Folders of DT_RPATH that count for each place because of the files that load it."""
        inherited: dict[str, frozenset[str]] = {}
        waiting = [file for file in self.files if file.elf.rpath and not file.elf.runpath]
        while waiting:
            file = waiting.pop()
            own = inherited.get(file.place, frozenset())
            handed = file.handed_on(own)
            for name in file.elf.needed:
                loaded = self._reached(file, name, sorted(own))
                if loaded and not handed <= inherited.get(loaded.place, frozenset()):
                    inherited[loaded.place] = inherited.get(loaded.place, frozenset()) | handed
                    waiting.append(loaded)
        return {place: frozenset(folders) for place, folders in inherited.items()}


def _loadable(elf: Elf, machine: str) -> bool:
    if machine and elf.machine != machine:
        return False
    return not any(name.startswith(_MUSL) or name == _MUSL_OR_ANDROID for name in (*elf.needed, elf.soname))
