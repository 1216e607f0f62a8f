"""`validate`: everything that may be wrong with an image, found before an engine finds it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shipwheel.errors import ImageError, IntegrityError, Problem, ShipwheelError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.gunzip import LAYER_TYPES, tar_of
from shipwheel.oci.image import (
    CONFIG_TYPE,
    DOCKER_MANIFEST_TYPE,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_LAYERS,
    Image,
    Index,
    images_of,
    parse,
    read_json,
)
from shipwheel.oci.layer import Layer
from shipwheel.oci.tarcheck import tar_problems

_CONFIG_TYPES = (CONFIG_TYPE, "application/vnd.docker.container.image.v1+json")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_PORT = re.compile(r"\d{1,5}(/(tcp|udp))?")
_OF_STRINGS = ("Env", "Entrypoint", "Cmd")
_OF_OBJECTS = ("ExposedPorts", "Volumes", "Labels")
_TEXTS = ("User", "WorkingDir", "StopSignal")


def validate(image: Image | Index, *, deep: bool = True, foreign: frozenset[Digest] = frozenset()) -> None:
    """Check an image or index against the OCI image specification 1.1 and Shipwheel's own layer format.

    `deep` reads every layer: its digest, its diffID and each header of its tar. Layers in `foreign` were made elsewhere:
    of them only digest and diffID are checked.

    Raises:
        ImageError: with all that is wrong.
    """
    images = images_of(image)
    problems = list(_index_problems(image)) if isinstance(image, Index) else []
    for each in images:
        where = f"{each.platform}: " if isinstance(image, Index) else ""
        found = _Check(image=each, deep=deep, foreign=foreign).problems()
        problems += [Problem(message=problem.message, path=where + problem.path) for problem in found]
    if problems:
        raise ImageError(f"{image.manifest.digest} is no valid image:", problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    image: Image
    deep: bool
    foreign: frozenset[Digest]

    def problems(self) -> Iterator[Problem]:
        """All of one image."""
        yield from _parses(self.image.manifest, (*self.image.blobs,))
        manifest, config = _value(self.image.manifest), _value(self.image.config)
        if isinstance(manifest, dict):
            yield from _in("manifest", _manifest_faults(manifest, self.image))
        if isinstance(config, dict):
            yield from _in("config", _config_faults(config, self.image))
        else:
            yield Problem(message="is not a JSON object", path="config")
        if self.deep:
            for number, layer in enumerate(self.image.layers):
                yield from _in(f"layers[{number}] {layer.created_by}".rstrip(), self._layer_faults(layer))

    def _layer_faults(self, layer: Layer) -> Iterator[str]:
        tar = _Counted(layer)
        try:
            if layer.blob.digest not in self.foreign:
                yield from tar_problems(tar.chunks())
            tar.drain()
        except (IntegrityError, ImageError) as error:
            yield error.message
            return
        if tar.diff_id != layer.diff_id:
            yield f"the tar has {tar.diff_id}, its diffID says {layer.diff_id}"
        if layer.unpacked not in (0, tar.size):
            yield f"the tar has {tar.size} bytes, the layer says {layer.unpacked}"


class _Counted:
    """A layer's tar, hashed and counted as it is read."""

    def __init__(self, layer: Layer) -> None:
        self._hasher, self.size = hashlib.sha256(), 0
        self._chunks = self._read(layer.blob)

    @property
    def diff_id(self) -> Digest:
        return Digest(self._hasher.hexdigest())

    def chunks(self) -> Iterator[bytes]:
        return self._chunks

    def drain(self) -> None:
        for _ in self._chunks:
            pass

    def _read(self, blob: Blob) -> Iterator[bytes]:
        for chunk in tar_of(blob):
            self._hasher.update(chunk)
            self.size += len(chunk)
            yield chunk


def _parses(manifest: Blob, blobs: Iterable[Blob]) -> Iterator[Problem]:
    """Whether the manifest, read back, names exactly the image's blobs."""
    known = {blob.digest: blob for blob in blobs}

    def find(descriptor: Descriptor) -> Blob:
        if descriptor.digest not in known:
            raise ImageError(f"the manifest names {descriptor.digest}, which the image has not")
        if descriptor != known[descriptor.digest].descriptor:
            raise ImageError(f"the manifest describes {descriptor.digest} in another way than the image")
        return known[descriptor.digest]

    try:
        parsed = parse(manifest, find)
        if isinstance(parsed, Image) and [blob.digest for blob in parsed.blobs] != [blob.digest for blob in blobs]:
            yield Problem(message="its layers are not those of the image, in their order", path="manifest")
    except ShipwheelError as error:
        yield Problem(message=error.message, path="manifest")


def _value(blob: Blob) -> object:
    try:
        return read_json(blob)
    except ShipwheelError:
        return None  # `parse` has said it


def _in(path: str, faults: Iterable[str]) -> Iterator[Problem]:
    return (Problem(message=fault, path=path) for fault in faults)


def _manifest_faults(value: dict[str, Any], image: Image) -> Iterator[str]:
    """manifest.md, "Image Manifest Property Descriptions"."""
    media_type = image.manifest.descriptor.media_type
    if value.get("schemaVersion") != 2:
        yield f"schemaVersion is {value.get('schemaVersion')!r}, not 2"
    if media_type not in MANIFEST_TYPES or value.get("mediaType", media_type) != media_type:
        yield f"mediaType is {value.get('mediaType')!r}, its descriptor says {media_type}"
    if image.config.descriptor.media_type not in _CONFIG_TYPES:
        yield f"the config is {image.config.descriptor.media_type}"
    for layer in image.layers:
        if layer.blob.descriptor.media_type not in LAYER_TYPES:
            yield f"layer {layer.blob.digest} is {layer.blob.descriptor.media_type}"
    if not 1 <= len(image.layers) <= MAX_LAYERS:
        yield f"{len(image.layers)} layers; engines take 1 to {MAX_LAYERS}"
    if not _texts(value.get("annotations", {})):
        yield "annotations are not a map of texts"
    if media_type == DOCKER_MANIFEST_TYPE and "annotations" in value:
        yield "Docker's manifest has no annotations"


def _config_faults(value: dict[str, Any], image: Image) -> Iterator[str]:
    """config.md, "Properties"."""
    for name, wanted in (("os", image.platform.os), ("architecture", image.platform.architecture)):
        if not value.get(name) or value[name] != wanted:
            yield f"{name} is {value.get(name)!r}, the image is for {image.platform}"
    if "created" in value and not _is_time(value["created"]):
        yield f"created is {value['created']!r}, not a time of RFC 3339"
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        yield "rootfs.type is not 'layers'"
    elif rootfs.get("diff_ids") != [str(layer.diff_id) for layer in image.layers]:
        yield "rootfs.diff_ids are not those of the layers"
    yield from _history_faults(value.get("history", []), len(image.layers))
    run = value.get("config") or {}
    yield from _run_faults(run) if isinstance(run, dict) else ["config is not an object"]


def _history_faults(history: object, layers: int) -> Iterator[str]:
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        yield "history is not a list of objects"
        return
    if history and sum(not entry.get("empty_layer") for entry in history) != layers:
        yield f"history tells of {sum(not entry.get('empty_layer') for entry in history)} layers, there are {layers}"
    if not all(_is_time(entry["created"]) for entry in history if "created" in entry):
        yield "history has a 'created' that is not a time of RFC 3339"


def _run_faults(run: dict[str, Any]) -> Iterator[str]:
    for name in _OF_STRINGS:
        if not all(isinstance(text, str) for text in run.get(name) or []):
            yield f"config.{name} is not a list of texts"
    yield from (f"config.Env has {text!r}, not NAME=VALUE" for text in run.get("Env") or [] if "=" not in str(text)[1:])
    for name in _OF_OBJECTS:
        if not isinstance(run.get(name) or {}, dict):
            yield f"config.{name} is not an object"
    for name in _TEXTS:
        if not isinstance(run.get(name, ""), str):
            yield f"config.{name} is not a text"
    yield from (f"config.ExposedPorts has {port!r}" for port in run.get("ExposedPorts") or {} if not _PORT.fullmatch(port))
    if not _texts(run.get("Labels") or {}):
        yield "config.Labels is not a map of texts"
    if str(run.get("WorkingDir") or "/")[0] != "/":
        yield f"config.WorkingDir is {run['WorkingDir']!r}, not absolute"


def _index_problems(index: Index) -> Iterator[Problem]:
    """image-index.md: the index names the images' manifests, each for its platform."""
    media_type, value = index.manifest.descriptor.media_type, _value(index.manifest)
    if not isinstance(value, dict) or not isinstance(value.get("manifests"), list):
        yield Problem(message="is no index", path="index")
        return
    if value.get("schemaVersion") != 2 or media_type not in INDEX_TYPES or value.get("mediaType", media_type) != media_type:
        yield Problem(message="schemaVersion or mediaType is wrong", path="index")
    if len(value["manifests"]) != len(index.images):
        yield Problem(message=f"names {len(value['manifests'])} manifests, there are {len(index.images)}", path="index")
    for entry, image in zip(value["manifests"], index.images, strict=False):
        descriptor, own = Descriptor.from_json(entry), image.manifest.descriptor
        if (descriptor.media_type, descriptor.digest, descriptor.size) != (own.media_type, own.digest, own.size):
            yield Problem(message=f"names {descriptor.digest}, the image is {own.digest}", path="index")
        if descriptor.platform not in (None, image.platform):
            yield Problem(message=f"says {descriptor.platform}, the image is for {image.platform}", path="index")


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
