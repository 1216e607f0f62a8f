"""`shipwheel push`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shipwheel.cli.context import Context, emit, human, local_name
from shipwheel.cli.places import PUSHES, repository
from shipwheel.errors import UsageError
from shipwheel.oci.copy import copy
from shipwheel.oci.reference import Reference

if TYPE_CHECKING:
    from shipwheel.cli.making import Made
    from shipwheel.oci.image import Image, Index


@click.command()
@click.argument("source", metavar="[DIR|NAME]", required=False, default=".")
@click.argument("target", metavar="REGISTRY/REPO:TAG")
@click.option("--platform", "platforms", multiple=True, metavar="P", help="linux/amd64, linux/arm64; repeat for both.")
@click.option("--no-verify", is_flag=True, help="Push the image even if its model would never be ready.")
@click.option("--json", "as_json", is_flag=True, help="Print data: reference, digest, bytes and requests sent, seconds.")
@click.pass_obj
def command(context: Context, /, source: str, target: str, as_json: bool, **flags: Any) -> None:
    """Give an image to a registry; of a project in DIR, built first.

    Only what the registry lacks is sent. Prints the image's name by digest, which is what to deploy.
    """
    started = time.monotonic()
    reference = Reference.parse(target)
    if reference.digest:
        raise UsageError(f"'{target}' is a digest, which no image can be given", hint="name a tag")
    subject = _subject(context, source, flags)
    place = repository(context, reference)
    place.expect(reference.tag)
    copy(subject.image, place, reference.tag, progress=context.progress(), workers=PUSHES)
    context.store.note_origin(subject.image, place.origin)
    digest, traffic = subject.image.manifest.digest, context.registries().traffic
    seconds = time.monotonic() - started
    if as_json:
        sent = {"sent": traffic.sent, "received": traffic.received, "requests": traffic.requests}
        emit({"name": str(reference), "digest": str(digest), **sent, "seconds": round(seconds, 3)})
        return
    context.say(f"pushed {reference}: sent {human(traffic.sent)} in {traffic.requests} requests, {seconds:.2f} s")
    click.echo(f"{place.origin}@{digest}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is pushed, and how it was made where it was made now."""

    image: Image | Index
    made: Made | None = None


def _subject(context: Context, source: str, flags: dict[str, Any]) -> _Subject:
    """A project's image, built now, or one of the local store."""
    if Path(source).is_dir():
        from shipwheel.cli.making import Request, make_image

        made = make_image(context, Request(directory=source, platforms=flags["platforms"], verify=not flags["no_verify"]))
        context.say(f"built {made.name}  {made.image.manifest.digest}  {made.seconds:.2f} s")
        return _Subject(image=made.image, made=made)
    name = local_name(source)
    if name not in context.store.names():
        raise UsageError(f"there is no image '{name}'", hint="'shipwheel images' lists them; a project needs its folder")
    return _Subject(image=context.store.resolve(name))
