"""Servers that Shipwheel needs, asked for something small, and the clock against theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from shipwheel.credentials import redact
from shipwheel.doctor.finding import Finding, error, ok, warning
from shipwheel.errors import ShipwheelError
from shipwheel.http import Client
from shipwheel.http.exchange import Request
from shipwheel.resolve.debian.release import CLOCK_SKEW

PAGE = "pip/"
"""A package that every index has or does not have: either answer shows that there is an index."""

SLOW_CLOCK = timedelta(minutes=5)
"""Registries' tokens and signatures of clouds are refused beyond it."""

_WANTS_LOGIN = (401, 403)
_ABSENT = (404, 410)
_LOGIN = "give credentials in ~/.netrc or in the keyring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An index or a mirror: `check` is the name of the check, `url` what is asked for; `must` it have that."""

    check: str
    url: str
    must: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: a status (0: nothing, and `problem` says why), and how far its clock is ahead of ours, if it told."""

    server: Server
    status: int = 0
    problem: str = ""
    hint: str = ""
    ahead: timedelta | None = None


def ask(client: Client, server: Server) -> Answer:
    """One HEAD."""
    try:
        _, body = client.ask(Request(method="HEAD", url=server.url))
    except ShipwheelError as fault:
        status = fault.fields.get("status")
        return Answer(server=server, status=status if isinstance(status, int) else 0, problem=fault.message, hint=fault.hint)
    return Answer(server=server, status=body.status, ahead=ahead(body.headers, datetime.now(UTC)))


def late(server: Server) -> Answer:
    """Of one that did not answer in time."""
    return Answer(server=server, problem=f"{redact(server.url)} does not answer")


def ahead(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How far a server's clock is ahead, of the header Date; a cache leaves that and counts in Age (RFC 9111 section 5.1)."""
    try:
        told = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    age = headers.get("age", "")
    return told + timedelta(seconds=int(age) if age.isdecimal() else 0) - now


def check_answer(answer: Answer) -> Iterator[Finding]:
    """That the server is there and lets you in."""
    check, url = answer.server.check, redact(answer.server.url)
    if answer.status in _WANTS_LOGIN:
        yield error(check, f"{url} does not let you in: status {answer.status}", answer.hint or _LOGIN)
    elif answer.status in _ABSENT and answer.server.must:
        yield error(check, f"{url} is not there: status {answer.status}", "check the address of the mirror")
    elif answer.problem and answer.status not in _ABSENT:
        yield error(check, answer.problem, answer.hint or "check the address, the network and the proxy settings")
    else:
        yield ok(check, url)


def check_clock(answers: Iterable[Answer]) -> Iterator[Finding]:
    """By the server whose clock is nearest to ours: one may be wrong itself."""
    known = [answer.ahead for answer in answers if answer.ahead is not None]
    if not known:
        return
    apart = min(known, key=abs)
    how = (
        f"this machine's clock is {_spell(apart)} {'behind' if apart > timedelta() else 'ahead of'} that of every server asked"
    )
    if abs(apart) > CLOCK_SKEW:
        yield error("clock", f"{how}: certificates and Debian's indexes are refused", "set it: sudo timedatectl set-ntp true")
    elif abs(apart) > SLOW_CLOCK:
        yield warning("clock", f"{how}: logins may be refused", "set it: sudo timedatectl set-ntp true")
    else:
        yield ok("clock", "agrees with that of a server")


def _spell(apart: timedelta) -> str:
    minutes = round(abs(apart).total_seconds() / 60)
    days, hours = minutes // 1440, minutes // 60
    return f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} minutes"
