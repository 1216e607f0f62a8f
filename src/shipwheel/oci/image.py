"""`Image` and `Index`: config, manifest and layers as values (OCI image-spec 1.1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from shipwheel.errors import ImageError
from shipwheel.oci.blob import Blob, Descriptor, Digest, Platform
from shipwheel.oci.layer import Layer

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"

DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (MANIFEST_TYPE, DOCKER_MANIFEST_TYPE)
INDEX_TYPES = (INDEX_TYPE, DOCKER_LIST_TYPE)
"""Docker's own (image manifest version 2, schema 2) have the same shape as OCI's and are read alike."""

MAX_JSON = 4 << 20
"""Bytes of a manifest or config that are read at most, as registries take (distribution-spec, "Pushing Manifests")."""

MAX_LAYERS = 125
"""Docker's classic store takes no more in all, the base's own included."""

CREATED = "1980-01-01T00:00:00Z"
"""The one time in an image: a build's own time would give every build another digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """How a container of the image starts (OCI image-spec, config.md, "config")."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    user: str = ""
    working_dir: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""

    def as_json(self) -> dict[str, object]:
        """As it stands in an image's config."""
        pairs: dict[str, object] = {
            "User": self.user,
            "ExposedPorts": {f"{port}/tcp": {} for port in self.ports},
            "Env": [f"{key}={value}" for key, value in sorted(self.env.items())],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "WorkingDir": self.working_dir,
            "Labels": dict(sorted(self.labels.items())),
            "StopSignal": self.stop_signal,
        }
        return {key: value for key, value in pairs.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image: raw manifest and config as they are, and the layers, lowest first."""

    manifest: Blob
    config: Blob
    layers: tuple[Layer, ...]
    platform: Platform

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Everything below the manifest, in the order in which it should be sent."""
        return (*(layer.blob for layer in self.layers), self.config)

    @property
    def size(self) -> int:
        """Compressed bytes of all layers, config and manifest."""
        return sum(blob.size for blob in self.blobs) + self.manifest.size

    @property
    def unpacked(self) -> int:
        """Bytes of all layers' tars; 0 where one is not known, as no manifest tells them."""
        sizes = [layer.unpacked for layer in self.layers]
        return sum(sizes) if all(sizes) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Images of several platforms under one name."""

    manifest: Blob
    images: tuple[Image, ...]


def compose(
    layers: Iterable[Layer], config: RuntimeConfig, platform: Platform, annotations: Mapping[str, str] | None = None
) -> Image:
    """An image of these layers.

    Raises:
        ImageError: more layers than every engine takes.
    """
    layers = tuple(layers)
    if len(layers) > MAX_LAYERS:
        raise ImageError(
            f"the image would have {len(layers)} layers; Docker takes {MAX_LAYERS}",
            hint="a base with fewer layers leaves more for the project",
        )
    config_blob = Blob.from_bytes(
        canonical_json(
            {
                **platform.as_json(),
                "created": CREATED,
                "config": config.as_json(),
                "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
                "history": [{"created": CREATED, "created_by": layer.created_by} for layer in layers],
            }
        ),
        CONFIG_TYPE,
    )
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config_blob.descriptor.as_json(),
        "layers": [layer.blob.descriptor.as_json() for layer in layers],
    }
    if annotations:
        manifest["annotations"] = dict(sorted(annotations.items()))
    return Image(
        manifest=Blob.from_bytes(canonical_json(manifest), MANIFEST_TYPE),
        config=config_blob,
        layers=layers,
        platform=platform,
    )


def compose_index(images: Iterable[Image], annotations: Mapping[str, str] | None = None) -> Index:
    """An index over the images of several platforms, in the platforms' order."""
    images = tuple(sorted(images, key=lambda image: image.platform))
    manifests = [
        Descriptor(
            media_type=image.manifest.descriptor.media_type,
            digest=image.manifest.digest,
            size=image.manifest.size,
            platform=image.platform,
        ).as_json()
        for image in images
    ]
    value: dict[str, object] = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    if annotations:
        value["annotations"] = dict(annotations)
    return Index(manifest=Blob.from_bytes(canonical_json(value), INDEX_TYPE), images=images)


def parse(manifest: Blob, find: Callable[[Descriptor], Blob]) -> Image | Index:
    """The image or index that a raw manifest describes; `find` gives the blob of a descriptor, read when needed.

    `unpacked` of the layers is not in a manifest and is 0 here.

    Raises:
        ImageError: the manifest or config is no OCI or Docker schema 2 document, or contradicts the other.
        IntegrityError: their bytes are not what their descriptors promise.
    """
    try:
        if manifest.descriptor.media_type in INDEX_TYPES:
            return _index(manifest, find)
        if manifest.descriptor.media_type in MANIFEST_TYPES:
            return _image(manifest, find)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ImageError(f"manifest {manifest.digest} is malformed: {error!r}") from None
    raise ImageError(f"{manifest.digest} is no image but {manifest.descriptor.media_type}")


def images_of(image: Image | Index) -> tuple[Image, ...]:
    """Those of all platforms: of an index its images, else the one."""
    return image.images if isinstance(image, Index) else (image,)


def manifests(image: Image | Index) -> tuple[Blob, ...]:
    """The manifests of an image or index, in the order in which they should be sent: the named one last."""
    below = tuple(each.manifest for each in image.images) if isinstance(image, Index) else ()
    return (*below, image.manifest)


def read_json(blob: Blob) -> object:
    """The value in a small JSON blob, its digest checked.

    Raises:
        ImageError: too large, or not JSON.
        IntegrityError: other bytes than the descriptor promises.
    """
    if blob.size > MAX_JSON:
        raise ImageError(f"{blob.digest} has {blob.size} bytes; a manifest or config has {MAX_JSON} at most")
    try:
        return json.loads(b"".join(blob.chunks()))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{blob.digest} is not JSON: {error}") from None


def _index(manifest: Blob, find: Callable[[Descriptor], Blob]) -> Index:
    value = read_json(manifest)
    images = []
    for entry in value["manifests"]:  # type: ignore[index]
        descriptor = Descriptor.from_json(entry)
        if descriptor.media_type not in MANIFEST_TYPES:
            raise ImageError(f"index {manifest.digest} holds {descriptor.media_type}, not only images")
        images.append(_image(find(descriptor), find))
    return Index(manifest=manifest, images=tuple(images))


def _image(manifest: Blob, find: Callable[[Descriptor], Blob]) -> Image:
    value = read_json(manifest)
    config = find(Descriptor.from_json(value["config"]))  # type: ignore[index]
    blobs = [find(Descriptor.from_json(entry)) for entry in value["layers"]]  # type: ignore[index]
    settings = read_json(config)
    if not isinstance(settings, dict):
        raise TypeError("config is not an object")
    diff_ids = [Digest.parse(text) for text in settings["rootfs"]["diff_ids"]]
    if len(diff_ids) != len(blobs):
        raise ImageError(f"manifest {manifest.digest} has {len(blobs)} layers, its config {len(diff_ids)}")
    layers = tuple(
        Layer(blob=blob, diff_id=diff_id, created_by=created_by, unpacked=0)
        for blob, diff_id, created_by in zip(blobs, diff_ids, _created_by(settings, len(blobs)), strict=True)
    )
    platform = Platform(str(settings["os"]), str(settings["architecture"]), str(settings.get("variant") or ""))
    return Image(manifest=manifest, config=config, layers=layers, platform=platform)


def _created_by(config: Mapping[str, object], count: int) -> list[str]:
    """What made each layer (config.md, "history"); history is optional and often wrong, so `count` empty texts at worst."""
    history = config.get("history") or []
    if not isinstance(history, list):
        return [""] * count
    texts = [str(entry.get("created_by", "")) for entry in history if not entry.get("empty_layer")]
    return texts if len(texts) == count else [""] * count


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value that Shipwheel writes: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
