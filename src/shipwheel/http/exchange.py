"""The values of one exchange: how patient it is, what is asked, what comes back, and the bytes of all of them together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from shipwheel.http.authorization import Authorizer


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a server.

    `content` is the body, or opens it anew for each time that it is sent; its length then stands in `headers`.
    `authorizer` says who we are, in place of the client's own; `follow` goes where redirects lead; `stall` is longer
    than usual where the server has much to do before its first byte.
    """

    method: str = "GET"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Callable[[], Iterator[bytes]] = b""
    authorizer: Authorizer | None = None
    follow: bool = True
    stall: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An answer whose bytes are about to come; `start` is the offset of the first one, `url` where it came from.

    Names of `headers` are in lower case. `chunks` raises NetworkError where the bytes stop coming.
    """

    status: int
    url: str
    start: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@dataclass(slots=True)
class Traffic:
    """Bytes of all bodies and heads, both ways, and requests, since the connections were opened."""

    sent: int = 0
    received: int = 0
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def add(self, *, sent: int = 0, received: int = 0, requests: int = 0) -> None:
        """Count more; safe to call from several threads."""
        with self._lock:
            self.sent += sent
            self.received += received
            self.requests += requests
