"""What lies in a store, and what of it nothing needs.

Pruning takes: blobs that neither a tag nor a memo needs, memos whose blob is neither here nor in a registry, files of
killed processes. With `all` also the memos of layers that no tagged image has, and so their blobs, and downloads. A tagged
image always stays whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipwheel.errors import ImageError, IntegrityError, StoreError
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.image import INDEX_TYPES, MANIFEST_TYPES, read_json
from shipwheel.oci.layout import OciLayout, refused
from shipwheel.oci.memo import Memos
from shipwheel.oci.origins import Origins


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many files, and their bytes."""

    count: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Size:
        """Of files as they are now; one that goes meanwhile counts nothing."""
        count = size = 0
        for path in paths:
            try:
                size += path.lstat().st_size
            except OSError:
                continue
            count += 1
        return cls(count=count, bytes=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of a store, and where others keep what belongs to it.

    `downloads` holds verified files that layers are made of, `unpacked` layers as folders, for engines that mount them:
    those are only counted.
    """

    root: Path
    downloads: Path
    unpacked: Path

    @property
    def layout(self) -> Path:
        """The OCI image layout."""
        return self.root / "oci"

    @property
    def memos(self) -> Path:
        """KEY.json for each layer key."""
        return self.root / "layers"

    @property
    def sizes(self) -> Path:
        """A layer's unpacked bytes, by the hex digest of its blob: no manifest tells them."""
        return self.root / "sizes"

    @property
    def origins(self) -> Path:
        """The repositories that have a blob, by its hex digest."""
        return self.root / "origins"

    @property
    def notes(self) -> Path:
        """What is known of an image besides its bytes, by the hex digest of its manifest or index."""
        return self.root / "notes"

    @property
    def partial(self) -> Path:
        """Files in the making."""
        return self.root / "tmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What lies in a store; `images` are names, `partial` files in the making or of killed processes."""

    images: int
    blobs: Size
    memos: Size
    unpacked: Size
    downloads: Size
    partial: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The files that pruning takes, and the bytes of all of them as they were before."""

    blobs: tuple[Path, ...]
    memos: tuple[Path, ...]
    downloads: tuple[Path, ...]
    partial: tuple[Path, ...]
    bytes: int

    def remove(self) -> None:
        """Take them; memos go before their blobs, so that being killed between leaves a good store.

        Raises:
            StoreError: the system refuses.
        """
        for path in (*self.memos, *self.blobs, *self.downloads, *self.partial):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise refused(error, path) from None


def usage(layout: OciLayout, places: Places) -> Usage:
    """Count what is there."""
    return Usage(
        images=len(layout.names()),
        blobs=Size.of(_files(places.layout / "blobs")),
        memos=Size.of([*_files(places.memos), *_files(places.sizes), *_files(places.origins), *_files(places.notes)]),
        unpacked=Size.of(_files(places.unpacked)),
        downloads=Size.of(_files(places.downloads)),
        partial=Size.of(_files(places.partial)),
    )


def unneeded(layout: OciLayout, places: Places, *, all: bool) -> Pruned:
    """What pruning would take."""
    needed, origins = set(_reachable(layout)), Origins(places.origins)
    gone = []
    for path, memo in list(Memos(places.memos).all()):
        there = memo and (layout.has(memo.descriptor) or bool(origins.of(memo.digest)))
        if memo and there and (memo.digest.hex in needed or not all):
            needed.add(memo.digest.hex)
        else:
            gone.append(path)
    beside = (places.sizes, places.origins, places.notes)
    gone += [path for folder in beside for path in _files(folder) if path.name not in needed]
    blobs = tuple(path for path in _files(places.layout / "blobs") if path.name not in needed)
    downloads = tuple(_files(places.downloads)) if all else ()
    partial = tuple(_files(places.partial))
    size = Size.of((*blobs, *gone, *downloads, *partial)).bytes
    return Pruned(blobs=blobs, memos=tuple(gone), downloads=downloads, partial=partial, bytes=size)


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in sorted(names))


def _reachable(layout: OciLayout) -> Iterator[str]:
    """The hex digests of all blobs below the tags."""
    todo = [Descriptor.from_json(entry) for entry in layout.entries()]
    while todo:
        descriptor = todo.pop()
        yield descriptor.digest.hex
        if descriptor.media_type in (*INDEX_TYPES, *MANIFEST_TYPES):
            todo += _below(layout.blob(descriptor))


def _below(manifest: Blob) -> list[Descriptor]:
    """What a manifest or index names; a damaged one names nothing, for its image is lost already."""
    try:
        value = read_json(manifest)
        if not isinstance(value, dict):
            return []
        entries = value.get("manifests") or [value["config"], *value["layers"]]
        return [Descriptor.from_json(entry) for entry in entries]
    except (ImageError, IntegrityError, StoreError, KeyError, TypeError):
        return []
