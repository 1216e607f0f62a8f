"""`RuncTarget`: takes an image by unpacking the layers that are not unpacked yet and noting its config."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

from shipwheel.engines.runc.places import ImageRecord, Places
from shipwheel.errors import EngineError
from shipwheel.oci.blob import Blob, Descriptor, Digest, Platform
from shipwheel.oci.image import Image, Index
from shipwheel.oci.layer import Layer
from shipwheel.oci.unpack import unpack_layer


class RuncTarget:
    """One folder for each layer, by diff ID, shared by all images and containers."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._gathered: dict[Digest, Blob] = {}

    def has(self, _descriptor: Descriptor) -> bool:
        """Never: layers are known by their diff IDs, which only `tag` sees."""
        return False

    def write(self, blob: Blob) -> None:
        """Keep how to open it."""
        self._gathered[blob.digest] = blob

    def tag(self, name: str, image: Image | Index) -> None:
        """Unpack what is missing and remember the image.

        Raises:
            EngineError: an index without this machine's platform.
            IntegrityError: a layer is damaged.
        """
        chosen = _choose(image)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(self._unpack, {layer.diff_id: layer for layer in chosen.layers}.values()))
        config = json.loads(chosen.config.read()).get("config") or {}
        record = ImageRecord(config=config, diff_ids=tuple(layer.diff_id.hex for layer in chosen.layers))
        record.write(self._places.image(name))

    def _unpack(self, layer: Layer) -> None:
        blob = self._gathered.get(layer.blob.digest, layer.blob)
        unpack_layer(blob, self._places.unpacked / layer.diff_id.hex)


def _choose(image: Image | Index) -> Image:
    if isinstance(image, Image):
        return image
    machine = Platform.parse(os.uname().machine).architecture
    for each in image.images:
        if each.platform.architecture == machine:
            return each
    offered = ", ".join(str(each.platform) for each in image.images)
    raise EngineError(f"this machine is linux/{machine}, the image is for {offered}", hint=f"build with --platform {machine}")
