"""One entry of a layer index: what its manifest says of a layer, checked, and signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import MANIFEST_TYPE, canonical_json
from shipwheel.oci.layer import MEDIA_TYPE, Layer

if TYPE_CHECKING:
    from shipwheel.signing import PrivateKey, PublicKey

MAX_SIZE = 64 << 30
"""Bytes of a layer that are believed: the largest wheels have some 5 GB."""

MAX_RATIO = 1032
"""Bytes that one byte of deflate can become at most (zlib's technical details), so that no size of an entry is absurd."""

MAX_TEXT = 4096
"""Characters of what a layer says that it holds: buckets of small wheels name all of them."""

_KEY, _DIFF_ID, _UNPACKED, _HOLDS, _SIGNATURE = (
    f"dev.shipwheel.layer.{name}" for name in ("key", "diff-id", "unpacked", "holds", "signature")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an entry says: the layer's key, its blob, and of its tar the digest, the size in bytes and what it holds.

    `annotations` are the blob's own, as they stand in every manifest with this layer.
    """

    key: str
    digest: Digest
    size: int
    diff_id: Digest
    unpacked: int
    holds: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    signature: bytes = b""

    @classmethod
    def of(cls, key: str, layer: Layer) -> Facts:
        """What the entry of a layer should say."""
        return cls(
            key=key,
            digest=layer.blob.digest,
            size=layer.blob.size,
            diff_id=layer.diff_id,
            unpacked=layer.unpacked,
            holds=layer.created_by[:MAX_TEXT],
            annotations=layer.blob.descriptor.annotations,
        )

    @property
    def descriptor(self) -> Descriptor:
        """The blob's."""
        return Descriptor(media_type=MEDIA_TYPE, digest=self.digest, size=self.size, annotations=self.annotations)

    @property
    def statement(self) -> bytes:
        """What is signed: all of it, the key as well, so that no entry can stand for another."""
        facts = {"key": self.key, "digest": str(self.digest), "size": self.size, "annotations": dict(self.annotations)}
        tar = {"diffId": str(self.diff_id), "unpacked": self.unpacked, "holds": self.holds}
        return canonical_json({"type": "dev.shipwheel.layer", "version": 1, **facts, **tar})

    def is_signed(self, trusted: PublicKey) -> bool:
        """Whether the holder of that key signed exactly this."""
        from shipwheel.signing import verify

        return verify(trusted, self.statement, self.signature)

    def notes(self, signing: PrivateKey | None) -> dict[str, str]:
        """The annotations of the entry's manifest; signed, where there is a key for it."""
        out = {_KEY: self.key, _DIFF_ID: str(self.diff_id), _UNPACKED: str(self.unpacked), _HOLDS: self.holds}
        if signing:
            from shipwheel.signing import sign

            out[_SIGNATURE] = base64.b64encode(sign(signing, self.statement)).decode()
        return out


def read_entry(key: str, manifest: Blob) -> Facts:
    """What the manifest under the tag `key` says, of the right types and within limits; its signature is not checked here.

    Raises:
        IntegrityError: it is no entry of this key.
    """
    if manifest.descriptor.media_type != MANIFEST_TYPE:
        raise IntegrityError(f"it is no image manifest but {manifest.descriptor.media_type[:100]!r}")
    try:
        value = json.loads(manifest.read())
        (layer,), notes = value["layers"], value["annotations"]
        descriptor = Descriptor.from_json(layer)
        facts = Facts(
            key=notes[_KEY],
            digest=descriptor.digest,
            size=descriptor.size,
            diff_id=Digest.parse(notes[_DIFF_ID]),
            unpacked=int(notes[_UNPACKED]),
            holds=notes[_HOLDS],
            annotations=descriptor.annotations,
            signature=base64.b64decode(notes.get(_SIGNATURE, ""), validate=True),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"it is malformed: {type(error).__name__}: {str(error)[:100]}") from None
    if reason := _fault(key, facts, descriptor.media_type):
        raise IntegrityError(reason)
    return facts


def _fault(key: str, facts: Facts, media_type: str) -> str:
    """What is wrong with the facts of an entry, or nothing."""
    if facts.key != key:
        return f"it is the entry of another key, {str(facts.key)[:64]!r}"
    if media_type != MEDIA_TYPE:
        return f"its layer is of type {media_type[:100]!r}"
    if not 0 < facts.size <= MAX_SIZE or not facts.size / 2 < facts.unpacked <= facts.size * MAX_RATIO:
        return f"its sizes cannot be: {facts.size} bytes, unpacked {facts.unpacked}"
    if sum(len(key) + len(text) for key, text in facts.annotations.items()) > MAX_TEXT:
        return "the annotations of its layer are too long"
    if not isinstance(facts.holds, str) or len(facts.holds) > MAX_TEXT or not facts.holds.isprintable():
        return "what it says that it holds is no line of text"
    return ""
