"""`shipwheel build`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import click

from shipwheel.build import BuildOptions
from shipwheel.cli.context import Context, emit, human, known, table
from shipwheel.cli.layer_index import ALL, FEW, index_use
from shipwheel.cli.making import Made, Request, make_image
from shipwheel.cli.places import FORMS, open_target
from shipwheel.errors import UsageError
from shipwheel.oci.copy import copy
from shipwheel.oci.estargz import ESTARGZ
from shipwheel.oci.image import images_of
from shipwheel.oci.layer import SINGLE_MEMBER, Form


@click.command()
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("-t", "--tag", default="", metavar="NAME[:TAG]", help="Name of the image. Default: the project's name.")
@click.option("--platform", "platforms", multiple=True, metavar="P", help="linux/amd64, linux/arm64; repeat for both.")
@click.option("--to", "places", multiple=True, metavar="PLACE", help=f"Also give the image to {FORMS}.")
@click.option("--no-bytecode", is_flag=True, help="No compiled modules: a faster build, a slower start.")
@click.option("--single-member", is_flag=True, help="One gzip member a layer, for readers that take only one.")
@click.option("--estargz", is_flag=True, help="Layers that nodes with stargz-snapshotter can start from at once (eStargz).")
@click.option("--no-verify", is_flag=True, help="Name the image even if its model would never be ready.")
@click.option("--no-layer-index", is_flag=True, help="Make every layer here; publish none.")
@click.option(
    "--verify-index",
    is_flag=False,
    flag_value=FEW,
    default="",
    metavar="[N]",
    help=f"Make N layers of the layer index again, and compare. Default: {FEW}; {ALL}.",
)
@click.option(
    "--sign-key", default="", metavar="FILE", help="Private key that signs published layers. Default: SHIPWHEEL_SIGN_KEY."
)
@click.option(
    "--jobs", type=click.IntRange(0, 64), default=0, metavar="N", help="Layers made at a time. Default: processors and one."
)
@click.option("--json", "as_json", is_flag=True, help="Print data: name, digest, platforms, layers, sizes, seconds.")
@click.pass_obj
def command(context: Context, /, places: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Make an image of the project in DIR; it lands in the local store and wherever --to says."""
    started = time.monotonic()
    request = Request(
        directory=flags["directory"],
        tag=flags["tag"],
        platforms=flags["platforms"],
        options=BuildOptions(bytecode=not flags["no_bytecode"], form=_form(flags["single_member"], flags["estargz"])),
        jobs=flags["jobs"],
        verify=not flags["no_verify"],
        index=index_use(flags["no_layer_index"], flags["verify_index"], flags["sign_key"]),
    )
    with ExitStack() as stack:  # first: a place that is none should not cost a build
        targets = [stack.enter_context(open_target(place, context)) for place in places]
        made = make_image(context, request)
        for target in targets:
            copy(made.image, target, made.name)
    made = replace(made, seconds=time.monotonic() - started)
    if as_json:
        emit(describe(made))
    else:
        context.say(_text(made, places))


def _form(single_member: bool, estargz: bool) -> Form | None:
    """What the flags ask for; None: as the project says."""
    if single_member and estargz:
        raise UsageError("--single-member and --estargz exclude each other", hint="eStargz has many members: give one of them")
    return SINGLE_MEMBER if single_member else ESTARGZ if estargz else None


def describe(made: Made) -> dict[str, Any]:
    """`--json`: layers lowest first, sizes in bytes."""
    images = images_of(made.image)
    reused = frozenset(digest for built in made.builds for digest in built.reused)
    shared = frozenset(digest for built in made.builds for digest in built.shared)
    layers = [
        {
            "platform": str(image.platform),
            "digest": str(layer.blob.digest),
            "diff_id": str(layer.diff_id),
            "size": layer.blob.size,
            "unpacked": layer.unpacked,
            "created_by": layer.created_by,
            "reused": str(layer.blob.digest) in reused,
            "shared": str(layer.blob.digest) in shared,
        }
        for image in images
        for layer in image.layers
    ]
    sizes = {"compressed": sum(image.size for image in images), "unpacked": sum(image.unpacked for image in images)}
    return {
        "name": made.name,
        "digest": str(made.image.manifest.digest),
        "platforms": [str(image.platform) for image in images],
        "layers": layers,
        "sizes": sizes,
        "verified": [asdict(verdict) for verdict in made.verdicts],
        "seconds": round(made.seconds, 3),
    }


def _text(made: Made, places: tuple[str, ...]) -> str:
    value = describe(made)
    rows = [
        (
            layer["digest"][7:19],
            _short(layer["created_by"]),
            human(layer["size"]),
            known(layer["unpacked"]),
            "reused" if layer["reused"] else "shared" if layer["shared"] else "new",
        )
        for layer in value["layers"]
    ]
    sizes = value["sizes"]
    where = f"; also in {', '.join(places)}" if places else ""
    return "\n".join(
        [
            table(rows, ("LAYER", "HOLDS", "SIZE", "UNPACKED", ""), right=frozenset({2, 3})),
            "",
            f"{made.name}  {', '.join(value['platforms'])}{where}",
            f"{value['digest']}",
            f"{human(sizes['compressed'])} compressed, {known(sizes['unpacked'])} unpacked, {value['seconds']:.2f} s",
            *_verified(made),
        ]
    )


def _verified(made: Made) -> Iterator[str]:
    """What is known of the model, by platform where there are several."""
    for verdict in made.verdicts:
        yield f"{verdict.platform}: {verdict}" if len(made.verdicts) > 1 else str(verdict)
        yield from (f"  {note}" for note in verdict.notes)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
