"""`Repository`: one repository of a registry, a source and a target of images at once (OCI distribution-spec 1.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from shipwheel.credentials import redact
from shipwheel.errors import ImageError, IntegrityError, NetworkError
from shipwheel.http import Request, absent
from shipwheel.oci.blob import Blob, Descriptor, Digest, Platform
from shipwheel.oci.image import INDEX_TYPES, Image, Index, images_of, manifests
from shipwheel.oci.reference import Reference
from shipwheel.registry.auth import Scopes, pull, push
from shipwheel.registry.reader import Mirror, Reader
from shipwheel.registry.referrers import Referrers
from shipwheel.registry.resolver import PARALLEL, Resolver
from shipwheel.registry.session import NO_REGISTRY, Answer, Session
from shipwheel.registry.upload import Upload

MOUNTS = 3
"""Origins that are tried for a mount: each may have lost the blob, and each costs a request."""


class Repository:
    """A repository; made by `Registries.repository`. Safe to use from several threads.

    `origin` is HOST[:PORT]/PATH, as `Blob.origins` has it. Every method may raise NetworkError with fields method, url
    (redacted), status, code (the registry's own, such as DENIED) and retryable.
    """

    def __init__(self, reference: Reference, session: Session, mirrors: Iterable[Mirror] = ()) -> None:
        self.origin = reference.origin
        self._registry, self._name, self._session = reference.registry, reference.repository, session
        self._pull, self._push = pull(self._name), push(self._name)
        self._reader = Reader(session, tuple(mirrors), self._name)
        self._referrers = Referrers(
            session, self._name, lambda tag: self._reader.own_manifest(tag, self._pull), self.put_manifest
        )
        self._blobs: set[Digest] = set()
        self._mountable: set[Digest] = set()
        self._manifests: set[Digest] = set()
        self._expected: dict[str, Digest] = {}

    def resolve(self, name: str) -> Image | Index:
        """The image or index of this tag or digest; its raw manifest is kept, its blobs are read when they are opened.

        What an index holds that is no image, such as an attestation, is an image of platform unknown/unknown.

        Raises:
            NetworkError: there is none (status 404), or it cannot be had.
            ImageError, IntegrityError: it is no image, or not what it promises.
        """
        return self._resolver.resolve(self._present(name))

    def resolve_platform(self, name: str, platform: Platform) -> Image:
        """The image of one platform under this tag or digest; of an index only that one's manifest and config are read.

        Raises:
            ImageError: there is none for the platform; and as `resolve`.
        """
        return self._resolver.of_platform(self._present(name), platform)

    def manifest(self, name: str) -> Blob | None:
        """The raw manifest of this tag or digest, of any type, checked against its digest; None where there is none."""
        return self._reader.manifest(name)

    def blob(self, descriptor: Descriptor) -> Blob:
        """A blob of this repository, read when it is opened; `origins` names this repository."""
        return Blob(descriptor=descriptor, open=partial(self.open, descriptor), origins=(self.origin,))

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob as they come, unchecked but for an interrupted download, which goes on where it stopped."""
        return self._reader.open(descriptor)

    def expect(self, tag: str, image: Image | Index | None = None) -> None:
        """Get ready for an image that is to have this tag: one request tells of all blobs of the one that has it now.

        Blobs of `image` that can be mounted are not asked for: to mount one is a request, as to ask is.
        """
        images = images_of(image) if image else ()
        self._mountable = {blob.digest for each in images for blob in each.blobs if any(self._sources(blob))}
        with suppress(NetworkError, ImageError, IntegrityError):  # what is wrong will be told when something is sent
            manifest = self._reader.own_manifest(tag, self._push)
            if manifest:
                self._learn(manifest)
                self._expected[tag] = manifest.digest

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository has the blob."""
        return descriptor.digest in self._blobs or (descriptor.digest not in self._mountable and self._is_there(descriptor))

    def offers(self, descriptor: Descriptor) -> bool:
        """Whether readers find the blob, of this size as far as the registry tells; `has` asks with the right to push."""
        answer = self._head(descriptor, self._pull)
        length = answer.headers.get("content-length") if answer and answer.status < 300 else None
        return answer is not None and length in (None, str(descriptor.size))

    def write(self, blob: Blob) -> None:
        """Give the repository a blob: mounted where one of its origins is in this registry, else uploaded.

        Raises:
            IntegrityError: it is not what its descriptor promises.
        """
        mounted, begun = self._mount(blob)
        unasked = blob.digest in self._mountable
        if not mounted and not (unasked and self._is_there(blob.descriptor)):
            Upload(self._session, self._push, f"{self._path}/blobs/", blob, begun=begun).run()
        self._blobs.add(blob.digest)

    def tag(self, name: str, image: Image | Index) -> None:
        """Send the manifests; `name` is the tag, or empty: by digest only."""
        *below, top = manifests(image)
        missing = [each for each in below if each.digest not in self._manifests]
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(partial(self.put_manifest, ""), missing))
        if not name or self._expected.pop(name, None) != top.digest:  # once: another may move the tag at any time
            self.put_manifest(name, top)

    def put_manifest(self, name: str, manifest: Blob) -> None:
        """Send one manifest under a tag, or under its digest where `name` is empty.

        Raises:
            IntegrityError: the registry took it for something else.
        """
        self._put(name, manifest)

    def referrers(self, subject: Descriptor, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What refers to a manifest, from the referrers API or the fallback tag; of one artifact type only, where given."""
        entries = self._referrers.entries(subject.digest, artifact_type, self._pull)
        return tuple(Descriptor.from_json(entry) for entry in entries)

    def attach(self, manifest: Blob, subject: Descriptor) -> None:
        """Send a manifest whose `subject` that is, and add it to the fallback tag where the registry has no referrers API."""
        answer = self._put("", manifest)
        if "oci-subject" not in answer.headers:
            self._referrers.add(manifest, subject.digest)

    def _is_there(self, descriptor: Descriptor) -> bool:
        """A yes with another length is none: who answers so is no registry, or something stands before it."""
        answer = self._head(descriptor, self._push)
        length = answer.headers.get("content-length", "0") if answer and answer.status < 300 else "0"
        if answer is None or length not in ("0", str(descriptor.size)):
            return False
        self._blobs.add(descriptor.digest)
        return True

    @property
    def _path(self) -> str:
        return f"/v2/{self._name}"

    @property
    def _resolver(self) -> Resolver:
        return Resolver(manifest=self._below, blob=self.blob)

    def _head(self, descriptor: Descriptor, scopes: Scopes) -> Answer | None:
        """What the registry says of a blob; None: it has none. A redirect leads to the storage that has it, or, where the
        path stays, to the place where to ask."""
        request = Request(method="HEAD", url=f"{self._path}/blobs/{descriptor.digest}", follow=False)
        try:
            answer = self._session.ask(request, scopes)
            if answer.status >= 300 and urlsplit(answer.headers.get("location", "")).path == urlsplit(answer.url).path:
                answer = self._session.ask(replace(request, follow=True), scopes)
        except NetworkError as error:
            if absent(error):
                return None
            raise
        return answer

    def _present(self, name: str) -> Blob:
        manifest = self.manifest(name)
        if manifest is None:
            raise NetworkError(
                f"{self.origin} has no '{name}'",
                hint="check the name and the tag; a private one needs 'shipwheel login'",
                method="GET",
                url=f"{self._session.base()}{self._path}/manifests/{name}",
                status=404,
                code="MANIFEST_UNKNOWN",
                retryable=False,
            )
        return manifest

    def _below(self, descriptor: Descriptor) -> Blob:
        """A manifest of an index."""
        manifest = self._present(str(descriptor.digest))
        return replace(manifest, descriptor=replace(manifest.descriptor, media_type=descriptor.media_type))

    def _learn(self, manifest: Blob) -> None:
        value = json.loads(manifest.read())
        if manifest.descriptor.media_type in INDEX_TYPES:
            below = [descriptor.digest for descriptor in _descriptors(value.get("manifests"))]
            with ThreadPoolExecutor(PARALLEL) as pool:
                for found in pool.map(lambda digest: self._reader.own_manifest(str(digest), self._push), below):
                    if found:
                        self._learn(found)
        else:
            self._blobs.update(each.digest for each in _descriptors([value.get("config"), *(value.get("layers") or [])]))
        self._manifests.add(manifest.digest)

    def _mount(self, blob: Blob) -> tuple[bool, Answer | None]:
        """Whether it was mounted; if not, the upload that the registry began instead, if it did."""
        begun = None
        for source in list(self._sources(blob))[:MOUNTS]:
            url = f"{self._path}/blobs/uploads/?mount={quote(str(blob.digest), safe='')}&from={quote(source, safe='')}"
            try:
                answer = self._session.ask(Request(method="POST", url=url), self._push | pull(source))
            except NetworkError as error:
                if error.fields.get("retryable"):
                    raise
                continue  # who may not read the other repository may write this one
            if answer.status == 201:
                return True, None
            begun = answer if "location" in answer.headers else begun
        return False, begun

    def _sources(self, blob: Blob) -> Iterator[str]:
        """Other repositories of this registry that have it."""
        for origin in blob.origins:
            registry, _, name = origin.partition("/")
            if registry == self._registry and name != self._name:
                yield name

    def _put(self, name: str, manifest: Blob) -> Answer:
        request = Request(
            method="PUT",
            url=f"{self._path}/manifests/{name or manifest.digest}",
            headers={"Content-Type": manifest.descriptor.media_type},
            content=b"".join(manifest.chunks()),
        )
        try:
            answer = self._session.ask(request, self._push)
        except NetworkError as error:
            if error.fields.get("code") == "MANIFEST_BLOB_UNKNOWN":
                error.hint = "the registry lost something that it had a moment ago: push again"
                self._blobs.clear()
            raise
        taken = answer.headers.get("docker-content-digest", "")
        if answer.status != 201 and not taken:
            reason = f"answered {answer.status} to a manifest, as no registry does"
            raise NetworkError(
                f"{self._session.host} {reason}",
                hint=NO_REGISTRY,
                method="PUT",
                url=redact(answer.url),
                status=answer.status,
                retryable=False,
            )
        if taken.startswith("sha256:") and taken != str(manifest.digest):
            raise IntegrityError(f"{self.origin} took manifest {manifest.digest} for {taken}")
        self._manifests.add(manifest.digest)
        return answer


def _descriptors(entries: object) -> Iterator[Descriptor]:
    """Those that the registry itself has; some layers have `urls` instead."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and not entry.get("urls"):
            yield Descriptor.from_json(entry)
