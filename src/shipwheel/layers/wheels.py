"""A wheel becomes the tree that an installer would leave in the virtual environment.

Source of every rule: PyPA specifications, "Binary distribution format" and "Recording installed projects". What they leave
to the installer (the text of a console script, modes) is done as pip does it, so that the trees are equal.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

from shipwheel.errors import IntegrityError, Problem, WheelError
from shipwheel.layers.venv import INTERPRETER, Schemes
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree

INSTALLER = b"shipwheel\n"

MAX_RATIO = 200
"""Unpacked to packed bytes of a whole wheel; the worst real ones (generated tables) reach 20."""

RATIO_MATTERS_FROM = 1 << 30
"""Unpacked bytes from which MAX_RATIO is looked at: a smaller bomb harms nobody."""

_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_SLURP = 1 << 20
"""Bytes up to which a member is read whole."""

SCRIPT = """\
#!{interpreter}
import sys
from {module} import {first}
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit({attributes}())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    """A wheel that was looked at: its members, its RECORD as path -> (sha256 hex or "", size or -1)."""

    path: Path
    members: tuple[zipfile.ZipInfo, ...]
    record: dict[str, tuple[str, int]]
    dist_info: str

    @property
    def distribution(self) -> str:
        return self.dist_info.removesuffix(".dist-info").rpartition("-")[0]

    def read(self, name: str) -> bytes | None:
        member = next((info for info in self.members if info.filename == f"{self.dist_info}/{name}"), None)
        return _open(self.path, member).read() if member else None


def wheel_tree(path: Path, python: str) -> Tree:
    """The files that installing the wheel at `path` leaves in the virtual environment of `python` (such as `3.11`).

    Raises:
        WheelError: everything that is wrong with the wheel: unsafe or repeated paths, links, a RECORD that does not hold,
            a missing or unknown WHEEL file, a bomb. Contents are checked against RECORD while they are packed.
    """
    archive = _open_archive(path)
    schemes = Schemes(python)
    files = list(_spread(archive, schemes))
    present = {entry.path for entry in files}
    files += [entry for entry in _scripts(archive, schemes) if entry.path not in present]
    info = f"{schemes.site_packages}/{archive.dist_info}"
    files = [entry for entry in files if entry.path not in (f"{info}/INSTALLER", f"{info}/RECORD")]
    files.append(Entry.data(f"{info}/INSTALLER", INSTALLER))
    files.append(Entry.data(f"{info}/RECORD", _record(archive, files, schemes.site_packages)))
    return Tree.of(files, origin=path.name)


def _open_archive(path: Path) -> _Archive:
    try:
        with zipfile.ZipFile(path) as zipped:
            members = tuple(zipped.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WheelError(
            f"{path.name} is not a readable wheel: {error}", hint="remove it from the cache and fetch it again"
        ) from None
    folders = {info.filename.partition("/")[0] for info in members if ".dist-info/" in info.filename}
    problems = [*_member_faults(members, path.stat().st_size)]
    if len(folders) != 1:
        problems.append(Problem(message=f"must hold one .dist-info folder, holds {len(folders)}"))
    if problems:
        raise WheelError(f"{path.name} breaks the wheel format:", problems)
    archive = _Archive(path=path, members=members, record={}, dist_info=folders.pop())
    record, problems = _parse_record(archive)
    problems += _version_faults(archive)
    problems += _record_faults(archive, record)
    if problems:
        raise WheelError(f"{path.name} breaks the wheel format:", problems)
    return replace(archive, record=record)


def _member_faults(members: Iterable[zipfile.ZipInfo], size: int) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    packed = unpacked = 0
    for info in members:
        name = info.filename
        folded = name.casefold()
        if folded in seen:
            clash = "stands there twice" if seen[folded] == name else f"differs from '{seen[folded]}' in case only"
            yield Problem(path=name, message=clash)
        seen[folded] = name
        parts = name.rstrip("/").split("/")
        if (
            name.startswith("/")
            or "\\" in info.orig_filename
            or "\0" in info.orig_filename
            or any(p in ("", ".", "..") for p in parts)
        ):
            yield Problem(path=info.orig_filename, message="an absolute path or one with '..', a backslash or an empty part")
        if stat.S_ISLNK(info.external_attr >> 16):
            yield Problem(path=name, message="a link, which no wheel may hold")
        if info.flag_bits & 1:
            yield Problem(path=name, message="is encrypted")
        packed += info.compress_size
        unpacked += info.file_size
    if packed > size or (unpacked > RATIO_MATTERS_FROM and unpacked > MAX_RATIO * size):
        yield Problem(message=f"would unpack from {size:,} to {unpacked:,} bytes: a zip bomb")


def _version_faults(archive: _Archive) -> Iterator[Problem]:
    text = archive.read("WHEEL")
    match = re.search(rb"^Wheel-Version:\s*(\d+)\.\d+\s*$", text or b"", re.MULTILINE)
    if text is None:
        yield Problem(path=f"{archive.dist_info}/WHEEL", message="is missing")
    elif not match or match[1] != b"1":
        yield Problem(path=f"{archive.dist_info}/WHEEL", message="has no Wheel-Version 1.x")


def _parse_record(archive: _Archive) -> tuple[dict[str, tuple[str, int]], list[Problem]]:
    where = f"{archive.dist_info}/RECORD"
    data = archive.read("RECORD")
    if data is None:
        return {}, [Problem(path=where, message="is missing")]
    record: dict[str, tuple[str, int]] = {}
    problems = []
    for line, row in enumerate(csv.reader(io.StringIO(data.decode("utf-8", "replace"))), start=1):
        if not row:
            continue
        name, digest, size = (*row, "", "")[:3]
        algorithm, _, encoded = digest.partition("=")
        try:
            decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex() if algorithm == "sha256" else ""
            record[name] = (decoded, int(size) if size else -1)
        except ValueError:
            problems.append(Problem(file=where, line=line, path=name, message="has a hash or size that cannot be read"))
    return record, problems


def _record_faults(archive: _Archive, record: dict[str, tuple[str, int]]) -> Iterator[Problem]:
    for info in archive.members:
        _, size = record.get(info.filename, ("", -1))
        if size not in (-1, info.file_size):
            yield Problem(path=info.filename, message=f"has {info.file_size} bytes where RECORD says {size}")


def _spread(archive: _Archive, schemes: Schemes) -> Iterator[Entry]:
    """The members at the places where they are installed."""
    data_folder = f"{archive.dist_info.removesuffix('.dist-info')}.data/"
    problems = []
    for info in archive.members:
        if info.is_dir():
            continue
        folder, rest, scheme = schemes.site_packages, info.filename, ""
        if rest.startswith(data_folder):
            scheme, _, rest = rest.removeprefix(data_folder).partition("/")
            folder = schemes.of(scheme, archive.distribution) or ""
            if not folder or not rest:
                problems.append(Problem(path=info.filename, message=f"stands in an unknown scheme '{scheme}'"))
                continue
        entry = _entry(archive, info, f"{folder}/{rest}")
        yield _script(entry) if scheme == "scripts" else entry
    if problems:
        raise WheelError(f"{archive.path.name} breaks the wheel format:", problems)


def _entry(archive: _Archive, info: zipfile.ZipInfo, path: str) -> Entry:
    mode = info.external_attr >> 16
    executable = stat.S_ISREG(mode) and mode & 0o111
    deflated = None
    if info.compress_type == zipfile.ZIP_DEFLATED:
        deflated = Deflated(open=partial(_open_packed, archive.path, info), size=info.compress_size, crc32=info.CRC)
    return Entry(
        path=path,
        kind=Kind.FILE,
        mode=0o755 if executable else 0o644,
        size=info.file_size,
        open=partial(_open, archive.path, info),
        sha256=archive.record.get(info.filename, ("", -1))[0],
        deflated=deflated,
    )


def _script(entry: Entry) -> Entry:
    """A file of `.data/scripts`: executable, and `#!python` names the interpreter of the environment."""
    head, newline, rest = entry.read().partition(b"\n")
    if not head.startswith(b"#!python"):
        return replace(entry, mode=0o755)
    if entry.sha256 and hashlib.sha256(head + newline + rest).hexdigest() != entry.sha256:
        raise WheelError(f"'{entry.path}' is not what its wheel's RECORD says")
    return Entry.data(entry.path, f"#!{INTERPRETER}\n".encode() + rest, 0o755)


def _scripts(archive: _Archive, schemes: Schemes) -> Iterator[Entry]:
    """The scripts of the entry point groups console_scripts and gui_scripts (PyPA, "Entry points specification")."""
    text = archive.read("entry_points.txt")
    if text is None:
        return
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(text.decode())
    names = {
        name: value for group in ("console_scripts", "gui_scripts") if group in parser for name, value in parser[group].items()
    }
    for name, value in _versioned(names, schemes.python).items():
        module, _, attributes = value.split("[")[0].strip().partition(":")
        if "/" in name or not attributes:
            raise WheelError(f"{archive.path.name} has an entry point that cannot be a script: {name} = {value}")
        script = SCRIPT.format(
            interpreter=INTERPRETER,
            module=module.strip(),
            first=attributes.strip().split(".")[0],
            attributes=attributes.strip(),
        )
        yield Entry.data(f"{schemes.scripts}/{name}", script.encode(), 0o755)


def _versioned(names: dict[str, str], python: str) -> dict[str, str]:
    """pip and easy_install get names with the version of this Python, whatever version their wheel was made with."""
    names = dict(names)
    for tool, also in (("pip", ("pip{major}", "pip{python}")), ("easy_install", ("easy_install-{python}",))):
        value = names.get(tool)
        if value is None:
            continue
        names = {name: text for name, text in names.items() if not re.fullmatch(rf"{tool}-?(\d+(\.\d+)?)?", name)}
        versions = (name.format(major=python.split(".", maxsplit=1)[0], python=python) for name in also)
        names |= dict.fromkeys((tool, *versions), value)
    return names


def _record(archive: _Archive, files: Iterable[Entry], site_packages: str) -> bytes:
    """RECORD of what was installed: paths relative to site-packages, a hash and size for all but itself."""
    rows = [(_relative(f"{site_packages}/{archive.dist_info}/RECORD", site_packages), "", "")]
    for entry in files:
        digest = bytes.fromhex(entry.sha256) if entry.sha256 else hashlib.sha256(entry.read()).digest()
        encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        rows.append((_relative(entry.path, site_packages), f"sha256={encoded}", str(entry.size)))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted(rows))
    return out.getvalue().encode()


def _relative(path: str, site_packages: str) -> str:
    if path.startswith(f"{site_packages}/"):
        return path.removeprefix(f"{site_packages}/")
    root = site_packages.split("/")
    return "/".join([".."] * (len(root) - 2) + path.split("/")[2:])


def _open(path: Path, info: zipfile.ZipInfo) -> BinaryIO:
    """A member's bytes, inflated."""
    if info.file_size > _SLURP or info.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        return zipfile.ZipFile(path).open(info)  # type: ignore[return-value]
    with _open_packed(path, info) as stream:
        data = stream.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        try:
            data = isal_zlib.decompressobj(-15).decompress(data, info.file_size + 1)
        except isal_zlib.IsalError as error:  # type: ignore[misc]
            raise IntegrityError(f"'{info.filename}' in {path.name} cannot be inflated: {error}") from None
    if len(data) != info.file_size or isal_zlib.crc32(data) != info.CRC:
        raise IntegrityError(f"'{info.filename}' in {path.name} is damaged: size or CRC is wrong")
    return io.BytesIO(data)


def _open_packed(path: Path, info: zipfile.ZipInfo) -> BinaryIO:
    """The wheel's file, placed at a member's packed bytes (APPNOTE.TXT, 4.3.7: the local header has lengths of its own)."""
    stream = path.open("rb")
    stream.seek(info.header_offset)
    magic, name_length, extra_length = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    if magic != b"PK\x03\x04":
        stream.close()
        raise IntegrityError(f"'{info.filename}' in {path.name} has no local header")
    stream.seek(name_length + extra_length, 1)
    return stream
