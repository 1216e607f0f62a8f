"""What can go wrong in an exchange, as NetworkError: method, redacted URL, status, the server's own words, whether to retry."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from shipwheel.credentials import redact, redact_text
from shipwheel.errors import NetworkError, ShipwheelError

if TYPE_CHECKING:
    import httpx

RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone on the next try (RFC 9110 section 15; 425 is RFC 8470)."""
MAX_REFUSAL = 64 << 10
"""Bytes of a refusal that are read at most: it is for people."""
_MAX_SENTENCE = 300

_HINTS = {
    401: "give credentials in the URL's environment variable, in ~/.netrc or in the keyring",
    403: "the credentials do not allow this, or a proxy forbids it",
    404: "the index or mirror does not have it; check its address",
    407: "the proxy wants credentials: put them into HTTPS_PROXY",
}


def network_error(method: str, url: str, reason: str, *, retryable: bool, status: int = 0) -> NetworkError:
    """A failed exchange, in one sentence."""
    return NetworkError(
        f"{method} {redact(url)} failed: {reason}",
        hint=_HINTS.get(status, "check the network and the proxy settings" if retryable else ""),
        method=method,
        url=redact(url),
        status=status,
        retryable=retryable,
    )


def status_error(method: str, url: str, response: httpx.Response) -> NetworkError:
    """A status of 400 or more, with the server's own code and message where it gives them in JSON."""
    status = response.status_code
    code, sentence = _own_words(response)
    reason = ": ".join(part for part in (f"{status} {response.reason_phrase}".strip(), code, sentence) if part)
    error = network_error(method, url, reason, status=status, retryable=status in RETRYABLE)
    error.fields["retry_after"] = _retry_after(response.headers.get("retry-after", ""))
    error.fields["code"] = code
    return error


def transport_error(method: str, url: str, error: Exception) -> NetworkError:
    """No answer, or not a whole one."""
    from shipwheel.http.lean import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return network_error(method, url, "no connection in time", retryable=True)
    if isinstance(error, httpx.TimeoutException):
        return network_error(method, url, "stalled: no bytes came in time", retryable=True)
    text = redact_text(str(error)) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        failure = network_error(method, url, text, retryable=False)
        failure.hint = "set SSL_CERT_FILE to the certificates that your network uses"
        return failure
    return network_error(method, url, text, retryable=isinstance(error, httpx.TransportError))


def absent(error: ShipwheelError) -> bool:
    """Whether a failure only says that there is no such thing at that address."""
    return isinstance(error, NetworkError) and error.fields.get("status") in (404, 410)


def _own_words(response: httpx.Response) -> tuple[str, str]:
    """Code and message of `{"errors": [{"code", "message"}]}` (OCI distribution-spec, "Error Codes") or OAuth 2's
    `{"error", "error_description"}` (RFC 6749 section 5.2); empty where there are none."""
    from shipwheel.http.lean import httpx

    if "json" not in response.headers.get("content-type", "") or response.is_stream_consumed:
        return "", ""
    data = b""
    with suppress(httpx.HTTPError, ValueError, AttributeError, IndexError, RecursionError):
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > MAX_REFUSAL:
                return "", ""
        value = json.loads(data)
        first = value["errors"][0] if value.get("errors") else {}
        code = first.get("code") or value.get("error") or ""
        sentence = first.get("message") or value.get("error_description") or value.get("details") or ""
        return _plain(code), _plain(sentence)
    return "", ""


def _plain(text: object) -> str:
    """A server's text, fit for a terminal and for a line."""
    words = " ".join(redact_text(text).split()) if isinstance(text, str) else ""
    return "".join(char for char in words if char.isprintable())[:_MAX_SENTENCE]


def _retry_after(value: str) -> float | None:
    """Seconds to wait (RFC 9110 section 10.2.3: a number of seconds or a date)."""
    from email.utils import parsedate_to_datetime

    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
