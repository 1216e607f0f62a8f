"""`shipwheel exec`."""

from __future__ import annotations

import sys

import click

from shipwheel.cli.context import Context
from shipwheel.cli.engines import engine_option, surroundings
from shipwheel.engines.find import find_container


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@engine_option
@click.argument("name", metavar="NAME")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.pass_obj
def command(context: Context, name: str, words: tuple[str, ...], engine: str | None) -> int:
    """Run a command inside a container; its exit status becomes this one's."""
    with find_container(name, engine, surroundings(context)) as container:
        return container.exec(words, _to_stdout)


def _to_stdout(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
