"""`Reader`: manifests and blobs of one repository, from a registry's mirrors first and from itself where they fail."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from shipwheel.errors import NetworkError, ShipwheelError
from shipwheel.http import Body, Request, absent
from shipwheel.oci.blob import CHUNK, Blob, Descriptor, Digest
from shipwheel.registry.auth import Scopes, pull
from shipwheel.registry.download import Download
from shipwheel.registry.manifest import ACCEPT, checked
from shipwheel.registry.session import Session

_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN"})
"""Codes that say so whatever the status."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mirror:
    """Another registry, and what the repository is called there."""

    session: Session
    name: str


class Reader:
    """Reads the repository `name`; safe to use from several threads. A mirror that does not answer is not asked again."""

    def __init__(self, session: Session, mirrors: Sequence[Mirror], name: str) -> None:
        self._session, self._name = session, name
        self._mirrors = list(mirrors)

    def manifest(self, reference: str) -> Blob | None:
        """The manifest of a tag or digest; None where there is none."""
        for mirror in tuple(self._mirrors):
            try:
                return checked(mirror.session.once(_manifest(mirror.name, reference), pull(mirror.name)), reference)
            except NetworkError as error:
                self._judge(mirror, error)
            except ShipwheelError:
                continue
        return self.own_manifest(reference, pull(self._name))

    def own_manifest(self, reference: str, scopes: Scopes) -> Blob | None:
        """As the registry itself has it now, with a token that allows more than to read."""
        try:
            return checked(self._session.ask(_manifest(self._name, reference), scopes), reference)
        except NetworkError as error:
            if absent(error) or error.fields.get("code") in _ABSENT:
                return None
            raise

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob; each mirror has one chance, for a mirror may lose a blob at any byte."""
        untried = list(self._mirrors)

        @contextmanager
        def attempt(start: int) -> Iterator[Body]:
            with ExitStack() as stack:
                yield self._opened(stack, untried, descriptor.digest, start)

        return cast(BinaryIO, io.BufferedReader(Download(descriptor, attempt, self._session.client), CHUNK))

    def _opened(self, stack: ExitStack, untried: list[Mirror], digest: Digest, start: int) -> Body:
        while untried:
            mirror = untried.pop(0)
            try:
                return stack.enter_context(mirror.session.open(_blob(mirror.name, digest), pull(mirror.name), start=start))
            except NetworkError as error:
                self._judge(mirror, error)
        return stack.enter_context(self._session.open(_blob(self._name, digest), pull(self._name), start=start))

    def _judge(self, mirror: Mirror, error: NetworkError) -> None:
        if not error.fields.get("status") and mirror in self._mirrors:
            self._mirrors.remove(mirror)


def _manifest(name: str, reference: str) -> Request:
    return Request(url=f"/v2/{name}/manifests/{reference}", headers={"Accept": ACCEPT})


def _blob(name: str, digest: Digest) -> Request:
    return Request(url=f"/v2/{name}/blobs/{digest}")
