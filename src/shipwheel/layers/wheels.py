"""A wheel becomes the tree that an installer would leave in the virtual environment.

Source of every rule: PyPA specifications, "Binary distribution format" and "Recording installed projects". What they leave
to the installer (the text of a console script, modes) is done as pip does it, so that the trees are equal.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from shipwheel.errors import Problem
from shipwheel.layers.entry_points import Script, is_wrapper, parse_scripts
from shipwheel.layers.venv import INTERPRETER, Schemes
from shipwheel.layers.wheel_archive import Archive, Recorded, broken, open_archive
from shipwheel.oci.blob import CHUNK
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree

INSTALLER = b"shipwheel\n"

_SHEBANG = b"#!python"
"""How a script asks for the interpreter of its environment; `#!pythonw` begins so too."""


def wheel_tree(path: Path, python: str, name: str = "") -> Tree:
    """The files that installing the wheel at `path` leaves in the virtual environment of `python` (such as `3.11`).

    `name` is what errors call it, when the file's own name says little.

    Raises:
        WheelError: everything that is wrong with the wheel: unsafe or repeated paths, links, a RECORD that does not hold,
            a missing or unknown WHEEL file, a bomb. Contents are checked against RECORD while they are packed.
    """
    archive = open_archive(path, name)
    schemes = Schemes(python)
    scripts, faults = _parse_scripts(archive, python)
    files: list[Entry] = []
    for info in archive.members:
        at = _place(archive, info, schemes)
        if at is None:
            faults.append(Problem(path=info.filename, message="stands in no known scheme of a .data folder"))
        elif at and not (_is_script(info) and is_wrapper(at.rpartition("/")[2], scripts)):
            files.append(_script(archive, info, at) if _is_script(info) else _entry(archive, info, at))
    if faults:
        raise broken(archive.name, faults)
    files += [Entry.data(f"{schemes.scripts}/{script.name}", script.text, 0o755) for script in scripts.values()]
    info_folder = f"{schemes.site_packages}/{archive.dist_info}"
    own = (f"{info_folder}/INSTALLER", f"{info_folder}/RECORD")
    files = [entry for entry in files if entry.path not in own]
    files.append(Entry.data(own[0], INSTALLER))
    files.append(Entry.data(own[1], _record(files, own[1], schemes.site_packages)))
    return Tree.of(files, origin=archive.name)


def _parse_scripts(archive: Archive, python: str) -> tuple[dict[str, Script], list[Problem]]:
    data = archive.read("entry_points.txt")
    try:
        scripts, faults = parse_scripts((data or b"").decode(), python)
    except UnicodeDecodeError:
        return {}, [Problem(path="entry_points.txt", message="is not UTF-8")]
    return {script.name: script for script in scripts}, faults


def _place(archive: Archive, info: zipfile.ZipInfo, schemes: Schemes) -> str | None:
    """Where a member is installed; empty for a folder, None for an unknown scheme (binary distribution format, "Spread")."""
    if info.is_dir():
        return ""
    top, _, rest = info.filename.partition("/")
    if not top.endswith(".data") or not rest:
        return f"{schemes.site_packages}/{info.filename}"
    scheme, _, rest = rest.partition("/")
    folder = schemes.of(scheme, archive.distribution)
    return f"{folder}/{rest}" if folder and rest else None


def _is_script(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.split("/", 2)
    return len(parts) == 3 and parts[0].endswith(".data") and parts[1] == "scripts"


def _entry(archive: Archive, info: zipfile.ZipInfo, path: str) -> Entry:
    mode = info.external_attr >> 16
    deflated = None
    if info.compress_type == zipfile.ZIP_DEFLATED:
        deflated = Deflated(open=partial(archive.open_packed, info), size=info.compress_size, crc32=info.CRC)
    return Entry(
        path=path,
        kind=Kind.FILE,
        mode=0o755 if stat.S_ISREG(mode) and mode & 0o111 else 0o644,
        size=info.file_size,
        open=partial(archive.open, info),
        sha256=_sha256(archive, info),
        deflated=deflated,
        origin=f"'{info.filename}' in {archive.name}",
    )


def _sha256(archive: Archive, info: zipfile.ZipInfo) -> str:
    """As RECORD says; where it says none, or one of another kind, which is checked, the file's own."""
    said = archive.record.get(info.filename, Recorded())
    if said.algorithm == "sha256":
        return said.digest
    ours, theirs = hashlib.sha256(), hashlib.new(said.algorithm or "sha256")
    with archive.open(info) as stream:
        while chunk := stream.read(CHUNK):
            ours.update(chunk)
            theirs.update(chunk)
    if said.algorithm and theirs.hexdigest() != said.digest:
        raise archive.damaged(info, f"its {said.algorithm} is not what RECORD says")
    return ours.hexdigest()


def _script(archive: Archive, info: zipfile.ZipInfo, path: str) -> Entry:
    """A file of `.data/scripts`: executable, and `#!python` names the interpreter of the environment."""
    entry = replace(_entry(archive, info, path), mode=0o755)
    with archive.open(info) as stream:
        if stream.read(len(_SHEBANG)) != _SHEBANG:
            return entry
    data = entry.read()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise archive.damaged(info, "its sha256 is not what RECORD says")
    return Entry.data(path, f"#!{INTERPRETER}\n".encode() + data.partition(b"\n")[2], 0o755)


def _record(files: Iterable[Entry], own: str, site_packages: str) -> bytes:
    """RECORD of what was installed: paths relative to site-packages, a hash and size for all but itself."""
    rows = [(_relative(own, site_packages), "", "")]
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
