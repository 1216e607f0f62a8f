"""From a registry into the local store: what `pull` and `run` share."""

from __future__ import annotations

from shipwheel.cli.context import Context, human
from shipwheel.cli.workshop import this_machine
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, images_of
from shipwheel.oci.reference import Reference

ALL = "all"
"""The platform that means every one."""


def pull(context: Context, reference: Reference, platform: str = "") -> tuple[str, Image | Index]:
    """Bring an image with all its layers, for this machine where no platform is named; its name in the store."""
    store, source = context.store, context.repository(reference)
    if platform == ALL:
        image: Image | Index = source.resolve(reference.version)
    else:
        image = source.resolve_platform(reference.version, Platform.parse(platform) if platform else this_machine())
    images = images_of(image)
    blobs = {blob.digest: blob for each in images for blob in each.blobs}.values()
    lacking = sum(blob.size for blob in blobs if not store.has(blob.descriptor))
    for blob in blobs:
        store.write(blob)
    store.bring(blobs, context.progress())
    copy(image, store, str(reference))
    context.say(f"fetched {human(lacking)} of {human(sum(blob.size for blob in blobs))}")
    return str(reference), image
