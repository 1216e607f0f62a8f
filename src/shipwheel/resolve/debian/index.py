"""Packages: what a suite and its updates offer for one architecture, by hash from a verified InRelease.

An index holds 60,000 stanzas in 50 MB of text: it is split once, kept in the cache without the fields that nobody reads,
and a stanza is parsed when it is asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from shipwheel.errors import NetworkError, ResolveError
from shipwheel.resolve.debian.archives import MAIN, SECURITY, DebianArchives
from shipwheel.resolve.debian.release import Release, debian_keyring, read_release

_KEPT = "Package|Version|Architecture|Priority|Filename|Size|SHA256|Depends|Pre-Depends|Provides|Conflicts|Breaks"
_CACHE_FORMAT = "1"
"""Part of the cached file's name: raise it when `_KEPT` changes."""


class Fetcher(Protocol):
    """Whatever can get an address: `shipwheel.http.Client` in the program."""

    def get(self, url: str) -> bytes:
        """The body, or NetworkError with the field `status`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSource:
    """How to reach the indexes: archives, a client, a folder for the cache, the keys (None: Debian's), the time (None: now)."""

    archives: DebianArchives
    fetcher: Fetcher
    cache: Path
    keyring: bytes | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """One version of a package as an index describes it; `archive` is where its file lies."""

    fields: Mapping[str, str]
    archive: str

    @property
    def name(self) -> str:
        """The package's name."""
        return self.fields["Package"]

    @property
    def version(self) -> str:
        """The full Debian version, with epoch and revision."""
        return self.fields["Version"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class DebIndex:
    """All packages of one suite, its updates and its security updates, for one architecture; parsed lazily.

    `dates` is each archive's newest index date (ISO 8601, UTC), which the lock keeps for the snapshot archive.
    """

    suite: str
    architecture: str
    dates: Mapping[str, str]
    texts: tuple[tuple[str, str], ...] = field(repr=False)
    """(archive, condensed Packages) pairs."""

    def best(self, name: str) -> Stanza | None:
        """The highest version of a package, or None."""
        from debian.debian_support import Version

        return max(self.versions(name), key=lambda stanza: Version(stanza.version), default=None)

    def versions(self, name: str) -> list[Stanza]:
        """Every version of a package on offer."""
        return [self._parse(*place) for place in self._places.get(name, ())]

    def providers(self, virtual: str) -> list[Stanza]:
        """The packages whose highest version provides a virtual one, sorted by name."""
        named = (self.best(name) for name in sorted(self._provided.get(virtual, ())))
        return [stanza for stanza in named if stanza and virtual in provided_names(stanza)]

    @property
    def names(self) -> list[str]:
        """All package names."""
        return list(self._places)

    def _parse(self, text: int, start: int) -> Stanza:
        archive, body = self.texts[text]
        end = body.find("\n\n", start)
        lines = body[start : end if end >= 0 else len(body)].splitlines()
        return Stanza(fields=dict(line.split(": ", 1) for line in lines if ": " in line), archive=archive)

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        places: dict[str, list[tuple[int, int]]] = {}
        for number, (_, body) in enumerate(self.texts):
            for match in re.finditer(r"^Package: (.+)$", body, re.MULTILINE):
                places.setdefault(match[1], []).append((number, match.start()))
        return places

    @cached_property
    def _provided(self) -> dict[str, set[str]]:
        provided: dict[str, set[str]] = {}
        for _, body in self.texts:
            for match in re.finditer(r"^(?:Package: (.+)|Provides: (.+))$", body, re.MULTILINE):
                if match[1]:
                    name = match[1]
                else:
                    for virtual in re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9+.-]+)", match[2]):
                        provided.setdefault(virtual, set()).add(name)
        return provided


def provided_names(stanza: Stanza) -> dict[str, str]:
    """What a package provides: virtual name -> version, or "" where it says none (policy 7.5)."""
    found = re.findall(
        r"(?:^|,)\s*([a-z0-9][a-z0-9+.-]+)(?::\w+)?\s*(?:\(=\s*([^)\s]+)\s*\))?", stanza.fields.get("Provides", "")
    )
    return dict(found)


def load_index(source: IndexSource, suite: str, architecture: str) -> DebIndex:
    """Fetch and verify what `suite` (bookworm, trixie) offers for an architecture in Debian's names (amd64, arm64).

    Only InRelease is asked for again when nothing has changed.

    Raises:
        ResolveError: an index that cannot be trusted, or none for this architecture.
        NetworkError: a mirror that does not answer.
    """
    texts, dates = [], dict[str, datetime]()
    for archive, dist in ((MAIN, suite), (MAIN, f"{suite}-updates"), (SECURITY, f"{suite}-security")):
        release, text = _load(source, archive, dist, architecture)
        texts.append((archive, text))
        dates[archive] = max(release.date, dates.get(archive, release.date))
    return DebIndex(
        suite=suite,
        architecture=architecture,
        dates={archive: date.strftime("%Y-%m-%dT%H:%M:%SZ") for archive, date in dates.items()},
        texts=tuple(texts),
    )


def _load(source: IndexSource, archive: str, dist: str, architecture: str) -> tuple[Release, str]:
    """One distribution's release and condensed index; asked for twice where the mirror changes between the two requests."""
    root = f"{source.archives.root(archive)}/dists/{dist}"
    for last in (False, True):
        release = _release(source, root, dist)
        path, sha256 = _packages_path(release, architecture)
        cached = source.cache / "debian" / f"{sha256}.{_CACHE_FORMAT}.txt"
        text = _read_cached(cached)
        if text is not None:
            return release, text
        packed = _fetch_packages(source, root, path, sha256 if release.by_hash else "")
        if hashlib.sha256(packed).hexdigest() == sha256:
            text = "".join(_condensed(_unpacked(packed, path)))
            _write_cached(cached, text)
            return release, text
        if last:
            break
    raise ResolveError(
        f"the Debian index of '{dist}' is refused: {path} is not the file that its InRelease promises",
        hint="the mirror is damaged or halfway through an update: try again later, or use another",
        suite=dist,
    )


def _release(source: IndexSource, root: str, dist: str) -> Release:
    try:
        signed = source.fetcher.get(f"{root}/InRelease")
    except NetworkError as error:
        if error.fields.get("status") != 404:
            raise
        raise ResolveError(
            f"the mirror has no Debian suite '{dist}'",
            hint="set debian-mirror to a Debian archive and, after a space, a security archive: 'https://HOST/debian https://HOST/debian-security'",
            suite=dist,
        ) from None
    return read_release(signed, dist, source.keyring or debian_keyring(), source.now or datetime.now(UTC))


def _packages_path(release: Release, architecture: str) -> tuple[str, str]:
    for suffix in (".xz", ".gz"):
        path = f"main/binary-{architecture}/Packages{suffix}"
        if path in release.indexes:
            return path, release.indexes[path][0]
    raise ResolveError(
        f"Debian '{release.suite}' has no packages for '{architecture}'", hint="amd64 and arm64 are there", suite=release.suite
    )


def _fetch_packages(source: IndexSource, root: str, path: str, sha256: str) -> bytes:
    """By hash where the archive offers it, so that an update of the mirror in between does no harm."""
    if sha256:
        try:
            return source.fetcher.get(f"{root}/{path.rpartition('/')[0]}/by-hash/SHA256/{sha256}")
        except NetworkError as error:
            if error.fields.get("status") != 404:
                raise
    return source.fetcher.get(f"{root}/{path}")


def _unpacked(packed: bytes, path: str) -> str:
    return (lzma.decompress(packed) if path.endswith(".xz") else gzip.decompress(packed)).decode()


def _condensed(text: str) -> Iterator[str]:
    """The fields in `_KEPT`, one line each, stanzas apart; these fields are never folded in an index."""
    wanted = re.compile(rf"^(?:(?:{_KEPT}): .*|)$\n?", re.MULTILINE)
    return (match[0] for match in wanted.finditer(text))


def _read_cached(path: Path) -> str | None:
    """The text, if it is whole: its first line is the hash of the rest."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return body.decode() if hashlib.sha256(body).hexdigest().encode() == head else None


def _write_cached(path: Path, text: str) -> None:
    """Atomically; a cache that cannot be written costs time, nothing else."""
    body = text.encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(file.name, path)  # noqa: PTH105
    except OSError:
        return
