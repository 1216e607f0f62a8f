"""`Attachment`: a manifest that says something about another, with its blobs; as OCI has it, and as cosign 1 and 2 do."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import CONFIG_TYPE, MANIFEST_TYPE, canonical_json
from shipwheel.signing import PrivateKey, sign

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
EMPTY = Blob.from_bytes(b"{}", "application/vnd.oci.empty.v1+json")
"""The config of what has none (image-spec, manifest.md, "Guidance for an Empty Descriptor")."""

PREDICATE_TYPE = "predicateType"
"""The annotation that tells what kind of statement an envelope holds."""

_SIGNATURE = "dev.cosignproject.cosign/signature"
_NO_TIME = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Found by its `subject`, or by its `tag` where that is None."""

    manifest: Blob
    blobs: tuple[Blob, ...]
    subject: Descriptor | None = None
    tag: str = ""


def referrer(subject: Descriptor, document: Blob, predicate_type: str) -> Attachment:
    """A document as an artifact whose `subject` the image is (image-spec 1.1, manifest.md)."""
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": document.descriptor.media_type,
        "config": EMPTY.descriptor.as_json(),
        "layers": [document.descriptor.as_json()],
        "subject": {key: value for key, value in subject.as_json().items() if key in ("mediaType", "digest", "size")},
        "annotations": {"in-toto.io/predicate-type": predicate_type},
    }
    manifest = Blob.from_bytes(canonical_json(value), MANIFEST_TYPE)
    return Attachment(manifest=manifest, blobs=(EMPTY, document), subject=subject)


def tagged(tag: str, layers: Iterable[Mapping[str, Any]], blobs: Iterable[Blob]) -> Attachment:
    """Signatures or envelopes as the layers of an image, found by a tag that names what they are about."""
    layers = list(layers)
    config = {
        "architecture": "",
        "config": {},
        "created": _NO_TIME,
        "history": [{"created": _NO_TIME} for _ in layers],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    blob = Blob.from_bytes(canonical_json(config), CONFIG_TYPE)
    value = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": blob.descriptor.as_json(), "layers": layers}
    return Attachment(manifest=Blob.from_bytes(canonical_json(value), MANIFEST_TYPE), blobs=(*blobs, blob), tag=tag)


def tag_of(digest: Digest, suffix: str) -> str:
    """Where cosign looks for what is about a manifest: `att` for attestations, `sig` for signatures."""
    return f"sha256-{digest.hex}.{suffix}"


def signature(name: str, digest: Digest, key: PrivateKey) -> Blob:
    """A signed claim that this digest is that repository's image (containers/image, "simple signing")."""
    claim = {
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": str(digest)},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    payload = Blob.from_bytes(canonical_json(claim), SIMPLE_SIGNING)
    return _annotated(payload, {_SIGNATURE: base64.b64encode(sign(key, payload.read())).decode()})


def envelope(sealed: bytes, media_type: str, predicate_type: str) -> Blob:
    """A signed statement, annotated so that cosign need not read it to know its kind."""
    return _annotated(Blob.from_bytes(sealed, media_type), {_SIGNATURE: "", PREDICATE_TYPE: predicate_type})


def _annotated(blob: Blob, annotations: Mapping[str, str]) -> Blob:
    return replace(blob, descriptor=replace(blob.descriptor, annotations=annotations))
