"""`shipwheel sbom`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipwheel.cli.context import Context, local_name
from shipwheel.errors import UsageError
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import images_of

if TYPE_CHECKING:
    from shipwheel.attest.evidence import Evidence


@click.command()
@click.argument("source", metavar="[DIR|NAME]", default=".")
@click.option("--format", "form", type=click.Choice(("cyclonedx", "spdx")), default="cyclonedx", help="Default: cyclonedx.")
@click.option("--platform", default="", metavar="P", help="Which of several platforms. Default: this machine's, or the first.")
@click.option("-o", "--output", default="-", metavar="FILE", help="Write it there. Default: print it.")
@click.pass_obj
def command(context: Context, source: str, form: str, platform: str, output: str) -> None:
    """List what an image is made of: Python and Debian packages, model, base, each with its hash.

    Of a project in DIR it is what shipwheel.lock names; of an image in the store, what that was built from.
    """
    from shipwheel.attest.cyclonedx import cyclonedx
    from shipwheel.attest.spdx import spdx

    evidence, platforms = _of_project(context, Path(source)) if Path(source).is_dir() else _of_image(context, source)
    make = cyclonedx if form == "cyclonedx" else spdx
    document = make(evidence, Platform.parse(platform) if platform else _default(platforms))
    with click.open_file(output, "w", encoding="utf-8") as stream:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False), file=stream)


def _of_project(context: Context, folder: Path) -> tuple[Evidence, Sequence[Platform]]:
    from shipwheel.build import DEFAULT
    from shipwheel.cli.attesting import find_evidence
    from shipwheel.project import load_project
    from shipwheel.resolve.fingerprint import current_lock

    project = load_project(folder)
    lock = current_lock(project)
    return find_evidence(context, project, lock, None, DEFAULT), [each.platform for each in lock.platforms]


def _of_image(context: Context, name: str) -> tuple[Evidence, Sequence[Platform]]:
    from shipwheel.cli.attesting import kept_evidence

    found = context.store.resolve(local_name(name))
    evidence = kept_evidence(context, found)
    if evidence is None:
        hint = "the SBOM of a pushed image is attached to it: 'oras discover REF' or 'cosign download attestation REF'"
        raise UsageError(f"'{local_name(name)}' was not built here, so what it is made of is not known", hint=hint)
    images = images_of(found)
    return evidence, [image.platform for image in images]


def _default(platforms: Sequence[Platform]) -> Platform:
    from shipwheel.cli.workshop import this_machine

    return this_machine() if this_machine() in platforms else platforms[0]
