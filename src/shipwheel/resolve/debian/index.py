"""Packages: what a suite and its updates offer for one architecture, by hash from a verified InRelease.

An index holds 60,000 stanzas in 50 MB of text: it is split once, kept in the cache without the fields that nobody reads,
and a stanza is parsed when it is asked for.
"""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from shipwheel.resolve.debian.signed import IndexSource, Listed, distributions, load_listed, no_such_architecture

_KEPT = "Package|Version|Architecture|Priority|Filename|Size|SHA256|Depends|Pre-Depends|Provides|Conflicts|Breaks"
_WANTED = re.compile(rf"^(?:(?:{_KEPT}): .*|)$\n?", re.MULTILINE)
_CACHE_FORMAT = "1"
"""Part of the cached file's name: raise it when `_KEPT` changes."""


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
    packages = Listed(
        names=tuple(f"binary-{architecture}/Packages{suffix}" for suffix in (".xz", ".gz")),
        form=_CACHE_FORMAT,
        condense=_condensed,
    )
    for archive, dist in distributions(suite):
        release, text = load_listed(source, archive, dist, packages)
        if text is None:
            raise no_such_architecture(dist, architecture)
        texts.append((archive, text.decode()))
        dates[archive] = max(release.date, dates.get(archive, release.date))
    return DebIndex(
        suite=suite,
        architecture=architecture,
        dates={archive: date.strftime("%Y-%m-%dT%H:%M:%SZ") for archive, date in dates.items()},
        texts=tuple(texts),
    )


def _condensed(packed: bytes, path: str) -> bytes:
    """The fields in `_KEPT`, one line each, stanzas apart; these fields are never folded in an index."""
    text = (lzma.decompress(packed) if path.endswith(".xz") else gzip.decompress(packed)).decode()
    return "".join(match[0] for match in _WANTED.finditer(text)).encode()
