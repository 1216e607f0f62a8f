"""`Authority`: what a registry is told of who asks: passwords, or tokens for each scope (distribution's token specification).

A token is asked for once, kept by what it allows, renewed before it ends and when it is refused. Nothing of it is ever
sent to another host than the registry's, and no password to another than its token service.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from shipwheel.credentials import origin, redact
from shipwheel.errors import NetworkError
from shipwheel.http import Client, Request
from shipwheel.http.authorization import basic
from shipwheel.oci.image import MAX_JSON
from shipwheel.registry.challenge import Challenge
from shipwheel.registry.logins import Login
from shipwheel.registry.token import Token

Scopes = frozenset[str]
"""What a token is asked for, such as repository:team/app:pull,push."""

CLIENT_ID = "shipwheel"


def pull(repository: str) -> Scopes:
    """To read a repository."""
    return frozenset({f"repository:{repository}:pull"})


def push(repository: str) -> Scopes:
    """To read and write it."""
    return frozenset({f"repository:{repository}:pull,push"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """An `http.Authorizer` for requests that need these scopes."""

    authority: Authority
    scopes: Scopes

    def header(self, url: str) -> str | None:
        """See `http.Authorizer`."""
        return self.authority.header(url, self.scopes)

    def again(self, url: str, sent: str | None, challenge: str) -> str | None:
        """See `http.Authorizer`."""
        return self.authority.again(url, sent, self.scopes, challenge)


class Authority:
    """Who we are at one registry; safe to use from several threads.

    `base` is the registry's scheme://host[:port], known at the first request; `login` is who we are, None: nobody;
    `client` gives the client for the host of a URL.
    """

    def __init__(self, base: Callable[[], str], login: Callable[[], Login | None], client: Callable[[str], Client]) -> None:
        self._base, self._login, self._client = base, login, client
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, Token] = {}
        self._rotated = ""

    def of(self, scopes: Scopes) -> Asker:
        """For requests that need these scopes."""
        return Asker(authority=self, scopes=scopes)

    def header(self, url: str, scopes: Scopes) -> str | None:
        """What to send at first: nothing until the registry asked for something, and nothing to other hosts."""
        if origin(url) != origin(self._base()):
            return None
        with self._lock:
            return self._answer(scopes) if self._challenge else None

    def again(self, url: str, sent: str | None, scopes: Scopes, header: str) -> str | None:
        """What to send after 401, if that is anything else; a token that was refused is not used again."""
        if origin(url) != origin(self._base()):
            return None
        found = {each.scheme: each for each in Challenge.parse(header)}
        challenge = found.get("bearer") or found.get("basic")
        if challenge is None:
            return None
        asked = frozenset(challenge.parameters.get("scope", "").split())
        wanted = scopes if _actions(asked) <= _actions(scopes) else scopes | asked
        with self._lock:
            self._challenge = challenge
            self._tokens = {key: token for key, token in self._tokens.items() if f"Bearer {token.value}" != sent}
            answer = self._answer(wanted)
        return answer if answer != sent else None

    def _answer(self, scopes: Scopes) -> str | None:
        login = self._login()
        if self._challenge and self._challenge.scheme == "bearer":
            return f"Bearer {self._token(self._challenge, scopes, login).value}"
        return basic(login.user, login.password) if login and login.password else None

    def _token(self, challenge: Challenge, scopes: Scopes, login: Login | None) -> Token:
        """A token that allows at least this: one that was got for more does as well."""
        self._tokens = {key: token for key, token in self._tokens.items() if token.is_fresh(time.monotonic())}
        for known, token in self._tokens.items():
            if scopes and _actions(scopes) <= _actions(known):
                return token
        client, request = self._request(challenge, scopes, login)
        answer, _ = client.ask(request, limit=MAX_JSON)
        token = Token.parse(answer, redact(request.url), time.monotonic())
        self._rotated = token.refresh or self._rotated
        self._tokens[scopes] = token
        return token

    def _request(self, challenge: Challenge, scopes: Scopes, login: Login | None) -> tuple[Client, Request]:
        """GET with a password or as nobody; POST with an identity token (RFC 6749 section 6)."""
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service", "")
        self._check(realm, login)
        client, named = self._client(realm), [("service", service)] if service else []
        if login and login.identity_token:
            secret = self._rotated or login.identity_token
            form = [("grant_type", "refresh_token"), *named, ("client_id", CLIENT_ID)]
            form += [("scope", " ".join(sorted(scopes))), ("refresh_token", secret)]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            content = urlencode(form).encode()
            return client, Request(method="POST", url=realm, headers=headers, content=content, authorizer=NOBODY)
        asked = urlencode([*named, *(("scope", scope) for scope in sorted(scopes))])
        url = f"{realm}{'&' if urlsplit(realm).query else '?'}{asked}" if asked else realm
        known = login and login.password
        return client, Request(
            url=url, authorizer=_Sent(realm, basic(login.user, login.password)) if known and login else NOBODY
        )

    def _check(self, realm: str, login: Login | None) -> None:
        """A password that goes to the registry over TLS does not go to its token service without."""
        here, there = urlsplit(self._base()), urlsplit(realm)
        if there.scheme == "https" or (there.scheme == "http" and (here.scheme == "http" or not login)):
            return
        raise NetworkError(
            f"{here.netloc} sends us for a token to '{redact(realm)}', which is not https",
            method="GET",
            url=redact(realm),
            status=0,
            retryable=False,
        )


@dataclass(frozen=True, slots=True)
class _Sent:
    """An authorizer with one header for the host of one URL."""

    url: str = ""
    value: str | None = field(default=None, repr=False)

    def header(self, url: str) -> str | None:
        return self.value if self.value and origin(url) == origin(self.url) else None

    def again(self, url: str, sent: str | None, challenge: str) -> str | None:
        del url, sent, challenge
        return None


NOBODY = _Sent()
"""Sends nothing to anybody."""


def _actions(scopes: Scopes) -> set[tuple[str, str]]:
    """Each resource with each action: repository:team/app:pull,push has two."""
    split = (scope.rpartition(":") for scope in scopes)
    return {(resource, action) for resource, _, actions in split for action in actions.split(",")}
