"""`shipwheel images`."""

from __future__ import annotations

from typing import Any

import click

from shipwheel.cli.context import Context, emit, human, known, table
from shipwheel.oci.image import Image, Index, images_of


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print data instead of a table.")
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """List images in the local store."""
    rows = [_row(name, context.store.resolve(name)) for name in context.store.names()]
    if as_json:
        emit(rows)
        return
    header = ("NAME", "DIGEST", "PLATFORMS", "SIZE", "UNPACKED")
    lines = [
        (
            row["name"],
            row["digest"][7:19],
            ",".join(row["platforms"]),
            human(row["size"]),
            known(row["unpacked"]),
        )
        for row in rows
    ]
    click.echo(table(lines, header, right=frozenset({3, 4})))


def _row(name: str, image: Image | Index) -> dict[str, Any]:
    images = images_of(image)
    return {
        "name": name,
        "digest": str(image.manifest.digest),
        "platforms": [str(each.platform) for each in images],
        "size": sum(each.size for each in images),
        "unpacked": sum(each.unpacked for each in images),
    }
