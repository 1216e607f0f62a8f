"""A base from a registry: its layers, which stay there until someone opens them, and what its config gives to the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shipwheel.errors import ResolveError
from shipwheel.lock import BaseImage
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import MANIFEST_TYPE, Image, RuntimeConfig, parse, read_json
from shipwheel.oci.layer import Layer
from shipwheel.oci.reference import Reference
from shipwheel.oci.store import Store
from shipwheel.resolve.base_image import plain_layers

if TYPE_CHECKING:
    from shipwheel.registry.repository import Repository

_ANNOTATION = "org.opencontainers.image.base"

_OURS = "dev.shipwheel."
"""Labels that say what an image of ours is: one built on another is not that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """What an image gets from its base: layers, lowest first; of its config the environment and labels; and annotations that
    name it (OCI image-spec, annotations.md). Nothing, where the base is composed."""

    layers: tuple[Layer, ...] = ()
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    annotations: Mapping[str, str] = field(default_factory=dict)


def open_base(base: BaseImage, store: Store, connect: Callable[[Reference], Repository]) -> Below:
    """Read the manifest and config of a locked base, which the store keeps; `connect` is called where it lacks one.

    Raises:
        ResolveError: the registry has it no more.
        NetworkError: the registry cannot be asked.
        ImageError, IntegrityError: it is not what was locked.
    """
    reference = Reference.parse(base.reference)
    manifest = Descriptor(media_type=MANIFEST_TYPE, digest=Digest.parse(base.digest), size=base.size)

    def read() -> Blob:
        found = connect(reference).manifest(base.digest)
        if found is None:
            gone = f"the registry no longer has {base.reference} as {base.digest}"
            raise ResolveError(gone, hint="'shipwheel lock --upgrade' takes what it has now")
        return found

    def find(descriptor: Descriptor) -> Blob:
        if descriptor.media_type.endswith("json"):
            return _kept(store, descriptor, lambda: connect(reference).blob(descriptor))
        return Blob(descriptor=descriptor, open=partial(store.open, descriptor), origins=(reference.origin,))

    image = parse(_kept(store, manifest, read), find)
    assert isinstance(image, Image)
    return Below(
        layers=tuple(map(store.take, plain_layers(image))),
        runtime=_runtime(read_json(image.config)),
        annotations={f"{_ANNOTATION}.name": base.reference, f"{_ANNOTATION}.digest": base.digest},
    )


def _kept(store: Store, descriptor: Descriptor, get: Callable[[], Blob]) -> Blob:
    """A small document: of the store, or got, checked and kept there."""
    if not store.has(descriptor):
        store.write(replace(get(), descriptor=descriptor, origins=()))
    return store.blob(descriptor)


def _runtime(config: Any) -> RuntimeConfig:
    """Environment and labels; command, user, folder and ports are the project's own."""
    run = config.get("config") or {}
    labels = {str(key): str(value) for key, value in (run.get("Labels") or {}).items() if not key.startswith(_OURS)}
    return RuntimeConfig(env=dict(text.split("=", 1) for text in run.get("Env") or [] if "=" in text), labels=labels)
