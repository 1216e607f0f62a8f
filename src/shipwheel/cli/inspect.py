"""`shipwheel inspect`."""

from __future__ import annotations

import json
from typing import Any

import click

from shipwheel.cli.context import Context, emit, human, known, local_name, table
from shipwheel.oci.image import Image, Index, images_of
from shipwheel.oci.reference import Reference


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print data: digest, platforms, layers, config.")
@click.pass_obj
def command(context: Context, name: str, as_json: bool) -> None:
    """Show an image of the local store, or of a registry: its layers, how it starts, its digest."""
    found = _found(context, name)
    images = images_of(found)
    value = {"name": local_name(name), "digest": str(found.manifest.digest), "images": [_image(image) for image in images]}
    if as_json:
        emit(value)
        return
    click.echo(f"{value['name']}  {value['digest']}")
    for image in images:
        click.echo(_text(image))


def _found(context: Context, name: str) -> Image | Index:
    """In the local store, else, where the name has a registry, there: its manifests and configs, no layer."""
    reference = Reference.parse(name)
    if reference.registry and local_name(name) not in context.store.names():
        return context.repository(reference).resolve(reference.version)
    return context.store.resolve(local_name(name))


def _image(image: Image) -> dict[str, Any]:
    return {
        "platform": str(image.platform),
        "digest": str(image.manifest.digest),
        "size": image.size,
        "unpacked": image.unpacked,
        "config": json.loads(image.config.read()).get("config", {}),
        "layers": [
            {
                "digest": str(layer.blob.digest),
                "diff_id": str(layer.diff_id),
                "size": layer.blob.size,
                "unpacked": layer.unpacked,
                "created_by": layer.created_by,
            }
            for layer in image.layers
        ],
    }


def _text(image: Image) -> str:
    config = _image(image)["config"]
    lines = [f"\n{image.platform}  {image.manifest.digest}"]
    lines += [
        f"  {key}: {value if isinstance(value, str) else ' '.join(value)}" for key, value in sorted(config.items()) if value
    ]
    rows = [
        (layer.blob.digest.short, layer.created_by, human(layer.blob.size), known(layer.unpacked)) for layer in image.layers
    ]
    return "\n".join([*lines, "", table(rows, ("LAYER", "HOLDS", "SIZE", "UNPACKED"), right=frozenset({2, 3}))])
