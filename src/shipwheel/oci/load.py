"""Images out of files that others wrote: `docker save`, `podman save`, skopeo, buildx, and Shipwheel itself.

Nothing is extracted: members are found in the tar and read where they lie, so no path in an archive is ever a path here.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import dirname, normpath
from typing import Any, BinaryIO, Protocol, cast

from shipwheel.errors import ImageError, IntegrityError, UsageError
from shipwheel.oci.blob import CHUNK, Blob, Descriptor, Digest
from shipwheel.oci.copy import Target, copy
from shipwheel.oci.gunzip import gunzip, tar_of
from shipwheel.oci.image import CONFIG_TYPE, MANIFEST_TYPE, MAX_JSON, Image, Index, canonical_json, parse
from shipwheel.oci.layer import MEDIA_TYPE, Layer
from shipwheel.oci.layout import CONTAINERD_NAME, REF_NAME, Partial
from shipwheel.oci.reference import Reference
from shipwheel.progress import SILENT, Progress

MAX_MEMBERS = 100_000
"""Of an archive: an image of 125 layers has a few hundred, and each takes memory."""

_LINKS = 8
"""Links followed from one member to the next: `docker save` wrote one where layers were alike."""

_TAR_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MAGIC = {b"\x1f\x8b": MEDIA_TYPE, b"\x28\xb5": "application/vnd.oci.image.layer.v1.tar+zstd"}

Named = tuple[str, Image | Index]


def load(path: Path, target: Target, *, scratch: Path, progress: Progress = SILENT) -> tuple[str, ...]:
    """Copy all images of a file (oci-archive or docker-archive, gzip around it or not) or of a layout's folder.

    Digests, diffIDs and sizes are checked; `scratch` is a folder on a disk with room for the file if it is gzipped.

    Returns:
        The names, as the file has them; an image without one is named after the file.

    Raises:
        UsageError: no such file, or no archive of images.
        ImageError, IntegrityError: an archive that is not what it says.
    """
    with _files(path, scratch) as files:
        default = Reference.parse(_plain_name(path.name.partition(".")[0]))
        images = [(_name(name, default), image) for name, image in _images(files)]
        if not images:
            raise UsageError(f"{path} holds no image", hint="give a file of 'docker save', 'podman save' or 'shipwheel save'")
        for name, image in images:
            copy(_checked(image), target, name, progress=progress)
    return tuple(name for name, _ in images)


class _Files(Protocol):
    """Named files to read as often as wanted."""

    def size(self, name: str) -> int | None:
        """In bytes; None where there is none of that name."""

    def open(self, name: str) -> BinaryIO:
        """Its bytes."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """The files of a layout's folder that an archive could have too."""

    root: Path

    def size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")


@dataclass(frozen=True, slots=True)
class _Tar:
    """The regular members of a tar, by where their bytes begin and how many there are."""

    path: Path
    members: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, path: Path) -> _Tar:
        members: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        try:
            with tarfile.open(path, "r:") as tar:
                while member := tar.next():
                    tar.members.clear()  # type: ignore[attr-defined]  # never searched, and keeping all costs memory
                    name = normpath(member.name)
                    if member.isreg() and not member.issparse():
                        members[name] = (member.offset_data, member.size)
                    elif member.issym() or member.islnk():
                        above = "" if member.islnk() else dirname(name)
                        links[name] = normpath(f"{above}/{member.linkname}".lstrip("/"))
                    if len(members) + len(links) > MAX_MEMBERS:
                        raise ImageError(f"{path} has more than {MAX_MEMBERS:,} members: no archive of images")
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise UsageError(f"{path} is no archive of images: {error}") from None
        for name in links:
            end = _follow(name, links)
            if end in members:
                members.setdefault(name, members[end])
        return cls(path, members)

    def size(self, name: str) -> int | None:
        found = self.members.get(normpath(name))
        return found[1] if found else None

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_Slice(self.path, *self.members[normpath(name)])))


class _Slice(io.RawIOBase):
    """`size` bytes of a file from `start`."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file, self._left = path.open("rb"), size
        self._file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        size = self._file.readinto(memoryview(buffer)[: min(len(buffer), self._left)])
        self._left -= size
        return int(size)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _files(path: Path, scratch: Path) -> Iterator[_Files]:
    """What there is to read; a gzipped archive is unpacked into `scratch` for the while."""
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        with path.open("rb") as stream:
            gzipped = stream.read(2) == b"\x1f\x8b"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the name and the mode of the file") from None
    if not gzipped:
        yield _Tar.read(path)
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with Partial(scratch) as file, path.open("rb") as stream:
        for piece in gunzip(iter(lambda: stream.read(CHUNK), b""), str(path)):
            file.write(piece)
        yield _Tar.read(file.whole())


def _images(files: _Files) -> Iterator[Named]:
    """OCI's index where there is one, else Docker's manifest.json, which may also know names that the index does not."""
    docker = _json(files, "manifest.json") if files.size("manifest.json") is not None else []
    if not isinstance(docker, list):
        raise ImageError("manifest.json in the archive is no list")
    if files.size("index.json") is None:
        yield from _docker_images(files, docker)
        return
    index, find = _json(files, "index.json"), _find(files)
    try:
        tags = {_digest_of(entry["Config"]): entry.get("RepoTags") for entry in docker}
        entries = [(entry.get("annotations") or {}, Descriptor.from_json(entry)) for entry in index["manifests"]]
        for annotations, descriptor in entries:
            image = parse(find(descriptor), find)
            full, short = annotations.get(CONTAINERD_NAME), annotations.get(REF_NAME)
            docker_names = tags.get(image.config.digest.hex) if isinstance(image, Image) else None
            yield from ((str(name), image) for name in ([full] if full else docker_names or [short or ""]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"index.json or manifest.json is malformed: {error!r}") from None


def _docker_images(files: _Files, entries: Any) -> Iterator[Named]:
    try:
        for entry in entries:
            image = _docker_image(files, entry)
            yield from ((str(name), image) for name in entry.get("RepoTags") or [""])
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"manifest.json is malformed: {error!r}") from None


def _docker_image(files: _Files, entry: dict[str, Any]) -> Image:
    """The config as it is, under an OCI manifest: Docker's file has none."""
    config = Blob.from_bytes(_small(files, str(entry["Config"])), CONFIG_TYPE)
    blobs = [_hashed(files, str(name)) for name in entry["Layers"]]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor.as_json(),
        "layers": [blob.descriptor.as_json() for blob in blobs],
    }
    known = {blob.digest: blob for blob in (config, *blobs)}
    found = parse(Blob.from_bytes(canonical_json(manifest), MANIFEST_TYPE), lambda descriptor: known[descriptor.digest])
    assert isinstance(found, Image)
    return found


def _hashed(files: _Files, name: str) -> Blob:
    """A layer whose digest nobody has told."""
    size = files.size(name)
    if size is None:
        raise ImageError(f"the archive names the layer '{name}', which it does not hold")
    hasher = hashlib.sha256()
    with files.open(name) as stream:
        media_type = _MAGIC.get(stream.read(2), _TAR_TYPE)
    with files.open(name) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
    descriptor = Descriptor(media_type=media_type, digest=Digest(hasher.hexdigest()), size=size)
    return Blob(descriptor=descriptor, open=lambda: files.open(name))


def _find(files: _Files) -> Callable[[Descriptor], Blob]:
    """Blobs of a layout by their descriptors."""

    def find(descriptor: Descriptor) -> Blob:
        name = f"blobs/sha256/{descriptor.digest.hex}"
        size = files.size(name)
        if size is None:
            raise ImageError(f"the archive names {descriptor.digest}, which it does not hold")
        if size != descriptor.size:
            raise IntegrityError(f"{descriptor.digest} has {size} bytes in the archive, its descriptor says {descriptor.size}")
        return Blob(descriptor=descriptor, open=lambda: files.open(name))

    return find


def _checked(image: Image | Index) -> Image | Index:
    """The image with its diffIDs checked, and its layers' unpacked sizes known from that."""
    if isinstance(image, Index):
        return replace(image, images=tuple(_checked_image(each) for each in image.images))
    return _checked_image(image)


def _checked_image(image: Image) -> Image:
    return replace(image, layers=tuple(_checked_layer(layer) for layer in image.layers))


def _checked_layer(layer: Layer) -> Layer:
    hasher, size = hashlib.sha256(), 0
    for chunk in tar_of(layer.blob):
        hasher.update(chunk)
        size += len(chunk)
    if hasher.hexdigest() != layer.diff_id.hex:
        raise IntegrityError(f"layer {layer.blob.digest} unpacks to sha256:{hasher.hexdigest()}, its diffID is {layer.diff_id}")
    return replace(layer, unpacked=size)


def _small(files: _Files, name: str) -> bytes:
    size = files.size(name)
    if size is None:
        raise ImageError(f"the archive does not hold '{name}'")
    if size > MAX_JSON:
        raise ImageError(f"'{name}' has {size:,} bytes; {MAX_JSON:,} are allowed")
    with files.open(name) as stream:
        return stream.read()


def _json(files: _Files, name: str) -> Any:
    try:
        return json.loads(_small(files, name))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"'{name}' in the archive is not JSON: {error}") from None


def _follow(name: str, links: dict[str, str]) -> str:
    for _ in range(_LINKS):
        name = links.get(name, name)
    return name


def _digest_of(name: object) -> str:
    """The hex digest in `HEX.json` or `blobs/sha256/HEX`."""
    return str(name).rpartition("/")[2].removesuffix(".json")


def _name(name: str, default: Reference) -> str:
    """A full name, without Docker's own registry; a bare tag, as umoci and skopeo write, is one of the file's name."""
    if not name:
        return str(default)
    if "/" not in name and ":" not in name:
        return str(replace(default, tag=name))
    return str(Reference.parse(name.removeprefix("docker.io/library/").removeprefix("docker.io/")))


def _plain_name(text: str) -> str:
    """A file's name as an image's."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower()).strip("-") or "image"
