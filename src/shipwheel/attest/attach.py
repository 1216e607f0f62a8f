"""`attest`: documents and signatures go to the registry, beside the image that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shipwheel.attest import dsse
from shipwheel.attest.artifact import PREDICATE_TYPE, Attachment, envelope, referrer, signature, tag_of, tagged
from shipwheel.attest.documents import Document, documents
from shipwheel.attest.evidence import Evidence
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.image import Image, Index, images_of, read_json
from shipwheel.registry.repository import Repository
from shipwheel.signing import PrivateKey

SENDERS = 4
"""Blobs that are sent at a time."""

MAX_ENVELOPE = 16 << 20
"""Bytes of an envelope that is read to see who signed it; larger ones are somebody else's."""


def attest(
    image: Image | Index, evidence: Evidence | None, repository: Repository, key: PrivateKey | None = None
) -> tuple[Descriptor, ...]:
    """Attach SBOMs and provenance to an image that the repository has, and with a key sign these and the image.

    Of an index every image gets its own, and the index itself what cosign looks for when it is given a tag: the signed
    documents of all. What this key has said before of the same kind is replaced, what others said stays. Without
    evidence there is nothing to say, only to sign.

    Returns: the manifests that were sent; none where all was there already.

    Raises:
        LockError: the evidence is of other platforms.
        NetworkError: the registry refuses.
    """
    desk = _Desk(repository=repository, key=key)
    wanted = [each for subject, said in _said(image, evidence) for each in desk.attachments(subject, said)]
    blobs = {blob.digest: blob for each in wanted for blob in each.blobs}
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(desk.send, blobs.values()))
    for each in wanted:
        if each.subject:
            repository.attach(each.manifest, each.subject)
        else:
            repository.put_manifest(each.tag, each.manifest)
    return tuple(each.manifest.descriptor for each in wanted)


def _said(image: Image | Index, evidence: Evidence | None) -> Iterator[tuple[Image | Index, tuple[Document, ...]]]:
    """Each image, then the index, with what is to be said of it."""
    images = images_of(image)
    said = [documents(evidence, each.platform) if evidence else () for each in images]
    yield from zip(images, said, strict=True)
    if isinstance(image, Index):
        yield image, tuple(document for each in said for document in each)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Writes what one repository does not have yet."""

    repository: Repository
    key: PrivateKey | None

    def send(self, blob: Blob) -> None:
        if not self.repository.has(blob.descriptor):
            self.repository.write(blob)

    def attachments(self, subject: Image | Index, said: Iterable[Document]) -> Iterator[Attachment]:
        descriptor, said = subject.manifest.descriptor, tuple(said)
        if isinstance(subject, Image) and said:
            known = {each.digest for each in self.repository.referrers(descriptor)}
            referrers = (self._referrer(descriptor, document) for document in said)
            yield from (each for each in referrers if each.manifest.digest not in known)
        if self.key:
            yield from self._signed(descriptor, said, self.key)

    def _referrer(self, subject: Descriptor, document: Document) -> Attachment:
        data = document.plain(self.repository.origin, subject.digest)
        return referrer(subject, Blob.from_bytes(data, document.media_type), document.predicate_type)

    def _signed(self, subject: Descriptor, said: tuple[Document, ...], key: PrivateKey) -> Iterator[Attachment]:
        name, digest = self.repository.origin, subject.digest
        envelopes = [
            envelope(dsse.seal(each.statement(name, digest), key), dsse.MEDIA_TYPE, each.predicate_type) for each in said
        ]
        if envelopes:
            yield from self._tagged(tag_of(digest, "att"), envelopes)
        yield from self._tagged(tag_of(digest, "sig"), [signature(name, digest, key)])

    def _tagged(self, tag: str, ours: list[Blob]) -> Iterator[Attachment]:
        """The manifest of this tag with ours among its layers; nothing where it has them."""
        manifest = self.repository.manifest(tag)
        before: list[Any] = read_json(manifest).get("layers", []) if manifest else []  # type: ignore[attr-defined]
        mine = [blob.descriptor.as_json() for blob in ours]
        kept = [layer for layer in before if layer in mine or not self._is_stale(Descriptor.from_json(layer), ours)]
        layers = kept + [layer for layer in mine if layer not in kept]
        if layers != before:
            yield tagged(tag, layers, ours)

    def _is_stale(self, layer: Descriptor, ours: list[Blob]) -> bool:
        """Whether this key said it, of a kind that it now says anew."""
        kinds = {blob.descriptor.annotations.get(PREDICATE_TYPE) for blob in ours} - {None}
        if layer.annotations.get(PREDICATE_TYPE) not in kinds or layer.size > MAX_ENVELOPE or self.key is None:
            return False
        return dsse.is_sealed_by(self.repository.blob(layer).read(), self.key.public_key())
