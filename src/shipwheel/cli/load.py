"""`shipwheel load`."""

from __future__ import annotations

from pathlib import Path

import click

from shipwheel.cli.context import Context


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def command(context: Context, file: Path) -> None:
    """Read images from FILE (what save, docker save, podman save or skopeo wrote) into the local store."""
    from shipwheel.oci.load import load

    for name in load(file, context.store, scratch=context.home / "tmp"):
        click.echo(name)
