"""Images as one file: `OciArchive` (a tar of an OCI layout) and `DockerArchive` (the same with what `docker load` reads).

The bytes depend on the image and its name only.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shipwheel.errors import ImageError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import INDEX_TYPE, Image, Index, canonical_json, images_of, manifests
from shipwheel.oci.layer import MTIME, Sink
from shipwheel.oci.layout import CONTAINERD_NAME, LAYOUT, REF_NAME, OciLayout, Partial
from shipwheel.oci.reference import Reference

__all__ = ["DockerArchive", "OciArchive", "OciLayout", "write_archive"]


class OciArchive:
    """A target: an oci-archive of one image or index, which appears under its name whole, when it is tagged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blobs: dict[Digest, Blob] = {}

    def has(self, descriptor: Descriptor) -> bool:
        """Whether it was written already."""
        return descriptor.digest in self._blobs

    def write(self, blob: Blob) -> None:
        """Keep how to open it; it is read, and checked, in `tag`."""
        self._blobs[blob.digest] = blob

    def tag(self, name: str, image: Image | Index) -> None:
        """Write the file.

        Raises:
            IntegrityError: a blob is not what its descriptor promises.
            StoreError: the system refuses; what stood there before is still there then.
        """
        with Partial(self._path.parent) as file:
            _write(self._members(name, image), file)
            file.place(self._path)

    def _members(self, name: str, image: Image | Index) -> Iterator[tuple[str, Blob | bytes]]:
        yield from _layout([(name, image)])
        yield from _blobs([image], self._blobs)


class DockerArchive(OciArchive):
    """A target: what `docker load` and `podman load` take, which is an oci-archive too.

    Raises:
        ImageError: on `tag` of an index: such a file holds one platform.
    """

    def _members(self, name: str, image: Image | Index) -> Iterator[tuple[str, Blob | bytes]]:
        if isinstance(image, Index):
            offered = ", ".join(str(each.platform) for each in image.images)
            raise ImageError(
                f"a docker-archive holds one platform, not {offered}", hint="use oci-archive:FILE, or one --platform"
            )
        yield from _docker([(name, image)], self._blobs, frozenset())


def write_archive(images: Sequence[tuple[str, Image]], sink: Sink, *, omit: frozenset[Digest] = frozenset()) -> None:
    """Stream a docker-archive of named images to `sink`, without the blobs in `omit`, which the reader has.

    Raises:
        IntegrityError: a blob is not what its descriptor promises; the sink has had part of the archive then.
    """
    _write(_docker(images, {}, omit), sink)


def _docker(
    images: Sequence[tuple[str, Image]], known: dict[Digest, Blob], omit: frozenset[Digest]
) -> Iterator[tuple[str, Blob | bytes]]:
    entries = [
        {
            "Config": _path(image.config.digest),
            "RepoTags": [name],
            "Layers": [_path(layer.blob.digest) for layer in image.layers],
        }
        for name, image in images
    ]
    yield from _layout(images)
    yield "manifest.json", canonical_json(entries)
    for path, blob in _blobs([image for _, image in images], known):
        if blob.digest not in omit:
            yield path, blob


def _layout(images: Sequence[tuple[str, Image | Index]]) -> Iterator[tuple[str, bytes]]:
    """What makes a folder an OCI layout (image-layout.md), small and first."""
    entries = [_entry(name, image).as_json() for name, image in images]
    yield "oci-layout", LAYOUT
    yield "index.json", canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def _entry(name: str, image: Image | Index) -> Descriptor:
    descriptor = image.manifest.descriptor
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        platform=image.platform if isinstance(image, Image) else None,
        annotations={REF_NAME: name, CONTAINERD_NAME: str(Reference.parse(name).full)},
    )


def _blobs(images: Iterable[Image | Index], known: dict[Digest, Blob]) -> Iterator[tuple[str, Blob]]:
    """Every blob once, manifests first, in the order of the images' layers; `known` ones are read through what was written."""
    seen = set()
    for image in images:
        below = images_of(image)
        for blob in (*reversed(manifests(image)), *(blob for each in below for blob in each.blobs)):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield _path(blob.digest), known.get(blob.digest, blob)


def _path(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex}"


def _write(members: Iterable[tuple[str, Blob | bytes]], sink: Sink) -> None:
    """A tar of `members`, with the folders of blobs; engines want names without `./`."""
    made = False
    for path, content in members:
        if path.startswith("blobs/") and not made:
            made = True
            sink.write(_header("blobs", None) + _header("blobs/sha256", None))
        size = len(content) if isinstance(content, bytes) else content.size
        sink.write(_header(path, size))
        for chunk in (content,) if isinstance(content, bytes) else content.chunks():
            sink.write(chunk)
        sink.write(b"\0" * (-size % tarfile.BLOCKSIZE))
    sink.write(b"\0" * 2 * tarfile.BLOCKSIZE)


def _header(path: str, size: int | None) -> bytes:
    """Of a file, or of a folder where there is no size."""
    info = tarfile.TarInfo(path)
    info.mtime = MTIME
    info.mode = 0o755 if size is None else 0o644
    info.type = tarfile.DIRTYPE if size is None else tarfile.REGTYPE
    info.size = size or 0
    return info.tobuf(tarfile.PAX_FORMAT)
