"""`Document`: one thing said of an image, in the two shapes in which it goes to a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipwheel.attest import cyclonedx, dsse, provenance, spdx
from shipwheel.attest.evidence import Evidence
from shipwheel.oci.blob import Digest, Platform
from shipwheel.oci.image import canonical_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`predicate` is what is said, `predicate_type` the URI of its kind; `media_type` is that of the document by itself."""

    predicate_type: str
    media_type: str
    predicate: Mapping[str, Any]

    def plain(self, name: str, digest: Digest) -> bytes:
        """The document by itself: an SBOM, the same for every image of its lock; else a statement about the image."""
        if self.media_type == dsse.PAYLOAD_TYPE:
            return self.statement(name, digest)
        return canonical_json(self.predicate)

    def statement(self, name: str, digest: Digest) -> bytes:
        """That it holds of the image of this name and digest."""
        return dsse.statement(name, digest, self.predicate_type, self.predicate)


def documents(evidence: Evidence, platform: Platform) -> tuple[Document, ...]:
    """What is said of one platform's image: two SBOMs and its provenance.

    Raises:
        LockError: the lock was not made for the platform.
    """
    kinds = (
        (cyclonedx.PREDICATE, cyclonedx.MEDIA_TYPE, cyclonedx.cyclonedx(evidence, platform)),
        (spdx.PREDICATE, spdx.MEDIA_TYPE, spdx.spdx(evidence, platform)),
        (provenance.PREDICATE, dsse.PAYLOAD_TYPE, provenance.provenance(evidence, platform)),
    )
    return tuple(Document(predicate_type=kind, media_type=media, predicate=value) for kind, media, value in kinds)
