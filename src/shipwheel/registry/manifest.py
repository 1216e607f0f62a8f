"""From a registry's answer to a manifest: which type it has, and whether it is the one that was asked for."""

from __future__ import annotations

import json
from dataclasses import replace

from shipwheel.errors import ImageError, IntegrityError
from shipwheel.oci.blob import Blob, Digest, Platform
from shipwheel.oci.image import DOCKER_LIST_TYPE, DOCKER_MANIFEST_TYPE, INDEX_TYPE, INDEX_TYPES, MANIFEST_TYPE, MANIFEST_TYPES
from shipwheel.registry.session import NO_REGISTRY, Answer

ACCEPT = ", ".join((INDEX_TYPE, MANIFEST_TYPE, DOCKER_LIST_TYPE, DOCKER_MANIFEST_TYPE))
"""Registries convert, or answer 404, what is not in the list."""

_KNOWN = frozenset({*INDEX_TYPES, *MANIFEST_TYPES})
_OLD = "application/vnd.docker.distribution.manifest.v1"


def checked(answer: Answer, name: str) -> Blob:
    """The manifest that a registry gave for a tag or digest.

    Raises:
        IntegrityError: it has another digest.
        ImageError: Docker's schema 1, or no manifest.
    """
    media_type = _media_type(answer, name)
    manifest = Blob.from_bytes(answer.content, media_type)
    for promised in (name, answer.headers.get("docker-content-digest", "")):
        if promised.startswith("sha256:") and Digest.parse(promised) != manifest.digest:
            raise IntegrityError(f"the registry gave {manifest.digest} where it promised {promised}")
    return manifest


def _media_type(answer: Answer, name: str) -> str:
    """What the head says, if that is a type that we asked for, else what the manifest says of itself, or looks like."""
    said = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ImageError(f"the manifest of '{name}' is not a JSON object", hint=NO_REGISTRY)
    if said.startswith(_OLD) or value.get("schemaVersion") == 1:
        raise ImageError(
            f"'{name}' is of Docker's old schema 1", hint="pull it with docker and push it again, which converts it"
        )
    own = value.get("mediaType")
    if {"manifests", "layers"} <= value.keys() or (said in _KNOWN and own in _KNOWN and said != own):
        raise ImageError(f"'{name}' contradicts itself: it may be an image or an index")  # CVE-2021-41190
    if said in _KNOWN:
        return said
    if isinstance(own, str) and own:
        return own
    return INDEX_TYPE if "manifests" in value else MANIFEST_TYPE


def normal(platform: Platform) -> Platform:
    """As `Platform.parse` gives it: arm64 is v8 whether an index says so or not."""
    return replace(platform, variant="") if (platform.architecture, platform.variant) == ("arm64", "v8") else platform
