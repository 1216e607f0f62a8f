"""Who we are to a server: `Authorizer`, and the usual one, user and password from `Credentials`."""

from __future__ import annotations

import base64
import threading
from typing import Protocol

from shipwheel.credentials import Credentials, origin


class Authorizer(Protocol):
    """Gives the Authorization header of requests, never one host's to another."""

    def header(self, url: str) -> str | None:
        """What to send at first; None: nothing."""

    def again(self, url: str, sent: str | None, challenge: str) -> str | None:
        """What to send after 401 and its WWW-Authenticate; None: there is nothing else to try."""


def basic(user: str, password: str) -> str:
    """The header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Passwords:
    """User and password of a URL's host; the keyring is asked once for each that refuses. Safe to use from several threads."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._asking = threading.Lock()
        self._asked: dict[str, tuple[str, str] | None] = {}

    def header(self, url: str) -> str | None:
        """Of what is known without running a program."""
        found = self._asked.get(origin(url)) or self._credentials.find(url)
        return basic(*found) if found else None

    def again(self, url: str, sent: str | None, challenge: str) -> str | None:
        """What the keyring knows, if that is something else."""
        del challenge
        with self._asking:
            if origin(url) not in self._asked:
                self._asked[origin(url)] = self._credentials.ask_keyring(url)
            found = self._asked[origin(url)]
        header = basic(*found) if found else None
        return header if header != sent else None
