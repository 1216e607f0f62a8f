"""`Client`: requests with retries, redirects, time limits and credentials that stay secret."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from shipwheel import __version__
from shipwheel.credentials import Credentials, in_url, origin, redact
from shipwheel.errors import NetworkError
from shipwheel.http.authorization import Passwords
from shipwheel.http.errors import MAX_REFUSAL, network_error, status_error, transport_error
from shipwheel.http.exchange import Body, Limits, Request, Traffic
from shipwheel.http.files import file_path, open_file
from shipwheel.http.tls import trusted
from shipwheel.oci.blob import CHUNK

if TYPE_CHECKING:
    import ssl

    import httpx

USER_AGENT = f"shipwheel/{__version__}"
MAX_REDIRECTS = 10
MAX_PAGE = 256 << 20
"""Bytes that `get` reads at most: Debian's unpacked main index is about 50 MB, PyPI's largest page about 30 MB."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPING_METHOD = frozenset({307, 308})
_RAW = {"Accept-Encoding": "identity"}

T = TypeVar("T")


class Client:
    """Talks to servers; safe to use from several threads. Close it, or use it in a `with`.

    `tls` makes the context at the first connection; `traffic` counts what goes over the wire; `direct` goes past proxies.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        limits: Limits | None = None,
        *,
        tls: Callable[[], ssl.SSLContext] = trusted,
        traffic: Traffic | None = None,
        direct: bool = False,
    ) -> None:
        self.traffic = traffic or Traffic()
        self._passwords = Passwords(credentials or Credentials())
        self._limits = limits or Limits()
        self._tls, self._direct = tls, direct
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None

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
            NetworkError: after the last attempt; fields method, url (redacted), status, code, retryable.
        """
        return self.page(url, headers=headers)[0]

    def page(self, url: str, *, headers: Mapping[str, str] | None = None) -> tuple[bytes, Body]:
        """As `get`, with the answer: its headers and the URL after redirects, for relative links."""
        return self.ask(Request(url=url, headers=headers or {}))

    def ask(self, request: Request, *, limit: int = MAX_PAGE) -> tuple[bytes, Body]:
        """One exchange with its retries, the whole body of the answer, `limit` bytes at most, and its head."""

        def read() -> tuple[bytes, Body]:
            with self._open(request, decode=True) as body:
                return _read(request, body, limit), body

        return self.retry(read)

    def size(self, url: str) -> int | None:
        """What HEAD says of the length in bytes; None where the server does not tell."""
        _, body = self.ask(Request(method="HEAD", url=url, headers=_RAW))
        length = body.headers.get("content-length", "")
        return int(length) if length.isdigit() else None

    @contextmanager
    def stream(self, url: str, *, start: int = 0) -> Iterator[Body]:
        """The bytes as they come, from offset `start` if the server can (else `body.start` is 0). One attempt only."""
        with self.exchange(Request(url=url), start=start) as body:
            yield body

    @contextmanager
    def exchange(self, request: Request, *, start: int = 0) -> Iterator[Body]:
        """As `stream`, for any request."""
        headers = {**_RAW, **({"Range": f"bytes={start}-"} if start else {})}
        with self._open(replace(request, headers={**request.headers, **headers}), decode=False) as body:
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
    def _open(self, request: Request, *, decode: bool) -> Iterator[Body]:
        method, url = request.method, request.url
        path = file_path(url)
        if path is not None:
            with open_file(request, path) as body:
                yield body
            return
        if urlsplit(url).scheme not in ("http", "https"):
            raise NetworkError(f"cannot read {redact(url)}: only http, https and file URLs", method=method, url=redact(url))
        from shipwheel.http.lean import httpx

        try:
            with self._follow(request) as (response, final):
                if response.status_code >= 400:
                    raise status_error(method, url, response)
                yield _body(response, final, _chunks(request, response, decode=decode))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise transport_error(method, url, error) from None

    @contextmanager
    def _follow(self, request: Request) -> Iterator[tuple[httpx.Response, str]]:
        """The response after redirects; each hop gets the credentials of its own host and no other's."""
        for _ in range(MAX_REDIRECTS):
            response = self._send(request)
            try:
                if not request.follow or response.status_code not in _REDIRECTS or "location" not in response.headers:
                    yield response, request.url
                    return
                request = _next_hop(request, response)
            finally:
                self._finish(response)
        raise network_error(request.method, request.url, "too many redirects", retryable=False)

    def _send(self, request: Request) -> httpx.Response:
        authorizer = request.authorizer or self._passwords
        header = authorizer.header(request.url)
        response = self._send_once(request, header)
        if response.status_code != 401:
            return response
        other = authorizer.again(request.url, header, response.headers.get("www-authenticate", ""))
        if not other:
            return response
        self._finish(response)
        return self._send_once(request, other)

    def _send_once(self, request: Request, authorization: str | None) -> httpx.Response:
        from shipwheel.http.lean import httpx

        http, limits, content = self._connected(), self._limits, request.content
        sent = http.build_request(
            request.method,
            httpx.URL(request.url).copy_with(username=None, password=None),
            headers={**request.headers, **({"Authorization": authorization} if authorization else {})},
            content=content if isinstance(content, bytes) else self._counted(content()),
            timeout=httpx.Timeout(request.stall or limits.stall, connect=limits.connect, pool=None),
        )
        head = _head_size(sent.headers.raw, len(sent.method) + len(sent.url.raw_path) + len("  HTTP/1.1\r\n"))
        self.traffic.add(requests=1, sent=head + (len(content) if isinstance(content, bytes) else 0))
        return http.send(sent, stream=True, follow_redirects=False, auth=None)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.traffic.add(sent=len(piece))
            yield piece

    def _finish(self, response: httpx.Response) -> None:
        """Let the connection be used again where that costs little, and count what came over it."""
        from shipwheel.http.lean import httpx

        if not response.is_stream_consumed and _is_short(response):
            with suppress(httpx.HTTPError):
                for _ in response.iter_raw():
                    pass
        response.close()
        head = _head_size(response.headers.raw, len(response.reason_phrase) + len("HTTP/1.1 200 \r\n"))
        self.traffic.add(received=head + response.num_bytes_downloaded)

    def _connected(self) -> httpx.Client:
        from shipwheel.http.lean import httpx

        with self._lock:
            if self._http is None:
                self._http = httpx.Client(
                    verify=self._tls(),
                    limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
                    headers={"User-Agent": USER_AGENT},
                    trust_env=not self._direct,
                )
                for name in ("Accept", "Connection"):  # they say what goes without saying, in every request
                    del self._http.headers[name]
            return self._http


def _read(request: Request, body: Body, limit: int) -> bytes:
    pieces, size = [], 0
    for chunk in body.chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > limit:
            raise network_error(request.method, request.url, f"over {limit >> 20} MB", retryable=False)
    return b"".join(pieces)


def _body(response: httpx.Response, url: str, chunks: Iterator[bytes]) -> Body:
    match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return Body(
        status=response.status_code,
        url=url,
        start=int(match[1]) if match and response.status_code == 206 else 0,
        headers=dict(response.headers),
        chunks=chunks,
    )


def _chunks(request: Request, response: httpx.Response, *, decode: bool) -> Iterator[bytes]:
    """The bytes of an answer; a failure on the way is named wherever they are read."""
    from shipwheel.http.lean import httpx

    try:
        yield from response.iter_bytes(CHUNK) if decode else response.iter_raw()
    except httpx.HTTPError as error:
        raise transport_error(request.method, request.url, error) from None


def _is_short(response: httpx.Response) -> bool:
    """Whether so little is left to read that a new connection would cost more."""
    length = response.headers.get("content-length", "0" if response.status_code in (204, 304) else "")
    return response.request.method == "HEAD" or (length.isdigit() and int(length) <= MAX_REFUSAL)


def _head_size(headers: list[tuple[bytes, bytes]], first_line: int) -> int:
    return first_line + sum(len(name) + len(value) + len(": \r\n") for name, value in headers) + len("\r\n")


def _next_hop(request: Request, response: httpx.Response) -> Request:
    """The request for where a redirect leads."""
    method, url, status = request.method, request.url, response.status_code
    target = urljoin(url, response.headers["location"])
    if urlsplit(target).scheme not in ("http", "https"):
        raise network_error(method, url, f"redirect to {redact(target)}", retryable=False)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise network_error(method, url, f"redirect from https to {redact(target)}", retryable=False)
    if method not in ("GET", "HEAD") and status not in _KEEPING_METHOD:
        raise network_error(method, url, f"redirect {status} to {redact(target)}, which is for reading", retryable=False)
    if origin(target) == origin(url) and in_url(url) and not in_url(target):
        user_info = urlsplit(url).netloc.rpartition("@")[0]
        parts = urlsplit(target)
        target = urlunsplit(parts._replace(netloc=f"{user_info}@{parts.netloc}"))
    return replace(request, url=target)
