"""How images were made: written down at `build`, and at `push` made into what is attached to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.cli.context import Context
from shipwheel.errors import LockError

if TYPE_CHECKING:  # a push without a key builds and reads nothing of these
    from shipwheel.attest.evidence import Evidence
    from shipwheel.build import BuildOptions
    from shipwheel.lock import Lock
    from shipwheel.oci.image import Image, Index
    from shipwheel.project import Project
    from shipwheel.project.revision import Revision
    from shipwheel.registry.repository import Repository
    from shipwheel.signing import PrivateKey

PASSWORDS = ("SHIPWHEEL_SIGN_PASSWORD", "COSIGN_PASSWORD")
"""Where the password of a key is looked for."""


def find_evidence(context: Context, project: Project, lock: Lock, revision: Revision | None, options: BuildOptions) -> Evidence:
    """What is known of a build that was just done, or could be."""
    from shipwheel.attest.evidence import gather
    from shipwheel.hashes import Hashes

    form = {"form": options.form.key} if options.form else {}
    hash_file = Hashes(context.home / "hashes").sha256
    return gather(project, lock, revision, hash_file, {"bytecode": options.bytecode, **form})


def keep_evidence(context: Context, image: Image | Index, evidence: Evidence) -> None:
    """Write it down beside the image in the store."""
    from shipwheel.attest.evidence import encode

    context.store.keep_note(image.manifest.digest, encode(evidence))


def kept_evidence(context: Context, image: Image | Index) -> Evidence | None:
    """What was written down of this image; None of one that was not built here, or by a shipwheel that wrote it otherwise."""
    from shipwheel.attest.evidence import decode

    note = context.store.note(image.manifest.digest)
    try:
        return decode(note) if note else None
    except (LockError, ValueError, TypeError, KeyError):
        return None


def open_key(context: Context, path: str) -> PrivateKey | None:
    """The key to sign with; None for no path.

    Raises:
        UsageError: it cannot be read, or its password is another.
    """
    if not path:
        return None
    from shipwheel.signing import load_private_key

    return load_private_key(Path(path), sign_password(context))


def sign_password(context: Context) -> str:
    """The password of a key to sign with, images and layers alike; empty where none is given."""
    return next(filter(None, map(context.env.get, PASSWORDS)), "")


def attest_pushed(
    context: Context, image: Image | Index, repository: Repository, key: PrivateKey | None, *, documents: bool = True
) -> None:
    """Attach to an image that was just pushed what is known of it, signed where there is a key, and say so."""
    from shipwheel.attest.attach import attest

    evidence = kept_evidence(context, image) if documents else None
    if evidence is None and documents:
        context.say("not built here: neither SBOM nor provenance is attached")
    if evidence and evidence.revision is None:
        context.say("provenance names no commit: git did not hold the project's folder exactly as it was built")
    if evidence or key:
        sent = attest(image, evidence, repository, key)
        what = ", ".join([*(("SBOMs", "provenance") if evidence else ()), *(("signature",) if key else ())])
        context.say(f"{what}: {'attached' if sent else 'there already'}")
