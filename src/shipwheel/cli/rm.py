"""`shipwheel rm`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.find import find_container
from shipwheel.errors import UsageError


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("-f", "--force", is_flag=True, help="Also one that runs; it is killed.")
@engine_option
@click.pass_obj
def command(context: Context, names: tuple[str, ...], force: bool, engine: str | None) -> None:
    """Remove a container."""
    for name in names:
        with find_container(name, engine, surroundings(context)) as container:
            if container.state().running and not force:
                raise UsageError(f"'{name}' runs", hint=f"'shipwheel stop {name}' first, or --force")
            container.remove()
        context.say(f"removed {name}")
