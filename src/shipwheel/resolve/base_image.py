"""`lock_base`: which manifest of a registry a project's image lies on, and what its Python is; no layer is fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shipwheel.errors import ImageError, NetworkError, ResolveError
from shipwheel.http import absent
from shipwheel.lock import BaseImage
from shipwheel.oci.blob import Digest, Platform
from shipwheel.oci.image import MAX_LAYERS, Image, read_json
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


def lock_base(
    project: Project, platform: Platform, connect: Callable[[Reference], Repository], kept: BaseImage | None = None
) -> BaseImage:
    """Pin the project's base for one platform; `kept` is what an earlier lock pinned, and stays where it is of the same name.

    Raises:
        ResolveError: there is no such image, or none for the platform, or one that nothing can be built on.
        ProjectError: its Python is not known, or not what the project asks for.
        NetworkError: the registry cannot be asked.
    """
    named = reference = Reference.parse(project.settings.base).full
    if kept and kept.reference == str(named):
        reference = replace(named, digest=Digest.parse(kept.digest))
    image = _of_platform(connect(reference), reference, platform)
    plain_layers(image)
    config: Any = read_json(image.config)
    inside = look_inside(config, project.settings.base, project.python, project.settings.base_python or "")
    check_base_python(project.python_demands, inside.python, project.settings.base)
    return BaseImage(
        reference=str(named),
        digest=str(image.manifest.digest),
        size=image.manifest.size,
        python=inside.python,
        interpreter=inside.interpreter,
        glibc=inside.glibc,
        distribution=inside.distribution,
    )


_OTHER = "choose another tag, or another base"


def _of_platform(repository: Repository, reference: Reference, platform: Platform) -> Image:
    try:
        return repository.resolve_platform(reference.version, platform)
    except NetworkError as error:
        if not absent(error):
            raise
        hint = "'shipwheel lock --upgrade' takes what its tag is now" if reference.digest else "check the name and the tag"
        raise ResolveError(f"the registry has no image {reference}", hint=hint) from None
    except ImageError as error:
        raise ResolveError(f"nothing can be built on {reference}: {error.message}", hint=error.hint or _OTHER) from None


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
    if media_type not in _SAME.values():
        what = "is not in the registry" if "foreign" in media_type or "nondistributable" in media_type else "is unknown"
        raise ImageError(f"a layer of the base {what}: {layer.blob.digest} is {media_type}", hint=_OTHER)
    return replace(layer, blob=replace(layer.blob, descriptor=replace(descriptor, media_type=media_type, annotations={})))
