"""`Upload`: one blob on its way into a repository (OCI distribution-spec, "Pushing blobs").

Small blobs go in one piece; large ones in several, so that a broken connection costs one piece. Registries that take no
pieces (Google's, some proxies) are sent the whole. What is sent is checked while it is read, and the last piece leaves
only when all of it was right, so that nothing wrong can be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from urllib.parse import quote, urljoin

from shipwheel.credentials import redact
from shipwheel.errors import IntegrityError, NetworkError
from shipwheel.http import Request, absent
from shipwheel.oci.blob import Blob
from shipwheel.registry.auth import Scopes
from shipwheel.registry.session import Answer, Session

PIECE = 32 << 20
"""Bytes of one request: more would be lost with a connection, less would wait for more answers. Proxies take 100 MB."""
COMMIT = 300.0
"""Seconds that a registry may take to put a whole blob into its place."""

_NO_PIECES = frozenset({400, 404, 405, 411, 415, 416, 501})
"""How registries refuse a PATCH that they do not know."""
_LOST = frozenset({400, 404, 409, 410, 416})
"""How they say that an upload cannot be gone on with."""


class Upload:
    """Sends one blob; `blobs` is the path /v2/NAME/blobs/, `begun` the answer to a mount that began an upload instead."""

    def __init__(self, session: Session, scopes: Scopes, blobs: str, blob: Blob, *, begun: Answer | None = None) -> None:
        self._session, self._scopes, self._blobs, self._blob = session, scopes, blobs, blob
        self._cursor = Cursor(blob)
        self._location, self._length, self._sent = "", PIECE, 0
        self._doubtful = False
        """Whether the registry may have another idea of what it has than we."""
        self._looked = False
        """Whether it was asked for that since the last piece that it took."""
        self._restarted = False
        """Whether it refused to go on before."""
        self._committing = False
        """Whether it may have the whole blob, though its word for that did not arrive."""
        if begun:
            self._begin(begun)

    def run(self) -> None:
        """Send it.

        Raises:
            IntegrityError: it is not what its descriptor promises; the registry keeps nothing.
            NetworkError: the registry refuses, or attempts are used up.
        """
        try:
            self._session.client.retry(self._attempt, lambda: self._sent)
        except IntegrityError:
            self._cancel()
            raise
        finally:
            self._cursor.close()

    def _attempt(self) -> None:
        if self._committing and self._is_there():
            return
        if self._location and self._doubtful:
            self._look()
        if not self._location:
            self._begin(self._session.once(Request(method="POST", url=f"{self._blobs}uploads/"), self._scopes))
        self._doubtful = self._committing = False
        if self._blob.size <= self._length or not self._session.takes_pieces:
            self._whole()
            return
        while self._sent < self._blob.size:
            self._piece()
        self._commit(b"", 0)

    def _begin(self, answer: Answer) -> None:
        least = answer.headers.get("oci-chunk-min-length", "")
        self._length, self._sent, self._looked = max(PIECE, int(least) if least.isdigit() else 0), 0, False
        self._go_to(answer)

    def _is_there(self) -> bool:
        try:
            self._session.once(Request(method="HEAD", url=f"{self._blobs}{self._blob.digest}"), self._scopes)
        except NetworkError as error:
            if absent(error):
                return False
            raise
        return True

    def _whole(self) -> None:
        """In one request; what broke off begins anew, in an upload of its own."""
        try:
            self._commit(partial(self._cursor.read, 0, self._blob.size), self._blob.size)
        except NetworkError as error:
            self._location = ""
            if error.fields.get("status") == 400 and error.fields.get("code") == "DIGEST_INVALID":
                error.fields["retryable"] = True  # what left here was right
            raise

    def _piece(self) -> None:
        start, length = self._sent, min(self._length, self._blob.size - self._sent)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "Content-Range": f"{start}-{start + length - 1}",
        }
        request = Request(
            method="PATCH", url=self._location, headers=headers, content=partial(self._cursor.read, start, length)
        )
        self._doubtful = True
        try:
            answer = self._session.once(request, self._scopes)
        except NetworkError as error:
            self._refused(error)
            raise
        self._go_to(answer)
        self._sent, self._doubtful, self._looked = start + length, False, False

    def _refused(self, error: NetworkError) -> None:
        """Where a later piece is refused, the registry is asked what it has, and where that does not help, the blob begins
        anew; where the first one is, or a later one again, the whole is sent in one request."""
        status = error.fields.get("status")
        if status == 416 and self._sent and not self._looked:
            error.fields["retryable"] = True
        elif status in (_LOST if self._sent else _LOST | _NO_PIECES):
            if self._restarted or (not self._sent and status in _NO_PIECES):
                self._session.takes_pieces = False
            self._location, self._restarted = "", True
            error.fields["retryable"] = True

    def _look(self) -> None:
        """What the registry has of the upload, which it may also have lost."""
        try:
            answer = self._session.once(Request(url=self._location), self._scopes)
        except NetworkError as error:
            if error.fields.get("status") not in _LOST:
                raise
            self._location = ""
            return
        had = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("range", ""))
        end = int(had[1]) if had else 0
        self._sent = min(end + 1 if end else 0, self._blob.size)  # 0-0 is what some say of nothing
        self._looked = True
        self._go_to(answer)

    def _commit(self, content: bytes | partial[Iterator[bytes]], length: int) -> None:
        mark = "&" if "?" in self._location else "?"
        url = f"{self._location}{mark}digest={quote(str(self._blob.digest), safe='')}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        self._doubtful = self._committing = True
        try:
            self._session.once(Request(method="PUT", url=url, headers=headers, content=content, stall=COMMIT), self._scopes)
        except NetworkError as error:
            if error.fields.get("status") in _LOST and not length:
                self._location = ""
                error.fields["retryable"] = True
            raise

    def _go_to(self, answer: Answer) -> None:
        """Every answer may name another location for what follows."""
        location = answer.headers.get("location", "")
        self._location = urljoin(answer.url, location) if location else self._location
        if not self._location:
            raise NetworkError(
                f"{self._session.host} began an upload and gave no location",
                method="POST",
                url=redact(self._blobs),
                retryable=False,
            )

    def _cancel(self) -> None:
        if self._location:
            with suppress(NetworkError):
                self._session.once(Request(method="DELETE", url=self._location), self._scopes)


class Cursor:
    """Reads parts of a blob, one after the other as a rule, and checks the whole when its last byte is asked for."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._chunks: Iterator[bytes] = iter(())
        self._rest = b""
        self._at = -1

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from `start`; the last of the blob come only when it was seen to be the promised one.

        Raises:
            IntegrityError: it is not.
        """
        self._seek(start)
        end = start + length
        if not self._blob.size:
            self._check()
        while self._at < end:
            piece = self._next(end - self._at)
            if self._at == self._blob.size:
                self._check()
            yield piece

    def close(self) -> None:
        """Close the blob's stream, if one is open."""
        self._chunks, self._rest, self._at = iter(()), b"", -1

    def _seek(self, start: int) -> None:
        if start != self._at:
            self._chunks, self._rest, self._at = self._blob.chunks(), b"", 0
            while self._at < start:
                self._next(start - self._at)

    def _next(self, most: int) -> bytes:
        """Ends with the blob's own error where it is too short, or cannot be read: its source has tried often enough."""
        try:
            chunk = self._rest or next(self._chunks)
        except NetworkError as error:
            self.close()
            error.fields["retryable"] = False
            raise
        piece, self._rest = chunk[:most], chunk[most:]
        self._at += len(piece)
        return piece

    def _check(self) -> None:
        """To the end of the blob, which raises where it is a wrong one; more bytes than promised are not sent."""
        for _ in self._chunks:
            pass
