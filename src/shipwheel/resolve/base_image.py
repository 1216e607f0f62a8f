"""`lock_base`: which manifest of a registry a project's image lies on, and what its Python is; no layer is fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shipwheel.errors import ImageError, ResolveError
from shipwheel.lock import BaseImage
from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.image import INDEX_TYPES, MAX_LAYERS, Image, parse, read_json
from shipwheel.oci.layer import Layer
from shipwheel.oci.reference import Reference
from shipwheel.project import Project
from shipwheel.project.python import check_base_python
from shipwheel.resolve.inside import look_inside

if TYPE_CHECKING:
    from shipwheel.registry.repository import Repository

_OCI = "application/vnd.oci.image.layer.v1.tar"
_DOCKER = "application/vnd.docker.image.rootfs.diff.tar"
_SAME = {f"{_DOCKER}{suffix}": f"{_OCI}{other}" for suffix, other in (("", ""), (".gzip", "+gzip"), (".zstd", "+zstd"))}
"""Docker's media types of layers to OCI's of the same bytes."""

_TYPES = frozenset((*_SAME.values(),))


def lock_base(
    project: Project, platform: Platform, connect: Callable[[Reference], Repository], kept: BaseImage | None = None
) -> BaseImage:
    """Pin the project's base for one platform; `kept` is what an earlier lock pinned, and stays where it is of the same name.

    Raises:
        ResolveError: there is no such image, or none for the platform, or one that nothing can be built on.
        ProjectError: its Python is not known, or not what the project asks for.
        NetworkError: the registry cannot be asked.
    """
    reference = Reference.parse(project.settings.base).full
    if kept and kept.reference == str(reference):
        reference = replace(Reference.parse(kept.reference), digest=Reference.parse(f"{reference.origin}@{kept.digest}").digest)
    repository = connect(reference)
    manifest = _of_platform(repository, reference, platform)
    image = parse(manifest, repository.blob)
    assert isinstance(image, Image)
    if (image.platform.os, image.platform.architecture) != (platform.os, platform.architecture):
        raise ResolveError(f"{reference} is for {image.platform}, not for {platform}", hint=_OTHER)
    plain_layers(image)
    config: Any = read_json(image.config)
    inside = look_inside(config, project.settings.base, project.python, project.settings.base_python or "")
    check_base_python(project.python_demands, inside.python, project.settings.base)
    return BaseImage(
        reference=str(Reference.parse(project.settings.base).full),
        digest=str(manifest.digest),
        size=manifest.size,
        python=inside.python,
        interpreter=inside.interpreter,
        glibc=inside.glibc,
        distribution=inside.distribution,
    )


_OTHER = "choose another tag, or another base"


def _of_platform(repository: Repository, reference: Reference, platform: Platform) -> Blob:
    """The manifest for a platform: the named one, or that which an index has for it (image-index.md)."""
    manifest = repository.manifest(reference.version)
    if manifest is None:
        hint = "'shipwheel lock --upgrade' takes what its tag is now" if reference.digest else "check the name and the tag"
        raise ResolveError(f"the registry has no image {reference}", hint=hint)
    if manifest.descriptor.media_type not in INDEX_TYPES:
        return manifest
    index: Any = read_json(manifest)
    entries = [each for each in map(Descriptor.from_json, index["manifests"]) if each.platform]
    fitting = [each for each in entries if each.platform and _fits(each.platform, platform)]
    if not fitting:
        offered = ", ".join(sorted({str(each.platform) for each in entries if each.platform != _UNKNOWN})) or "nothing"
        raise ResolveError(f"{reference} has no image for {platform}, only {offered}", hint=_OTHER)
    found = repository.manifest(str(fitting[0].digest))
    if found is None:
        raise ResolveError(f"{reference} names {fitting[0].digest}, which the registry has not", hint=_OTHER)
    return found


_UNKNOWN = Platform("unknown", "unknown")
"""Of attestations that stand in an index beside the images (BuildKit)."""


def _fits(offered: Platform, wanted: Platform) -> bool:
    """arm64 is v8 whether or not it says so."""
    variant = "" if (offered.architecture, offered.variant) == ("arm64", "v8") else offered.variant
    return (offered.os, offered.architecture, variant) == (wanted.os, wanted.architecture, wanted.variant)


def plain_layers(image: Image) -> tuple[Layer, ...]:
    """The layers of an image under OCI's media types.

    Raises:
        ImageError: a layer that registries do not give away, or of a kind that no engine knows; or too many of them.
    """
    if len(image.layers) >= MAX_LAYERS:
        raise ImageError(f"the base has {len(image.layers)} layers; Docker takes {MAX_LAYERS} in all", hint=_OTHER)
    return tuple(_plain(layer) for layer in image.layers)


def _plain(layer: Layer) -> Layer:
    descriptor = layer.blob.descriptor
    media_type = _SAME.get(descriptor.media_type, descriptor.media_type)
    if media_type not in _TYPES:
        what = "is not in the registry" if "foreign" in media_type or "nondistributable" in media_type else "is unknown"
        raise ImageError(f"a layer of the base {what}: {layer.blob.digest} is {media_type}", hint=_OTHER)
    return replace(layer, blob=replace(layer.blob, descriptor=replace(descriptor, media_type=media_type, annotations={})))
