"""`shipwheel copy`."""

from __future__ import annotations

from dataclasses import replace

import click

from shipwheel.cli.context import Context
from shipwheel.cli.places import open_place, open_source
from shipwheel.errors import UsageError
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, images_of


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--platform", metavar="P", help="Of an index only this one, such as linux/amd64. Default: all.")
@click.pass_obj
def command(context: Context, source: str, destination: str, platform: str | None) -> None:
    """Copy an image from SRC to DST, as it is.

    Each is REGISTRY/REPO:TAG, store:NAME (the local store), docker:NAME, podman:NAME, oci:DIR[:NAME], oci-archive:FILE or
    docker-archive:FILE. Between repositories of one registry no layer travels.
    """
    with open_source(source, context) as whole:
        found = replace(whole, image=chosen(whole.image, Platform.parse(platform))) if platform else whole
        with open_place(destination, context, found) as place:
            copy(found.image, place.target, place.name, progress=context.progress(), workers=place.workers)
    context.say(f"copied {source} to {destination}  {found.image.manifest.digest}")


def chosen(image: Image | Index, platform: Platform) -> Image:
    """The image for a platform.

    Raises:
        UsageError: there is none.
    """
    images = images_of(image)
    for each in images:
        if each.platform == platform:
            return each
    offered = ", ".join(str(each.platform) for each in images)
    raise UsageError(f"the image is for {offered}, not for {platform}", hint="name one of these")
