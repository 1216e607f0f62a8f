"""`shipwheel push`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shipwheel.cli.attesting import attest_pushed, open_key
from shipwheel.cli.context import Context, emit, human, local_name
from shipwheel.cli.places import PUSHES, given_name
from shipwheel.errors import UsageError
from shipwheel.oci.copy import copy

if TYPE_CHECKING:
    from shipwheel.oci.image import Image, Index

HINT = "for example 'shipwheel push . registry.example.com/team/app:1.0'"


@click.command()
@click.argument("words", metavar="[DIR|NAME] REGISTRY/REPO:TAG", nargs=-1)
@click.option("--platform", "platforms", multiple=True, metavar="P", help="linux/amd64, linux/arm64; repeat for both.")
@click.option("--no-verify", is_flag=True, help="Push the image even if its model would never be ready.")
@click.option(
    "--sign-key", default="", envvar="SHIPWHEEL_SIGN_KEY", metavar="FILE", help="Sign the image with this private key."
)
@click.option("--attest/--no-attest", default=None, help="Attach SBOMs and provenance. Default: where there is a key.")
@click.option("--json", "as_json", is_flag=True, help="Print data: reference, digest, bytes and requests sent, seconds.")
@click.pass_obj
def command(context: Context, /, words: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Give an image to a registry; of a project in DIR, built first.

    Only what the registry lacks is sent. Prints the image's name by digest, which is what to deploy.
    """
    started = time.monotonic()
    source, target = _places(words)
    reference = given_name(target)
    key = open_key(context, flags["sign_key"])
    image = _image(context, source, flags)
    place = context.repository(reference)
    place.expect(reference.tag, image)
    copy(image, place, reference.tag, progress=context.progress(), workers=PUSHES)
    context.store.note_origin(image, place.origin)
    attest = flags["attest"] if flags["attest"] is not None else key is not None
    if attest or key:
        attest_pushed(context, image, place, key, documents=attest)
    digest, traffic = image.manifest.digest, context.registries().traffic
    seconds = time.monotonic() - started
    if as_json:
        sent = {"sent": traffic.sent, "received": traffic.received, "requests": traffic.requests}
        emit({"name": str(reference), "digest": str(digest), **sent, "seconds": round(seconds, 3)})
        return
    context.say(f"pushed {reference}: sent {human(traffic.sent)} in {traffic.requests} requests, {seconds:.2f} s")
    click.echo(f"{place.origin}@{digest}")


def _places(words: tuple[str, ...]) -> tuple[str, str]:
    """What is pushed, the folder here where one word is all there is, and the name it gets."""
    if not 1 <= len(words) <= 2:
        raise UsageError("a push takes a registry's name for the image, and before it DIR or NAME", hint=HINT)
    return (words[0], words[1]) if len(words) == 2 else (".", words[0])


def _image(context: Context, source: str, flags: dict[str, Any]) -> Image | Index:
    """A project's image, built now, or one of the local store."""
    if Path(source).is_dir():
        from shipwheel.cli.layer_index import IndexUse
        from shipwheel.cli.making import Request, make_image

        index = IndexUse(sign_key=flags["sign_key"])
        request = Request(directory=source, platforms=flags["platforms"], verify=not flags["no_verify"], index=index)
        made = make_image(context, request)
        context.say(f"built {made.name}  {made.image.manifest.digest}  {made.seconds:.2f} s")
        return made.image
    name = local_name(source)
    if name not in context.store.names():
        raise UsageError(f"there is no image '{name}'", hint="'shipwheel images' lists them; a project needs its folder")
    if flags["platforms"]:
        hint = f"'shipwheel copy store:{name} DST --platform P' copies one of those that an image has"
        raise UsageError("--platform is for projects", hint=hint)
    return context.store.resolve(name)
