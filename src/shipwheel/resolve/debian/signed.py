"""Files that a distribution's InRelease lists: verified by hash, and kept in the cache as little as is read of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from shipwheel.errors import NetworkError, ResolveError
from shipwheel.resolve.debian.archives import MAIN, SECURITY, DebianArchives
from shipwheel.resolve.debian.release import Release, debian_keyring, read_release


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
class Listed:
    """A file below main/ of a distribution: `names` in the order to look for them, and what to keep of it.

    `condense` gets its bytes, verified, and its name. `form` names in the cache what it makes of them.
    """

    names: tuple[str, ...]
    form: str
    condense: Callable[[bytes, str], bytes] = field(repr=False)


def distributions(suite: str) -> tuple[tuple[str, str], ...]:
    """(archive, distribution) of a suite, its updates and its security updates."""
    return (MAIN, suite), (MAIN, f"{suite}-updates"), (SECURITY, f"{suite}-security")


def no_such_architecture(dist: str, architecture: str) -> ResolveError:
    """For an architecture that a distribution has nothing for."""
    return ResolveError(f"Debian '{dist}' has no packages for '{architecture}'", hint="amd64 and arm64 are there", suite=dist)


def load_listed(source: IndexSource, archive: str, dist: str, wanted: Listed) -> tuple[Release, bytes | None]:
    """A distribution's release, and of the wanted file what `condense` keeps; None where the release lists no such file.

    Asked for twice where the mirror changes between the two requests.

    Raises:
        ResolveError: a release or a file that cannot be trusted, or no such distribution.
        NetworkError: a mirror that does not answer.
    """
    root = f"{source.archives.root(archive)}/dists/{dist}"
    path = ""
    for _ in range(2):
        release = _release(source, root, dist)
        path = next((path for path in (f"main/{name}" for name in wanted.names) if path in release.indexes), "")
        if not path:
            return release, None
        sha256 = release.indexes[path][0]
        cached = source.cache / "debian" / f"{sha256}.{wanted.form}.txt"
        kept = _read_cached(cached)
        if kept is not None:
            return release, kept
        packed = _fetch(source, root, path, sha256 if release.by_hash else "")
        if hashlib.sha256(packed).hexdigest() == sha256:
            kept = wanted.condense(packed, path)
            _write_cached(cached, kept)
            return release, kept
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


def _fetch(source: IndexSource, root: str, path: str, sha256: str) -> bytes:
    """By hash where the archive offers it, so that an update of the mirror in between does no harm."""
    if sha256:
        try:
            return source.fetcher.get(f"{root}/{path.rpartition('/')[0]}/by-hash/SHA256/{sha256}")
        except NetworkError as error:
            if error.fields.get("status") != 404:
                raise
    return source.fetcher.get(f"{root}/{path}")


def _read_cached(path: Path) -> bytes | None:
    """The text, if it is whole: its first line is the hash of the rest."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return body if hashlib.sha256(body).hexdigest().encode() == head else None


def _write_cached(path: Path, body: bytes) -> None:
    """Atomically; a cache that cannot be written costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.replace(file.name, path)  # noqa: PTH105
    except OSError:
        return
