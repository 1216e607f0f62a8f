"""InRelease: an archive's signed list of its indexes, believed only with a signature by one of Debian's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.resources import files

from shipwheel.errors import ResolveError

CLOCK_SKEW = timedelta(hours=24)
"""How far an index may be dated in the future: laptops' clocks lag, an attacker gains nothing from a later date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a verified InRelease says: its date, and the size (bytes) and sha256 (hex) of each index by path."""

    suite: str
    date: datetime
    by_hash: bool
    indexes: Mapping[str, tuple[str, int]]


def debian_keyring() -> bytes:
    """Debian's archive keys that ship with Shipwheel (data/README.md says from where)."""
    return files("shipwheel").joinpath("data", "debian-archive-keyring.gpg").read_bytes()


def read_release(signed: bytes, suite: str, keyring: bytes, now: datetime) -> Release:
    """Verify an InRelease and take what it says; it must be the one of `suite` and be neither expired nor from the future.

    Source: Debian wiki, "DebianRepository/Format", Release files.

    Raises:
        ResolveError: no valid signature by a key of `keyring`, another suite, expired, dated in the future, malformed.
    """
    fields = _fields(_verified(signed, suite, keyring))
    if suite not in (fields.get("codename"), fields.get("suite")):
        named = fields.get("codename") or fields.get("suite") or "nothing"
        raise _untrusted(suite, f"it is the index of '{named}'", "check the address of the mirror")
    date = _date(fields.get("date", ""), suite)
    if date > now + CLOCK_SKEW:
        raise _untrusted(suite, f"it is dated {date:%Y-%m-%d %H:%M} UTC, in the future", "set this machine's clock")
    if "valid-until" in fields and _date(fields["valid-until"], suite) < now:
        raise _untrusted(
            suite, f"it expired on {fields['valid-until']}", "the mirror is stale: use another, or set this machine's clock"
        )
    return Release(
        suite=suite,
        date=date,
        by_hash=fields.get("acquire-by-hash", "").strip() == "yes",
        indexes=_indexes(fields.get("sha256", ""), suite),
    )


def _verified(signed: bytes, suite: str, keyring: bytes) -> str:
    """The signed text itself: nothing that stands before or after the signed part is read."""
    from pysequoia import Cert, verify

    try:
        certificates = Cert.split_bytes(keyring)
        return bytes(verify(signed, lambda _: certificates).bytes or b"").decode()
    except (RuntimeError, ValueError) as error:  # sequoia's only exceptions; their backtrace helps nobody
        reason = str(error).partition("\n")[0]
        hint = (
            "the mirror is damaged or not Debian's; Debian's keys ship with Shipwheel, so a newer version may know newer keys"
        )
        raise _untrusted(suite, f"it has no valid signature by a Debian key ({reason})", hint) from None


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    return fields


def _date(text: str, suite: str) -> datetime:
    """`Sat, 11 Jul 2026 10:16:37 UTC`: RFC 2822's form, always in UTC."""
    try:
        return parsedate_to_datetime(text.replace("UTC", "+0000")).astimezone(UTC)
    except ValueError:
        raise _untrusted(suite, f"it holds the date '{text}'", "check the address of the mirror") from None


def _indexes(text: str, suite: str) -> dict[str, tuple[str, int]]:
    indexes = {}
    for line in filter(None, text.splitlines()):
        try:
            sha256, size, path = line.split()
            indexes[path] = (sha256, int(size))
        except ValueError:
            raise _untrusted(suite, f"its list of indexes holds '{line}'", "check the address of the mirror") from None
    return indexes


def _untrusted(suite: str, reason: str, hint: str) -> ResolveError:
    return ResolveError(f"the Debian index of '{suite}' is refused: {reason}", hint=hint, suite=suite)
