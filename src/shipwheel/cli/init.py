"""`shipwheel init`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, folder
from shipwheel.cli.decisions import say_decisions
from shipwheel.project.init import write_settings


@click.command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.pass_obj
def command(context: Context, directory: str) -> None:
    """Write [tool.shipwheel] from what the folder shows, and say why; never changes settings that are there."""
    project, path = write_settings(folder(directory))
    say_decisions(context, project)
    context.say(f"wrote {path}")
