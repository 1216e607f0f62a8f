"""Where Debian's files come from: a mirror of the main archive, one of the security archive, and the dated snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from shipwheel.errors import UsageError
from shipwheel.lock import Deb

MAIN = "debian"
SECURITY = "debian-security"
"""The two archives, as `Deb.archive` and the keys of `Lock.dates` name them; snapshot.debian.org uses the same names."""

PUBLIC = "https://deb.debian.org/debian"
PUBLIC_SECURITY = "https://deb.debian.org/debian-security"
SNAPSHOT = "https://snapshot.debian.org/archive"

ENV_MAIN = "SHIPWHEEL_DEBIAN_MIRROR"
ENV_SECURITY = "SHIPWHEEL_DEBIAN_SECURITY_MIRROR"

SNAPSHOT_LAG = timedelta(hours=24)
"""An archive's state is photographed a few hours after its index is dated, and a replaced file stays in the pool longer."""

_SUITES = (
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianArchives:
    """Addresses without a trailing slash; they may hold credentials, so they are never printed or locked."""

    main: str = field(default=PUBLIC, repr=False)
    security: str = field(default=PUBLIC_SECURITY, repr=False)
    snapshot: str = field(default=SNAPSHOT, repr=False)

    def root(self, archive: str) -> str:
        """The address of `debian` or `debian-security`."""
        return self.security if archive == SECURITY else self.main


def find_archives(env: Mapping[str, str], configured: str, apt_dir: Path) -> DebianArchives:
    """The mirrors to use: the setting, the environment, the host's apt sources in `apt_dir` (/etc/apt), the public ones.

    `configured` is the setting `debian-mirror`: the address of the main archive and, after a space, where the mirror has
    one, that of the security archive. Each archive is decided by itself: the first that names it wins.

    Raises:
        UsageError: an address that is not http or https.
    """
    setting = configured.split()
    apt = list(_apt_addresses(apt_dir))
    return DebianArchives(
        main=_first(setting[:1], [env.get(ENV_MAIN, "")], _ending(apt, MAIN), [PUBLIC]),
        security=_first(setting[1:2], [env.get(ENV_SECURITY, "")], _ending(apt, SECURITY), [PUBLIC_SECURITY]),
    )


def deb_urls(deb: Deb, archives: DebianArchives, dates: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses of a locked package in the order to try: the mirror, then the snapshots around its index's date.

    A snapshot's address names a time and answers with the last state before it (snapshot.debian.org, "Usage").
    """
    path = quote(deb.filename, safe="/+~:%")
    urls = [f"{archives.root(deb.archive)}/{path}"]
    if deb.archive in dates:
        indexed = datetime.fromisoformat(dates[deb.archive])
        urls += [
            f"{archives.snapshot}/{deb.archive}/{when:%Y%m%dT%H%M%SZ}/{path}" for when in (indexed + SNAPSHOT_LAG, indexed)
        ]
    return tuple(urls)


def _first(*candidates: Iterable[str]) -> str:
    address = next(text.strip() for group in candidates for text in group if text.strip())
    if urlsplit(address).scheme not in ("http", "https"):
        raise UsageError("the Debian mirror's address is not http or https", hint="write it as https://mirror.example/debian")
    return address.rstrip("/")


def _ending(addresses: Iterable[str], name: str) -> Iterator[str]:
    return (address for address in addresses if urlsplit(address).path.rstrip("/").endswith(f"/{name}"))


def _apt_addresses(apt_dir: Path) -> Iterator[str]:
    """http(s) addresses of the host's apt sources that offer a Debian suite, in apt's order (sources.list(5))."""
    folder = apt_dir / "sources.list.d"
    for path in (apt_dir / "sources.list", *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))):
        text = _readable(path)
        for addresses, suites in _deb822(text) if path.suffix == ".sources" else _one_line(text):
            if any(re.split(r"[-/]", suite)[0] in _SUITES for suite in suites):
                yield from (address for address in addresses if urlsplit(address).scheme in ("http", "https"))


def _readable(path: Path) -> str:
    """The file's text; what the user may not read does not count: apt sources are a convenience."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _one_line(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """`deb [ option=value ... ] URI suite [component] ...`; the options say nothing about where."""
    for line in text.splitlines():
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0], count=1).split()
        if len(words) >= 3 and words[0] == "deb":
            yield [words[1]], [words[2]]


def _deb822(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Stanzas with Types, URIs, Suites; `Enabled: no` switches one off."""
    uncommented = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        folded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            key.strip().lower(): value.strip() for key, found, value in (line.partition(":") for line in folded.splitlines())
        }
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in ("no", "false", "off", "0"):
            yield fields.get("uris", "").split(), fields.get("suites", "").split()
