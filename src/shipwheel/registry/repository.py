"""`Repository`: one repository of a registry, a source and a target of images at once (OCI distribution-spec 1.1)."""

from __future__ import annotations

from typing import BinaryIO

from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.image import Image, Index


class Repository:
    """A repository; made by `Registries.repository`. Safe to use from several threads.

    `origin` is HOST[:PORT]/PATH, as `Blob.origins` has it. Every method may raise NetworkError with fields method, url
    (redacted), status, code (the registry's own, such as DENIED) and retryable.
    """

    origin: str

    def resolve(self, name: str) -> Image | Index:
        """The image or index of this tag or digest; its raw manifest is kept, its blobs are read when they are opened.

        Raises:
            NetworkError: there is none (status 404), or it cannot be had.
            ImageError, IntegrityError: it is no image, or not what it promises.
        """
        raise NotImplementedError

    def manifest(self, name: str) -> Blob | None:
        """The raw manifest of this tag or digest, of any type, checked against its digest; None where there is none."""
        raise NotImplementedError

    def blob(self, descriptor: Descriptor) -> Blob:
        """A blob of this repository, read when it is opened; `origins` names this repository."""
        raise NotImplementedError

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob as they come, unchecked but for an interrupted download, which goes on where it stopped."""
        raise NotImplementedError

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository has the blob."""
        raise NotImplementedError

    def write(self, blob: Blob) -> None:
        """Give the repository a blob: mounted where one of its origins is in this registry, else uploaded.

        Raises:
            IntegrityError: it is not what its descriptor promises.
        """
        raise NotImplementedError

    def tag(self, name: str, image: Image | Index) -> None:
        """Send the manifests; `name` is the tag, or empty: by digest only."""
        raise NotImplementedError

    def put_manifest(self, name: str, manifest: Blob) -> None:
        """Send one manifest under a tag, or under its digest where `name` is empty."""
        raise NotImplementedError

    def referrers(self, subject: Descriptor, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What refers to a manifest, from the referrers API or the fallback tag; of one artifact type only, where given."""
        raise NotImplementedError

    def attach(self, manifest: Blob, subject: Descriptor) -> None:
        """Send a manifest whose `subject` that is, and add it to the fallback tag where the registry has no referrers API."""
        raise NotImplementedError
