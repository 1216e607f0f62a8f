"""What the verbs of containers share: the --engine option, and the way from the context to the engines."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context
from shipwheel.engines.find import KINDS, Surroundings

engine_option = click.option(
    "--engine", type=click.Choice(KINDS), default=None, help="Which engine; otherwise the first that answers, in this order."
)


def surroundings(context: Context) -> Surroundings:
    """What engines need of the context."""
    return Surroundings(home=context.home, environment=context.env)
