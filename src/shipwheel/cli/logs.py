"""`shipwheel logs`."""

from __future__ import annotations

import sys

import click

from shipwheel.cli.context import Context
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.find import find_container


@click.command()
@click.argument("name", metavar="NAME")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Start N lines from the end.")
@engine_option
@click.pass_obj
def command(context: Context, name: str, follow: bool, tail: int | None, engine: str | None) -> None:
    """Print what a container wrote."""
    with find_container(name, engine, surroundings(context)) as container:
        for piece in container.logs(follow=follow, tail=tail):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
