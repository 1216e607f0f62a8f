"""From a manifest to an image or index: what it needs is fetched at once, and what is no image does no harm."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import cast

from shipwheel.errors import ImageError, ShipwheelError
from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.image import CONFIG_TYPE, INDEX_TYPES, MANIFEST_TYPES, MAX_JSON, Image, Index, parse, read_json
from shipwheel.oci.layer import Layer
from shipwheel.registry.manifest import normal

PARALLEL = 8
"""Requests at a time."""

_CONFIGS = frozenset({CONFIG_TYPE, "application/vnd.docker.container.image.v1+json"})
_UNKNOWN = Platform("unknown", "unknown")
"""What buildx writes of manifests that are no images: attestations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Reads manifests below an index by `manifest`, and configs by `blob`."""

    manifest: Callable[[Descriptor], Blob]
    blob: Callable[[Descriptor], Blob]

    def resolve(self, manifest: Blob) -> Image | Index:
        """As `oci.image.parse`, but in an index an entry that is no image is kept as one of unknown platform, so that a
        copy is whole; one that is not even a manifest is left out."""
        if manifest.descriptor.media_type not in INDEX_TYPES:
            return parse(manifest, self._find)
        entries = [each for each in _entries(manifest) if each.media_type in MANIFEST_TYPES]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return Index(manifest=manifest, images=tuple(pool.map(self._image, entries)))

    def of_platform(self, manifest: Blob, platform: Platform) -> Image:
        """The image of one platform; of an index, only its manifest and config are read.

        Raises:
            ImageError: there is none; the hint says which there are.
        """
        if manifest.descriptor.media_type not in INDEX_TYPES:
            image = parse(manifest, self._find)
            if isinstance(image, Image) and _suits(image.platform, platform):
                return image
            raise _none(manifest, platform, [image.platform] if isinstance(image, Image) else [])
        entries = [each for each in _entries(manifest) if each.media_type in MANIFEST_TYPES and each.platform]
        suitable = sorted(
            (each for each in entries if each.platform and _suits(each.platform, platform)),
            key=lambda each: normal(each.platform or platform) != platform,
        )
        if not suitable:
            raise _none(manifest, platform, [each.platform for each in entries if each.platform])
        return cast(Image, parse(self.manifest(suitable[0]), self._find))

    def _image(self, entry: Descriptor) -> Image:
        manifest = self.manifest(entry)
        try:
            return cast(Image, parse(manifest, self._find))
        except ShipwheelError:
            if entry.platform not in (None, _UNKNOWN):
                raise
            return self._opaque(manifest)

    def _opaque(self, manifest: Blob) -> Image:
        """A manifest that is no image's: its blobs, as they are."""
        value = read_json(manifest)
        try:
            config, layers = Descriptor.from_json(value["config"]), value["layers"]  # type: ignore[index]
            blobs = [self.blob(Descriptor.from_json(each)) for each in layers]
        except (KeyError, TypeError):
            raise ImageError(f"manifest {manifest.digest} is malformed") from None
        layers = tuple(Layer(blob=blob, diff_id=blob.digest, created_by="", unpacked=0) for blob in blobs)
        return Image(manifest=manifest, config=self.blob(config), layers=layers, platform=_UNKNOWN)

    def _find(self, descriptor: Descriptor) -> Blob:
        """A config is read at once and kept: its bytes are here now, so nobody needs to know where else it lies."""
        blob = self.blob(descriptor)
        if descriptor.media_type not in _CONFIGS:
            return blob
        if blob.size > MAX_JSON:
            raise ImageError(f"config {blob.digest} has {blob.size} bytes; {MAX_JSON} are the most")
        data = b"".join(blob.chunks())
        return replace(blob, open=lambda: io.BytesIO(data), origins=())


def _entries(manifest: Blob) -> list[Descriptor]:
    value = read_json(manifest)
    try:
        return [Descriptor.from_json(entry) for entry in value["manifests"]]  # type: ignore[index]
    except (KeyError, TypeError):
        raise ImageError(f"index {manifest.digest} is malformed") from None


def _suits(found: Platform, wanted: Platform) -> bool:
    """Whether an image of one platform is one for another: a variant matters only where one is asked for."""
    found = normal(found)
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    return same and (not wanted.variant or found.variant == wanted.variant)


def _none(manifest: Blob, platform: Platform, there: list[Platform]) -> ImageError:
    names = sorted({str(normal(each)) for each in there if each != _UNKNOWN})
    hint = f"there is {', '.join(names)}" if names else ""
    return ImageError(f"{manifest.digest} has no image for {platform}", hint=hint)
