"""The one HTTP client: retries, time limits, credentials that stay secret, and `file:` URLs.

Proxies (HTTP_PROXY, NO_PROXY ...) and certificates (SSL_CERT_FILE, SSL_CERT_DIR) are read from the environment by httpx.
"""

from __future__ import annotations

import base64
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from shipwheel import __version__
from shipwheel.credentials import Credentials, in_url, origin, redact, redact_text
from shipwheel.errors import NetworkError, ShipwheelError
from shipwheel.oci.blob import CHUNK

if TYPE_CHECKING:
    import httpx

USER_AGENT = f"shipwheel/{__version__}"
MAX_REDIRECTS = 10
MAX_PAGE = 256 << 20
"""Bytes that `get` reads at most: Debian's unpacked main index is about 50 MB, PyPI's largest page about 30 MB."""
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone on the next try (RFC 9110 section 15; 425 is RFC 8470)."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the client is; times in seconds."""

    connect: float = 15.0
    stall: float = 60.0
    """Without a single byte; a slow download that moves is never cut."""
    attempts: int = 5
    backoff: float = 0.5
    """Before the second attempt; doubles with each, with jitter."""
    longest_wait: float = 60.0
    """A server's Retry-After counts up to this."""


def file_path(url: str) -> Path | None:
    """The path of a `file:` URL of this machine; None for any other URL."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An answer whose bytes are about to come; `start` is the offset of the first one, `url` where it came from."""

    status: int
    url: str
    start: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Client:
    """Reads URLs; safe to use from several threads. Close it, or use it in a `with`."""

    def __init__(self, credentials: Credentials | None = None, limits: Limits | None = None) -> None:
        self._credentials = credentials or Credentials()
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._http: httpx.Client | None = None
        self._asked: dict[str, tuple[str, str] | None] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client opens new ones if it is used again."""
        with self._lock:
            http, self._http = self._http, None
        if http:
            http.close()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """The whole body, for pages and indexes; decoded if it came compressed in transit.

        Raises:
            NetworkError: after the last attempt; fields method, url (redacted), status, retryable.
        """
        return self.page(url, headers=headers)[0]

    def page(self, url: str, *, headers: Mapping[str, str] | None = None) -> tuple[bytes, Body]:
        """As `get`, with the answer: its headers and the URL after redirects, for relative links."""

        def read() -> tuple[bytes, Body]:
            with self._open("GET", url, headers or {}, decode=True) as body:
                return _read(body, url), body

        return self.retry(read)

    def size(self, url: str) -> int | None:
        """What HEAD says of the length in bytes; None where the server does not tell."""

        def ask() -> int | None:
            with self._open("HEAD", url, {"Accept-Encoding": "identity"}, decode=False) as body:
                length = body.headers.get("content-length", "")
                return int(length) if length.isdigit() else None

        return self.retry(ask)

    @contextmanager
    def stream(self, url: str, *, start: int = 0) -> Iterator[Body]:
        """The bytes as they come, from offset `start` if the server can (else `body.start` is 0). One attempt only."""
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with self._open("GET", url, headers, decode=False) as body:
            yield body

    def download(self, url: str, sink: Callable[[bytes], object]) -> None:
        """Every byte into `sink`, in one attempt; `fetch` is the place for whole files that must survive interruptions."""
        with self.stream(url) as body:
            for chunk in body.chunks:
                sink(chunk)

    def retry(self, action: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """Run `action` until it succeeds, it fails in a way that trying again cannot change, or attempts are used up.

        `progress` is what has been achieved so far: whenever it grew, counting begins again.
        """
        failures, before = 0, progress()
        while True:
            try:
                return action()
            except NetworkError as error:
                failures = 1 if progress() > before else failures + 1
                before = progress()
                if not error.fields.get("retryable") or failures >= self._limits.attempts:
                    raise
                time.sleep(self._wait(failures, error.fields.get("retry_after")))

    def _wait(self, failures: int, asked: object) -> float:
        if isinstance(asked, int | float):
            return min(float(asked), self._limits.longest_wait)
        pause: float = self._limits.backoff * 2 ** (failures - 1)
        return min(pause * random.uniform(0.5, 1.0), self._limits.longest_wait)

    @contextmanager
    def _open(self, method: str, url: str, headers: Mapping[str, str], *, decode: bool) -> Iterator[Body]:
        path = file_path(url)
        if path is not None:
            with _open_file(method, url, path, headers) as body:
                yield body
            return
        if urlsplit(url).scheme not in ("http", "https"):
            raise NetworkError(f"cannot read {redact(url)}: only http, https and file URLs", method=method, url=redact(url))
        import httpx

        try:
            with self._follow(method, url, headers) as (response, final):
                if response.status_code >= 400:
                    raise _status_error(method, url, response)
                yield _body(response, final, decode=decode)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _transport_error(method, url, error) from None

    @contextmanager
    def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[tuple[httpx.Response, str]]:
        """The response after redirects; each hop gets the credentials of its own host and no other's."""
        for _ in range(MAX_REDIRECTS):
            response = self._send(method, url, headers)
            try:
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    yield response, url
                    return
                url = _next_hop(method, url, response.headers["location"])
            finally:
                response.close()
        raise _network_error(method, url, "too many redirects", retryable=False)

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        found = self._asked.get(origin(url)) or self._credentials.find(url)
        response = self._send_once(method, url, headers, found)
        if response.status_code != 401:
            return response
        asked = self._ask_keyring(url)
        if not asked or asked == found:
            return response
        response.close()
        return self._send_once(method, url, headers, asked)

    def _ask_keyring(self, url: str) -> tuple[str, str] | None:
        with self._asking:
            if origin(url) not in self._asked:
                self._asked[origin(url)] = self._credentials.ask_keyring(url)
            return self._asked[origin(url)]

    def _send_once(self, method: str, url: str, headers: Mapping[str, str], found: tuple[str, str] | None) -> httpx.Response:
        import httpx

        http = self._connected()
        sent = dict(headers)
        if found:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(found).encode()).decode()
        request = http.build_request(method, httpx.URL(url).copy_with(username=None, password=None), headers=sent)
        return http.send(request, stream=True, follow_redirects=False, auth=None)

    def _connected(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._http is None:
                limits = self._limits
                self._http = httpx.Client(
                    timeout=httpx.Timeout(limits.stall, connect=limits.connect, pool=None),
                    limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
                    headers={"User-Agent": USER_AGENT},
                )
            return self._http


def _read(body: Body, url: str) -> bytes:
    pieces, size = [], 0
    for chunk in body.chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > MAX_PAGE:
            raise _network_error("GET", url, f"over {MAX_PAGE >> 20} MB", retryable=False)
    return b"".join(pieces)


def _body(response: httpx.Response, url: str, *, decode: bool) -> Body:
    match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return Body(
        status=response.status_code,
        url=url,
        start=int(match[1]) if match and response.status_code == 206 else 0,
        headers=dict(response.headers),
        chunks=response.iter_bytes(CHUNK) if decode else response.iter_raw(),
    )


@contextmanager
def _open_file(method: str, url: str, path: Path, headers: Mapping[str, str]) -> Iterator[Body]:
    """A file as if a server had sent it; a folder is its index.html, as web servers have it."""
    path = path / "index.html" if path.is_dir() else path
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            start = min(int(headers.get("Range", "bytes=0-")[6:-1]), size)
            stream.seek(start)
            chunks = iter(lambda: stream.read(CHUNK), b"") if method == "GET" else iter(())
            yield Body(status=200, url=url, start=start, headers={"content-length": str(size)}, chunks=chunks)
    except FileNotFoundError:
        raise _network_error(method, url, "no such file", status=404, retryable=False) from None
    except PermissionError:
        raise _network_error(method, url, "permission denied", status=403, retryable=False) from None


def _next_hop(method: str, url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in ("http", "https"):
        raise _network_error(method, url, f"redirect to {redact(target)}", retryable=False)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise _network_error(method, url, f"redirect from https to {redact(target)}", retryable=False)
    if origin(target) == origin(url) and in_url(url) and not in_url(target):
        user_info = urlsplit(url).netloc.rpartition("@")[0]
        parts = urlsplit(target)
        return urlunsplit(parts._replace(netloc=f"{user_info}@{parts.netloc}"))
    return target


_HINTS = {
    401: "give credentials in the URL's environment variable, in ~/.netrc or in the keyring",
    403: "the credentials do not allow this, or a proxy forbids it",
    404: "the index or mirror does not have it; check its address",
    407: "the proxy wants credentials: put them into HTTPS_PROXY",
}


def _status_error(method: str, url: str, response: httpx.Response) -> NetworkError:
    status = response.status_code
    reason = f"{status} {response.reason_phrase}".strip()
    error = _network_error(method, url, reason, status=status, retryable=status in RETRYABLE)
    error.fields["retry_after"] = _retry_after(response.headers.get("retry-after", ""))
    return error


def _retry_after(value: str) -> float | None:
    """Seconds to wait (RFC 9110 section 10.2.3: a number of seconds or a date)."""
    from email.utils import parsedate_to_datetime

    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _transport_error(method: str, url: str, error: Exception) -> NetworkError:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return _network_error(method, url, "no connection in time", retryable=True)
    if isinstance(error, httpx.TimeoutException):
        return _network_error(method, url, "stalled: no bytes came in time", retryable=True)
    text = redact_text(str(error)) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        failure = _network_error(method, url, text, retryable=False)
        failure.hint = "set SSL_CERT_FILE to the certificates that your network uses"
        return failure
    return _network_error(method, url, text, retryable=isinstance(error, httpx.TransportError))


def _network_error(method: str, url: str, reason: str, *, retryable: bool, status: int = 0) -> NetworkError:
    return NetworkError(
        f"{method} {redact(url)} failed: {reason}",
        hint=_HINTS.get(status, "check the network and the proxy settings" if retryable else ""),
        method=method,
        url=redact(url),
        status=status,
        retryable=retryable,
    )


def absent(error: ShipwheelError) -> bool:
    """Whether a failure only says that there is no such thing at that address."""
    return isinstance(error, NetworkError) and error.fields.get("status") in (404, 410)
