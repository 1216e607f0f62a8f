"""`Session`: one registry host: where it answers, who we are there, and exchanges with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from shipwheel.credentials import redact
from shipwheel.errors import ImageError, NetworkError
from shipwheel.http import Body, Client, Request
from shipwheel.oci.image import MAX_JSON
from shipwheel.registry.auth import NOBODY, Authority, Scopes
from shipwheel.registry.logins import Login

_WHOLE_ONLY = ("-docker.pkg.dev", "gcr.io")
"""Google's take no pieces, as their documentation says: the answer to the second would tell, but late."""

NO_REGISTRY = "is the name right? A web server, or a page to log in at, may answer there"
"""The hint where an answer is none that a registry gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole small answer; names of headers are in lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    content: bytes


class Session:
    """Exchanges with one registry; safe to use from several threads. `url` of their requests may begin at the root, /v2/.

    `host` is HOST[:PORT]; `schemes` are those that it may be spoken to by, in the order in which they are tried. `login`
    says who we are, `client` the client for the host of a URL.
    """

    def __init__(
        self, host: str, *, schemes: Sequence[str], login: Callable[[], Login | None], client: Callable[[str], Client]
    ) -> None:
        self.host = host
        self.client = client(f"https://{host}")
        self.takes_pieces = not host.endswith(_WHOLE_ONLY)
        """Whether it takes a blob in several pieces; the first refusal tells."""
        self._authority = Authority(self.base, login, client)
        self._schemes = schemes
        self._lock = threading.Lock()
        self._base = ""

    def base(self) -> str:
        """https://HOST, or http://HOST where it is found to answer so."""
        with self._lock:
            self._base = self._base or self._found()
        return self._base

    def _found(self) -> str:
        """The first that answers; a server that wants TLS closes, or calls a request without it a bad one."""
        *tried, last = self._schemes
        for scheme in tried:
            try:
                with self.client.exchange(Request(url=f"{scheme}://{self.host}/v2/", authorizer=NOBODY, follow=False)):
                    return f"{scheme}://{self.host}"
            except NetworkError as error:
                if error.fields.get("status") not in (None, 0, 400):
                    return f"{scheme}://{self.host}"
        return f"{last}://{self.host}"

    @contextmanager
    def open(self, request: Request, scopes: Scopes, *, start: int = 0) -> Iterator[Body]:
        """One attempt, the body from offset `start` if the registry can.

        Raises:
            NetworkError: fields method, url, status, code and retryable.
        """
        url = self._absolute(request.url)
        try:
            with self.client.exchange(replace(request, url=url, authorizer=self._authority.of(scopes)), start=start) as body:
                yield body
        except NetworkError as error:
            error.hint = _hint(error, self.host)
            raise

    def once(self, request: Request, scopes: Scopes) -> Answer:
        """One attempt, the whole answer.

        Raises:
            ImageError: it is larger than any manifest or list may be.
        """
        with self.open(request, scopes) as body:
            content = b""
            for chunk in body.chunks:
                content += chunk
                if len(content) > MAX_JSON:
                    raise ImageError(f"{redact(body.url)} has over {MAX_JSON >> 20} MiB, the most of a manifest or list")
            return Answer(status=body.status, url=body.url, headers=body.headers, content=content)

    def ask(self, request: Request, scopes: Scopes) -> Answer:
        """As `once`, tried again where that may help."""
        return self.client.retry(lambda: self.once(request, scopes))

    def _absolute(self, url: str) -> str:
        """A location that a registry gives as its own host's without TLS, though it is spoken to with, is corrected: a
        proxy before it ends the TLS, and the registry does not know."""
        base = self.base()
        target = urlsplit(urljoin(base, url))
        if target.scheme == "http" and base.startswith("https://") and target.hostname == urlsplit(base).hostname:
            return target._replace(scheme="https", netloc=urlsplit(base).netloc).geturl()
        return target.geturl()


def _hint(error: NetworkError, host: str) -> str:
    status, code = error.fields.get("status"), error.fields.get("code")
    if code == "NAME_UNKNOWN":
        return f"some registries want a repository to be made before it is pushed to; is the name right for {host}?"
    if status == 401:
        return f"log in with 'shipwheel login {host}'; a repository that does not exist may look the same"
    if status == 403:
        return f"who is logged in at {host} may not do this, or the repository does not exist"
    if status == 404:
        return "check the name and the tag"
    if status == 413:
        return "the registry, or a proxy before it, takes no request of that size"
    if status == 429:
        return f"{host} limits how often it is asked: log in for more, or wait"
    if "CERTIFICATE_VERIFY_FAILED" in error.message:
        return f"put its certificate into ~/.config/containers/certs.d/{host}/ca.crt, or set SSL_CERT_FILE"
    if "WRONG_VERSION_NUMBER" in error.message:
        return f"it answers without TLS, it seems; SHIPWHEEL_INSECURE_REGISTRIES={host} allows that"
    return error.hint
