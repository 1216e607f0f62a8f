"""`shipwheel pull`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context
from shipwheel.cli.pulling import pull
from shipwheel.oci.reference import Reference


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--platform", default="", metavar="P", help="linux/amd64, linux/arm64, or all. Default: this machine's.")
@click.pass_obj
def command(context: Context, reference: str, platform: str) -> None:
    """Bring an image from a registry into the local store."""
    name, image = pull(context, Reference.parse(reference), platform)
    click.echo(f"{name}  {image.manifest.digest}")
