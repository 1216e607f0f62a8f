"""`shipwheel init`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, folder
from shipwheel.project.init import write_settings


@click.command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.pass_obj
def command(context: Context, directory: str) -> None:
    """Write [tool.shipwheel] from what the folder shows, and say why; never changes settings that are there."""
    project, path = write_settings(folder(directory))
    width = max(len(decision.what) for decision in project.decisions)
    for decision in project.decisions:
        context.say(f"{decision.what.ljust(width)}  {decision.value}  ({decision.why})")
    for item in project.left_out:
        context.say(f"left out: {item.path}  ({item.reason})")
    context.say(f"wrote {path}")
