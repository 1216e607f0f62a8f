"""`Token`: what a token service gives (https://distribution.github.io/distribution/spec/auth/token/)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from shipwheel.errors import NetworkError

_LIFE = 60.0
"""Seconds that a token lives whose service does not say: the specification's."""
_EARLY = 0.2
"""The share of its life for which a token is not used any more: a request takes time to arrive."""
_EARLIEST = 30.0
"""Seconds; no request takes longer to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token, with the monotonic second from which it is not to be used; `refresh` replaces the identity token."""

    value: str = field(repr=False)
    ends: float
    refresh: str = field(default="", repr=False)

    @classmethod
    def parse(cls, answer: bytes, url: str, now: float) -> Token:
        """What the service at `url` (redacted) answered.

        Raises:
            NetworkError: no token.
        """
        try:
            content = json.loads(answer)
            value = content.get("token") or content.get("access_token")
            life, refresh = float(content.get("expires_in") or _LIFE), content.get("refresh_token") or ""
        except (ValueError, TypeError, AttributeError, RecursionError):
            value, life, refresh = None, 0.0, ""
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not isinstance(refresh, str):
            raise NetworkError(f"GET {url} gave no token", method="GET", url=url, status=200, retryable=False)
        return cls(value=value, ends=now + life - min(life * _EARLY, _EARLIEST), refresh=refresh)

    def is_fresh(self, now: float) -> bool:
        """Whether it can be used at this monotonic second."""
        return now < self.ends
