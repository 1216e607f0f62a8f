"""`Credentials`: user names and passwords for servers, and how they are kept out of everything that is written down."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from shipwheel.errors import ConfigError

_KEYRING_SECONDS = 30.0
"""The keyring may ask its user to unlock it; not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Where user names and passwords come from, besides the URL itself: given ones, then netrc, then the keyring.

    `given` maps `scheme://host[:port]` (see `origin`) to (user, password). `netrc` is the file, if it exists. `keyring`
    is the `keyring` program to ask when a server answers 401; empty: none.
    """

    given: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    netrc: Path | None = None
    keyring: str = ""

    def find(self, url: str) -> tuple[str, str] | None:
        """User and password for this URL that need no program to run."""
        written = in_url(url)
        if written and written[1]:
            return written
        given = self.given.get(origin(url))
        if given and given[1]:
            return given
        return self._from_netrc(urlsplit(url).hostname or "") or written

    def _from_netrc(self, host: str) -> tuple[str, str] | None:
        import netrc

        if not self.netrc or not os.access(self.netrc, os.F_OK) or not self.netrc.is_file():
            return None
        try:
            found = netrc.netrc(self.netrc).authenticators(host)
        except (netrc.NetrcParseError, OSError) as error:
            raise ConfigError(f"{self.netrc} cannot be read: {error}", hint="correct or remove it") from None
        return (found[0], found[2] or "") if found else None

    def ask_keyring(self, url: str) -> tuple[str, str] | None:
        """Run the keyring program, as pip and uv do: first for the URL, then for its host."""
        user = (in_url(url) or self.given.get(origin(url)) or ("", ""))[0]
        if not self.keyring:
            return None
        for service in (redact(url), urlsplit(url).hostname or ""):
            if found := _keyring(self.keyring, service, user):
                return found
        return None


def _keyring(program: str, service: str, user: str) -> tuple[str, str] | None:
    import json
    import subprocess

    arguments = [program, "get", service, user] if user else [program, "--mode", "creds", "--output", "json", "get", service]
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=_KEYRING_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode or not done.stdout.strip():
            return None
        if user:
            return user, done.stdout.strip()
        answer = json.loads(done.stdout)
        return str(answer["username"]), str(answer["password"])
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None


def origin(url: str) -> str:
    """`scheme://host[:port]` in lower case, the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}{port}"


def redact(url: str) -> str:
    """The URL without user, password, query and fragment: fit for messages, logs and files."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(malformed URL)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def redact_text(text: str) -> str:
    """Text of another program with the credentials taken out of every URL in it."""
    return re.sub(r"(?<=://)[^/\s'\"`]*@", "", text)


def in_url(url: str) -> tuple[str, str] | None:
    """User and password written into the URL; the password may be empty."""
    parts = urlsplit(url)
    return (unquote(parts.username or ""), unquote(parts.password or "")) if parts.username or parts.password else None
