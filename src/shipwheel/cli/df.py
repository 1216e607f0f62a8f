"""`shipwheel df`."""

from __future__ import annotations

from dataclasses import asdict

import click

from shipwheel.cli.context import Context, emit, human, table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print data instead of a table.")
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Show what the local store and the downloads take."""
    usage = asdict(context.store.usage())
    if as_json:
        emit(usage)
        return
    images = usage.pop("images")
    rows = [(name, str(size["count"]), human(size["bytes"])) for name, size in usage.items()]
    click.echo(table(rows, ("WHAT", "FILES", "SIZE"), right=frozenset({1, 2})))
    click.echo(f"\n{images} {'image' if images == 1 else 'images'} in {context.home}")
