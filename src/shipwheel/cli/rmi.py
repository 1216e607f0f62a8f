"""`shipwheel rmi`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, local_name


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def command(context: Context, names: tuple[str, ...]) -> None:
    """Remove images' names from the local store; `prune --all` frees what only they held."""
    for name in names:
        context.store.untag(local_name(name))
        context.say(f"removed {local_name(name)}")
