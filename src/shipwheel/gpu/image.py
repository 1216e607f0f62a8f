"""`libraries_of`: the libraries with code for GPUs in an image, found in its layers without unpacking them."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from posixpath import normpath

from shipwheel.errors import IntegrityError
from shipwheel.gpu.code import Library
from shipwheel.gpu.fatbin import read_library
from shipwheel.native.elf import MAGIC, read_elf
from shipwheel.native.members import hold
from shipwheel.oci.blob import CHUNK, Blob
from shipwheel.oci.gunzip import as_file, tar_of
from shipwheel.oci.image import Image

NOBODY = "the image"
"""The owner of files that no Python package has recorded."""

_RECORD = re.compile(r"(?P<folder>.*)/(?P<name>[^/]+?)-[^/-]+\.dist-info/RECORD")

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one layer adds: all its paths, its libraries, and the RECORDs of packages, by their paths."""

    paths: set[str] = field(default_factory=set)
    libraries: list[Library] = field(default_factory=list)
    records: dict[str, bytes] = field(default_factory=dict)


def libraries_of(image: Image) -> list[Library]:
    """Those that a container sees, by path; the owner is the Python package that has recorded the file.

    Raises:
        IntegrityError: a layer is damaged.
        ImageError: a layer is compressed in a way that is not read here.
    """
    found: dict[str, Library] = {}
    records: dict[str, bytes] = {}
    with ThreadPoolExecutor() as pool:
        for layer in pool.map(_read, [each.blob for each in image.layers]):
            found = {path: each for path, each in found.items() if not _hidden(path, layer.paths)}
            records = {path: each for path, each in records.items() if not _hidden(path, layer.paths)} | layer.records
            found |= {each.path: each for each in layer.libraries}
    owners = _owners(records, found)
    return [replace(each, owner=owners.get(path, NOBODY)) for path, each in sorted(found.items())]


def _read(blob: Blob) -> _Layer:
    layer = _Layer()
    with as_file(tar_of(blob)) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                while member := tar.next():
                    _add(layer, tar, member)
                    tar.members.clear()  # type: ignore[attr-defined]  # never searched, and keeping all costs memory
        except (tarfile.TarError, EOFError, UnicodeError) as error:
            raise IntegrityError(f"layer {blob.digest} is damaged: {error}") from None
        while stream.read(CHUNK):  # the digest is checked at the end
            pass
    return layer


def _add(layer: _Layer, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = normpath(member.name).lstrip("/")
    if not member.isdir():
        layer.paths.add(path)
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        return
    if _RECORD.fullmatch(path):
        layer.records[path] = file.read()
    elif (first := file.read(len(MAGIC))) == MAGIC:
        data = hold(file, member.size, start=first)
        elf = read_elf(data, path)
        if elf and elf.device_code and ((library := read_library(data, path, NOBODY)).codes or library.problem):
            layer.libraries.append(library)


def _hidden(path: str, above: set[str]) -> bool:
    """Whether a layer above has another file there, or a whiteout for it or a folder around it (layer.md, "Whiteouts")."""
    if path in above:
        return True
    while path:
        folder, _, name = path.rpartition("/")
        start = f"{folder}/" if folder else ""
        if f"{start}{_WHITEOUT}{name}" in above or f"{start}{_OPAQUE}" in above or folder in above:
            return True
        path = folder
    return False


def _owners(records: Mapping[str, bytes], wanted: Iterable[str]) -> dict[str, str]:
    """The package of each wanted path ("Recording installed projects": paths relative to where the package lies)."""
    paths, owners = set(wanted), {}
    for record, text in records.items():
        match = _RECORD.fullmatch(record)
        assert match
        for line in text.decode("utf-8", "replace").splitlines():
            path = normpath(f"{match['folder']}/{line.split(',')[0]}")
            if path in paths:
                owners[path] = re.sub(r"[-_.]+", "-", match["name"]).lower()
    return owners
