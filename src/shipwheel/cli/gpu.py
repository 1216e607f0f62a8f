"""`shipwheel gpu`: the commands about code for GPUs."""

from __future__ import annotations

import click

from shipwheel.cli.lazy import LazyGroup

LINES = {
    "inspect": "List the GPU architectures of every library.",
    "check": "Say whether an image runs on a GPU.",
}


@click.group(cls=LazyGroup, lines=LINES, modules="shipwheel.cli.gpu_")
def command() -> None:
    """Show which GPUs an image has code for. No GPU is needed for that."""
