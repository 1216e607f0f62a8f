"""`Tree`: the files of one layer as a sorted, checked value. The one place that decides what a layer may hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from posixpath import normpath
from typing import BinaryIO

from shipwheel.errors import Problem, TreeError

USRMERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Top-level names that are links into usr/ on a merged-usr system (Debian: `usrmerge`)."""

_USUAL = 0o755
"""The mode of a directory that nobody has thought about."""


class Kind(Enum):
    """What an entry is; nothing else may stand in a layer."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflated:
    """A file's bytes as they already lie deflated (RFC 1951) somewhere, as in a wheel."""

    open: Callable[[], BinaryIO]
    size: int
    crc32: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, directory or symlink; `path` is relative to the root, with `/` and without a leading one.

    `size` is in bytes, `sha256` (hex) is checked while the layer is packed, `deflated` lets the packer copy instead of
    compress, `origin` names in errors what the file was taken from.
    """

    path: str
    kind: Kind
    mode: int
    size: int = 0
    open: Callable[[], BinaryIO] | None = None
    target: str = ""
    sha256: str = ""
    deflated: Deflated | None = None
    origin: str = ""

    @classmethod
    def directory(cls, path: str, mode: int = 0o755) -> Entry:
        """A directory."""
        return cls(path=path, kind=Kind.DIRECTORY, mode=mode)

    @classmethod
    def symlink(cls, path: str, target: str) -> Entry:
        """A symbolic link to `target`, kept as it is written."""
        return cls(path=path, kind=Kind.SYMLINK, mode=0o777, target=target)

    @classmethod
    def data(cls, path: str, data: bytes, mode: int = 0o644) -> Entry:
        """A file whose bytes are in memory."""
        return cls(path=path, kind=Kind.FILE, mode=mode, size=len(data), open=lambda: io.BytesIO(data))

    @classmethod
    def file(cls, path: str, source: Path, size: int, mode: int = 0o644) -> Entry:
        """A file whose bytes lie in `source`."""
        return cls(path=path, kind=Kind.FILE, mode=mode, size=size, open=lambda: source.open("rb"))

    def read(self) -> bytes:
        """All bytes of a file."""
        if self.open is None:
            return b""
        with self.open() as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Tree:
    """Entries sorted by path, every parent directory present, nothing twice, nothing outside the root."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry], *, origin: str = "tree", merge_usr: bool = True, case_clash: bool = True) -> Tree:
        """Check and sort `entries`; `origin` names them in errors, `case_clash` refuses names that differ in case only.

        Directories may repeat, and a mode other than 0755 wins; parents that are missing are added with mode 0755.

        Raises:
            TreeError: all faults at once: absolute or escaping paths, duplicates, entries below a non-directory, links
                that leave the root, names that some file systems take for the same.
        """
        problems: list[Problem] = []
        found: dict[str, Entry] = {}
        for given in entries:
            fault = _fault(given)
            if fault:
                problems.append(Problem(message=fault, path=given.path))
                continue
            entry = _merged(given) if merge_usr else given
            other = found.get(entry.path)
            if other is None:
                found[entry.path] = entry
            elif not (entry.kind is other.kind is Kind.DIRECTORY):
                problems.append(Problem(message="stands there twice", path=entry.path))
            elif entry.mode != other.mode and _USUAL not in (entry.mode, other.mode):
                problems.append(Problem(message=f"has the modes {other.mode:o} and {entry.mode:o}", path=entry.path))
            elif other.mode == _USUAL:
                found[entry.path] = entry
        problems += _add_parents(found)
        if case_clash:
            problems += _case_clashes(found)
        if problems:
            raise TreeError(f"{origin} holds paths that no layer may hold:", problems)
        return cls(tuple(found[path] for path in sorted(found, key=_order)))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def unpacked(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def get(self, path: str) -> Entry | None:
        """The entry at `path`, if any."""
        return next((entry for entry in self.entries if entry.path == path), None)


def merge(trees: Iterable[Tree], *, origin: str = "tree", case_clash: bool = True) -> Tree:
    """One tree of several; directories may be shared, anything else only once."""
    return Tree.of((entry for tree in trees for entry in tree), origin=origin, case_clash=case_clash)


def _order(path: str) -> list[str]:
    return path.split("/")


def _fault(entry: Entry) -> str:
    path = entry.path
    if not _is_text(path) or not _is_text(entry.target):
        return "a name that is not UTF-8"
    if not 0 <= entry.mode <= 0o7777 or entry.size < 0:
        return f"a mode or size that cannot be: {entry.mode:o}, {entry.size}"
    parts = path.split("/")
    if not path or path.startswith("/"):
        return "an absolute or empty path"
    if any(part in ("", ".", "..") for part in parts):
        return "a path with '..', '.' or an empty part"
    if "\0" in path or "\\" in path:
        return "a path with a null byte or a backslash"
    if any(part.startswith(".wh.") for part in parts):
        return "a name that means 'deleted' in a layer"
    if any(len(part.encode()) > 255 for part in parts):
        return "a name longer than 255 bytes"
    if entry.kind is Kind.SYMLINK:
        return _link_fault(parts, entry.target)
    return ""


def _is_text(name: str) -> bool:
    """Whether it can be encoded: Python keeps foreign bytes of file names as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _link_fault(parts: list[str], target: str) -> str:
    if not target or "\0" in target:
        return "a link to nowhere"
    depth = 0 if target.startswith("/") else len(parts) - 1
    for part in target.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return f"a link out of the root, to '{target}'"
    return ""


def _merged(entry: Entry) -> Entry:
    top, _, rest = entry.path.partition("/")
    if top not in USRMERGED or (not rest and entry.kind is Kind.SYMLINK):
        return entry
    target = entry.target
    if entry.kind is Kind.SYMLINK and not target.startswith("/"):
        meant = normpath(f"{entry.path.rpartition('/')[0]}/{target}")
        target = target if meant.partition("/")[0] in USRMERGED else f"/{meant}"
    return replace(entry, path=f"usr/{entry.path}", target=target)


def _add_parents(found: dict[str, Entry]) -> list[Problem]:
    problems = []
    for path in list(found):
        above = path.rpartition("/")[0]
        while above and above not in found:
            found[above] = Entry.directory(above)
            above = above.rpartition("/")[0]
        if above and found[above].kind is not Kind.DIRECTORY:
            problems.append(Problem(message=f"is a {found[above].kind.value} with entries below it", path=above))
    return problems


def _case_clashes(found: dict[str, Entry]) -> list[Problem]:
    folded: dict[str, str] = {}
    problems = []
    for path in found:
        other = folded.setdefault(path.casefold(), path)
        if other != path:
            problems.append(Problem(message=f"differs from '{other}' in case only", path=path))
    return problems
