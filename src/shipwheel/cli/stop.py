"""`shipwheel stop`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.engine import STOP_WITHIN
from shipwheel.engines.find import find_container


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "-t",
    "--time",
    "within",
    type=click.FloatRange(min=0),
    default=STOP_WITHIN,
    metavar="SECONDS",
    help="Then it is killed; 10.",
)
@engine_option
@click.pass_obj
def command(context: Context, names: tuple[str, ...], within: float, engine: str | None) -> None:
    """Stop a container."""
    for name in names:
        with find_container(name, engine, surroundings(context)) as container:
            container.stop(within)
        context.say(f"stopped {name}")
