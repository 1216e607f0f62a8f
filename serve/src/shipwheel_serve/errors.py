"""What can go wrong, and the HTTP status that says so.

ServeError                  500  the model raised, or gave what cannot be answered
├── BadRequest              400  body, shape, type or name that the schema does not take
├── NotFound                404  another model or path
├── TooLarge                413  over `max_payload_size`
├── Busy                    429  the queue is full
├── NotReady                503  loading, failed its check, or draining
├── TimedOut                504  over `request_timeout_s`
└── ModelError              500  the model cannot be loaded: file, hash, format, unsafe pickle
"""

from __future__ import annotations


class ServeError(Exception):
    """Base of all; `message` is one sentence for whoever reads the answer, `hint` what would mend it."""

    status = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}: {hint}" if hint else message)
        self.message = message
        self.hint = hint


class BadRequest(ServeError):
    """The caller's mistake."""

    status = 400


class NotFound(ServeError):
    """No such model or path."""

    status = 404


class TooLarge(ServeError):
    """The body is over the limit."""

    status = 413


class Busy(ServeError):
    """The queue is full; try again in a moment."""

    status = 429


class NotReady(ServeError):
    """The service is not ready, and the message says why."""

    status = 503


class TimedOut(ServeError):
    """No answer within the limit."""

    status = 504


class ModelError(ServeError):
    """The model cannot be loaded."""
