"""`Reader`: manifests and blobs of one repository, from a registry's mirrors first and from itself where they fail."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, cast

from shipwheel.errors import NetworkError, ShipwheelError
from shipwheel.http import Body, Request, absent
from shipwheel.oci.blob import CHUNK, Blob, Descriptor
from shipwheel.registry.auth import Scopes, pull
from shipwheel.registry.download import Download
from shipwheel.registry.manifest import ACCEPT, checked
from shipwheel.registry.session import Session

_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN"})
"""Codes that say so whatever the status."""


class Reader:
    """Reads the repository `name`; safe to use from several threads. A mirror that does not answer is not asked again."""

    def __init__(self, session: Session, mirrors: Sequence[Session], name: str) -> None:
        self._session, self._name = session, name
        self._mirrors = list(mirrors)

    def manifest(self, reference: str) -> Blob | None:
        """The manifest of a tag or digest; None where there is none."""
        for mirror in tuple(self._mirrors):
            try:
                return checked(mirror.once(self._manifest(reference), pull(self._name)), reference)
            except NetworkError as error:
                self._judge(mirror, error)
            except ShipwheelError:
                continue
        return self.own_manifest(reference, pull(self._name))

    def own_manifest(self, reference: str, scopes: Scopes) -> Blob | None:
        """As the registry itself has it now, with a token that allows more than to read."""
        try:
            return checked(self._session.ask(self._manifest(reference), scopes), reference)
        except NetworkError as error:
            if absent(error) or error.fields.get("code") in _ABSENT:
                return None
            raise

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob; each mirror has one chance, for a mirror may lose a blob at any byte."""
        untried = list(self._mirrors)
        request = Request(url=f"/v2/{self._name}/blobs/{descriptor.digest}")

        @contextmanager
        def attempt(start: int) -> Iterator[Body]:
            with ExitStack() as stack:
                yield self._opened(stack, untried, request, start)

        return cast(BinaryIO, io.BufferedReader(Download(descriptor, attempt, self._session.client), CHUNK))

    def _opened(self, stack: ExitStack, untried: list[Session], request: Request, start: int) -> Body:
        while untried:
            mirror = untried.pop(0)
            try:
                return stack.enter_context(mirror.open(request, pull(self._name), start=start))
            except NetworkError as error:
                self._judge(mirror, error)
        return stack.enter_context(self._session.open(request, pull(self._name), start=start))

    def _manifest(self, reference: str) -> Request:
        return Request(url=f"/v2/{self._name}/manifests/{reference}", headers={"Accept": ACCEPT})

    def _judge(self, mirror: Session, error: NetworkError) -> None:
        if not error.fields.get("status") and mirror in self._mirrors:
            self._mirrors.remove(mirror)
