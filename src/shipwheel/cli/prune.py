"""`shipwheel prune`."""

from __future__ import annotations

import click

from shipwheel.cli.context import Context, human
from shipwheel.engines.runc.prune import find_unneeded, remove_unneeded
from shipwheel.environments import remove, size_of, unused


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also layers that no named image has, all downloads, all environments.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_obj
def command(context: Context, everything: bool, dry_run: bool) -> None:
    """Remove what nothing in the store needs; named images always stay whole."""
    pruned = context.store.prune(all=everything, dry_run=dry_run)
    verb = "would free" if dry_run else "freed"
    unpacked = find_unneeded(context.home, context.store.names())
    environments = list(unused(context.home, everything=everything))
    size = pruned.bytes + unpacked.size + sum(map(size_of, environments))
    if not dry_run:
        remove_unneeded(unpacked)
        remove(environments)
    kinds = {
        "blobs": pruned.blobs,
        "memos": pruned.memos,
        "downloads": pruned.downloads,
        "unpacked layers": unpacked.layers,
        "environments": environments,
        "partial files": pruned.partial,
    }
    taken = ", ".join(f"{len(files)} {what}" for what, files in kinds.items() if files)
    click.echo(f"{verb} {human(size)}{': ' if taken else ''}{taken}")
