"""`Image` and `Index`: config, manifest and layers as values (OCI image-spec 1.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shipwheel.errors import ImageError
from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.layer import Layer

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"

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
        """Bytes of all layers' tars."""
        return sum(layer.unpacked for layer in self.layers)


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


def compose_index(images: Iterable[Image]) -> Index:
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
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    return Index(manifest=Blob.from_bytes(canonical_json(value), INDEX_TYPE), images=images)


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value that Shipwheel writes: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
