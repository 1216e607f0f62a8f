"""`shipwheel save`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, local_name
from shipwheel.cli.places import open_target
from shipwheel.oci.copy import copy


@click.command()
@click.argument("name")
@click.argument("file")
@click.pass_obj
def command(context: Context, name: str, file: str) -> None:
    """Write an image of the local store to FILE.

    FILE is a path (an archive that docker load, podman load and skopeo read), or oci:DIR, oci-archive:FILE,
    docker-archive:FILE.
    """
    known = file.partition(":")[0] in ("oci", "oci-archive", "docker-archive", "docker", "podman")
    place = file if known else f"docker-archive:{file}"
    image = context.store.resolve(local_name(name))
    with open_target(place, context) as target:
        copy(image, target, local_name(name))
    context.say(f"wrote {local_name(name)} to {file}")
