"""A Debian package becomes a `Tree`: its files without its scripts, and what scanners need to know it by (deb(5))."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from posixpath import basename, dirname
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from shipwheel.errors import DebError, Problem
from shipwheel.lock import Deb
from shipwheel.oci.blob import CHUNK
from shipwheel.oci.tree import Entry, Kind, Tree

if TYPE_CHECKING:
    from debian.arfile import ArFile, ArMember

LEFT_OUT = MappingProxyType(
    {
        r"usr/share/doc/[^/]+/(?!copyright$).+": "documentation; the copyright file stays",
        r"usr/share/(man|info|doc-base)(/.*)?": "manuals: nobody reads them in a container",
        r"usr/share/locale/.+": "translations of messages; locales themselves (C.UTF-8) stay",
        r"usr/share/(lintian|bug|menu|applications|pixmaps)(/.*)?": "for packagers and desktops",
        r"usr/share/(bash-completion|zsh|fish)(/.*)?": "for interactive shells",
        r"usr/share/gdb(/.*)?|usr/share/gcc/python(/.*)?": "for debuggers",
        r"(usr/)?lib/(systemd|binfmt\.d|tmpfiles\.d|sysusers\.d|udev)(/.*)?": "read by a booted system's services",
        r"etc/(init\.d|cron\.[a-z]+|logrotate\.d)(/.*)?": "read by a booted system's services",
        r"var/(run|lock)(/.*)?": "links to /run in the base",
    }
)
"""Paths of packages that no layer holds, each with the reason."""

_LEFT_OUT = re.compile("|".join(f"(?:{pattern})" for pattern in LEFT_OUT))


def deb_tree(path: Path, deb: Deb, spool: Spool | None = None) -> Tree:
    """The files of the package at `path`, which must be `deb`; nothing of it runs.

    Files lose setuid and setgid and what group and others may write. Hard links become symbolic ones in their folder, and
    copies elsewhere: Mesa's drivers are 24 MB under twelve names. For scanners, as distroless does:
    `var/lib/dpkg/status.d/NAME` is the control stanza, `NAME.md5sums` lists the files. The files' bytes lie in `spool`,
    which several packages may share.

    Raises:
        DebError: not a Debian package, another package, a device or a pipe in it.
        TreeError: paths that no layer may hold.
    """
    try:
        from debian.arfile import ArError, ArFile

        with path.open("rb") as file:
            archive = ArFile(fileobj=file)
            control = _control(archive, deb)
            with _opened(archive, "data.tar", deb) as stream:
                entries = list(_Unpacker(deb, spool or Spool()).entries(stream))
    except (ArError, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise DebError(f"'{path.name}' is not a proper Debian package: {error}", hint="remove it from the cache") from None
    kept = {entry.path for entry in entries}
    return Tree.of([*entries, *_status(control, deb, kept)], origin=f"Debian package {deb.name}", case_clash=False)


def _status(control: dict[str, bytes], deb: Deb, kept: set[str]) -> Iterator[Entry]:
    yield Entry.data(f"var/lib/dpkg/status.d/{deb.name}", control["control"].strip(b"\n") + b"\n")
    lines = control.get("md5sums", b"").decode().splitlines()
    sums = "".join(f"{line}\n" for line in lines if line.partition("  ")[2] in kept)
    yield Entry.data(f"var/lib/dpkg/status.d/{deb.name}.md5sums", sums.encode())


def _control(archive: ArFile, deb: Deb) -> dict[str, bytes]:
    """The files of control.tar, of which two are read; the stanza must be that of the locked package."""
    files = {}
    with _opened(archive, "control.tar", deb) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            source = tar.extractfile(member) if member.isreg() else None
            if source and _relative(member.name) in ("control", "md5sums"):
                files[_relative(member.name)] = source.read()
    fields = dict(re.findall(r"^(Package|Version|Architecture): *(.*?) *$", files.get("control", b"").decode(), re.MULTILINE))
    found = tuple(fields.get(key) for key in ("Package", "Version", "Architecture"))
    if found != (deb.name, deb.version, deb.architecture):
        said = " ".join(str(part) for part in found)
        raise DebError(f"the file of Debian package {deb.name} {deb.version} ({deb.architecture}) says that it is {said}")
    return files


def _opened(archive: ArFile, name: str, deb: Deb) -> AbstractContextManager[IO[bytes]]:
    """The member `name` with whatever suffix its compression gives it, decompressed as it is read."""
    for member in archive.getmembers():
        if member.name == name or member.name.startswith(f"{name}."):
            return _decompressed(member, member.name.removeprefix(name), deb)
    raise DebError(f"Debian package {deb.name} has no {name}", hint="remove it from the cache")


def _decompressed(member: ArMember, suffix: str, deb: Deb) -> AbstractContextManager[IO[bytes]]:
    stream = cast(BinaryIO, member)
    match suffix:
        case "":
            return nullcontext(stream)
        case ".xz" | ".lzma":
            return cast(IO[bytes], lzma.open(stream))
        case ".gz":
            return cast(IO[bytes], gzip.open(stream))
        case ".bz2":
            return cast(IO[bytes], bz2.open(stream))
        case ".zst":
            return _zstd(stream, deb)
    raise DebError(f"Debian package {deb.name} is compressed in an unknown way: {suffix}")


def _zstd(stream: BinaryIO, deb: Deb) -> IO[bytes]:
    """Ubuntu's compression: the standard library reads it from Python 3.14 on (PEP 784), a backport before."""
    for module in ("compression.zstd", "backports.zstd"):
        try:
            return cast(IO[bytes], importlib.import_module(module).open(stream))
        except ImportError:
            continue
    raise DebError(
        f"Debian package {deb.name} is compressed with zstd, which this Python cannot read",
        hint="run shipwheel with Python 3.14 or newer, or install backports.zstd beside it",
    )


class Spool:
    """Bytes of many files in one unnamed temporary file, which goes when the last entry that lies in it goes."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the entries
        self._end = 0

    def __del__(self) -> None:
        self._file.close()

    def add(self, source: IO[bytes]) -> tuple[int, int]:
        """Take all of `source`; its place, for `open`."""
        start = self._end
        while chunk := source.read(CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
            self._end += len(chunk)
        return start, self._end - start

    def open(self, start: int, size: int) -> BinaryIO:
        """A stream over one place; threads may open as many as they like."""
        return cast(BinaryIO, io.BufferedReader(_Window(self, start, size)))

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes, without moving a position that others share."""
        return os.pread(self._file.fileno(), size, start)


class _Unpacker:
    """Reads data.tar once, front to back; what is kept of its files goes to the spool while it passes by."""

    def __init__(self, deb: Deb, spool: Spool) -> None:
        self._deb, self._spool = deb, spool
        self._places: dict[str, tuple[int, int]] = {}

    def entries(self, stream: IO[bytes]) -> Iterator[Entry]:
        """One entry for every member that is kept."""
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="strict") as tar:
            for member in tar:
                path = self._keep(tar, member)
                if path:
                    yield self._entry(member, path)

    def _keep(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
        """The member's path, or "" where it is left out; a file's bytes go to the spool."""
        path = _relative(member.name)
        if not path or _LEFT_OUT.fullmatch(path):
            return "" if member.isdir() or not _is_link_into_doc(member, path) else path
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise self._refused(path, "is a device or a pipe")
        source = tar.extractfile(member) if member.isreg() else None
        if source:
            self._places[path] = self._spool.add(source)
        return path

    def _entry(self, member: tarfile.TarInfo, path: str) -> Entry:
        if member.isdir():
            return Entry.directory(path, member.mode if member.mode in (0o1777, 0o700) else 0o755)
        if member.issym():
            return Entry.symlink(path, member.linkname)
        original = _relative(member.linkname) if member.islnk() else path
        place = self._places.get(original)
        if place is None:
            raise self._refused(path, f"is a hard link to '{member.linkname}', which is not in the package")
        if original != path and dirname(original) == dirname(path):
            return Entry.symlink(path, basename(original))
        mode = 0o755 if member.mode & 0o111 else 0o644
        if not member.mode & 0o004:
            mode &= member.mode | 0o200
        return Entry(path=path, kind=Kind.FILE, mode=mode, size=place[1], open=partial(self._spool.open, *place))

    def _refused(self, path: str, reason: str) -> DebError:
        return DebError(f"Debian package {self._deb.name} holds what no layer may hold:", [Problem(message=reason, path=path)])


class _Window(io.RawIOBase):
    """A part of a spool as a file of its own."""

    def __init__(self, spool: Spool, start: int, size: int) -> None:
        self._spool, self._start, self._size, self._at = spool, start, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files do."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: object) -> int:
        """As files do."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        length = max(0, min(len(view), self._size - self._at))
        data = self._spool.read(self._start + self._at, length)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def _relative(name: str) -> str:
    """`./usr/bin/` -> `usr/bin`; whatever is wrong beyond that, `Tree` refuses."""
    return "" if name in (".", "./") else name.removeprefix("./").rstrip("/") or name


def _is_link_into_doc(member: tarfile.TarInfo, path: str) -> bool:
    """Some packages' documentation folder is a link to another's, which holds the copyright file."""
    return member.issym() and path.startswith("usr/share/doc/") and path.count("/") == 3
