"""`Contents`: which Debian package has which library or program (Debian wiki, "DebianRepository/Format", Contents).

Contents-ARCH lists 150 MB of paths: what the loader or a shell would find is kept in the cache, a line for each path, and
searched as bytes. Contents-all, of packages for any architecture, has no library, and is only asked for a program that
Contents-ARCH lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

from shipwheel.oci.gunzip import gunzip
from shipwheel.resolve.debian import IndexSource, Listed, distributions, load_listed, no_such_architecture

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""By Debian architecture, the folder below lib/ of its libraries (multiarch tuples)."""

ALTERNATIVES = r"(?:(?:openblas|blis)(?:64)?-\w+|atlas|blas(?:64)?|lapack(?:64)?)"
"""Folders below that whose libraries update-alternatives links into it: numerical ones."""

_FORMAT = "contents-1"
"""Part of the cached file's name: raise it when `_condensed` changes."""

_LIBRARY, _ALTERNATIVE, _PROGRAM = b"L", b"A", b"P"
"""What a cached line starts with; then the file's name and its packages, as `L libz.so.1 zlib1g`."""

_NOT_TO_RUN = re.compile(r"-(?:dev|dbg|dbgsym|doc|cross)$")
"""Packages for compiling and debugging: their libraries are links, or have an ABI of their own."""


class Contents(Protocol):
    """The files of one suite (with its updates) for one architecture, by what they are called."""

    def libraries(self, packages: Iterable[str]) -> frozenset[str]:
        """Names of shared libraries in the loader's default folders that these packages bring."""

    def owners(self, library: str) -> tuple[str, ...]:
        """Packages that bring a library of this name into the loader's default folders, the one to take first."""

    def programs(self, program: str) -> tuple[str, ...]:
        """Packages that bring a program of this name into the search path, the one to take first."""


@dataclass(frozen=True, kw_only=True)
class DebianContents:
    """`Contents` over condensed texts; `more` gives that of Contents-all, and is called once, if at all."""

    texts: tuple[bytes, ...] = field(repr=False)
    more: Callable[[], tuple[bytes, ...]] = field(default=tuple, repr=False)

    def libraries(self, packages: Iterable[str]) -> frozenset[str]:
        """Names of shared libraries in the loader's default folders that these packages bring."""
        wanted = {name.encode() for name in packages}
        return frozenset(key[2:].decode() for key, owners in self._libraries.items() if not wanted.isdisjoint(owners))

    def owners(self, library: str) -> tuple[str, ...]:
        """Packages to run that bring it: in the folder itself before linked ones, then the package named after it."""
        ranked = (name for kind in (_LIBRARY, _ALTERNATIVE) for name in _ranked(self._libraries, kind, library))
        return tuple(dict.fromkeys(name for name in ranked if not _NOT_TO_RUN.search(name)))

    def programs(self, program: str) -> tuple[str, ...]:
        """Packages that bring it into /usr/bin or /usr/sbin, the one named after it first.

        Raises:
            ResolveError, NetworkError: as `load_contents`.
        """
        return tuple(_ranked(self._programs, _PROGRAM, program) or _ranked(self._more, _PROGRAM, program))

    @cached_property
    def _libraries(self) -> dict[bytes, list[bytes]]:
        return _by_name(self.texts, _LIBRARY + _ALTERNATIVE)

    @cached_property
    def _programs(self) -> dict[bytes, list[bytes]]:
        return _by_name(self.texts, _PROGRAM)

    @cached_property
    def _more(self) -> dict[bytes, list[bytes]]:
        return _by_name(self.more(), _PROGRAM)


def load_contents(source: IndexSource, suite: str, architecture: str) -> DebianContents:
    """Fetch and verify which files the packages of `suite` (bookworm, trixie) and its updates have, as `load_index` does.

    Raises:
        ResolveError: an index that cannot be trusted, or none for this architecture.
        NetworkError: a mirror that does not answer.
    """
    if architecture not in TRIPLETS:
        raise no_such_architecture(suite, architecture)
    places, triplet = distributions(suite), TRIPLETS[architecture]
    return DebianContents(
        texts=_load(source, places, architecture, triplet), more=partial(_load, source, places[:1], "all", "")
    )


def _load(source: IndexSource, places: tuple[tuple[str, str], ...], architecture: str, triplet: str) -> tuple[bytes, ...]:
    """The condensed files of distributions; one of updates may have none."""
    wanted = Listed(
        names=(f"Contents-{architecture}.gz",),
        form=f"{_FORMAT}-{architecture}",
        condense=lambda packed, path: b"".join(_condensed(packed, path, triplet)),
    )
    texts = [load_listed(source, *place, wanted)[1] for place in places]
    if texts[0] is None:
        raise no_such_architecture(places[0][1], architecture)
    return tuple(text for text in texts if text)


def _condensed(packed: bytes, path: str, triplet: str) -> Iterator[bytes]:
    """A line for each program in the search path and, with a `triplet`, each library in the loader's folders."""
    folder = rf"(?:{re.escape(triplet)}/)?+({ALTERNATIVES}/)?+" if triplet else "(?!)()"
    wanted = re.compile(
        rf"\n(?:usr/)?+(?:s?+bin/([^/\s]++)|lib/{folder}([\w+.-]+\.so[\w+.-]*+)) ++(\S++)".encode(), re.MULTILINE
    )
    for block in _blocks(gunzip([packed], path)):
        for program, alternative, library, owners in wanted.findall(block):
            names = b",".join(owner.rpartition(b"/")[2] for owner in owners.split(b","))
            kind = _PROGRAM if program else _ALTERNATIVE if alternative else _LIBRARY
            yield b"%b %b %b\n" % (kind, program or library, names)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, each after a newline, in pieces that fit into a processor's cache."""
    rest = b"\n"
    for chunk in chunks:
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = newline
        rest += tail
    yield rest


def _by_name(texts: Iterable[bytes], kinds: bytes) -> dict[bytes, list[bytes]]:
    """The packages of each `L libz.so.1`."""
    found: dict[bytes, list[bytes]] = {}
    for text in texts:
        for line in text.splitlines():
            if line[0] in kinds:
                key, _, owners = line.rpartition(b" ")
                found.setdefault(key, []).extend(owners.split(b","))
    return found


def _ranked(found: Mapping[bytes, list[bytes]], kind: bytes, name: str) -> list[str]:
    """The package named after the file, then the shorter name (libavcodec59, libavcodec-extra59), then the newer version."""
    stem, number = _sounds(re.sub(r"\.so\b", "", name)), re.compile(r"\d+")

    def rank(package: str) -> tuple[bool, int, str, list[int]]:
        plain = package.removesuffix("t64")
        return (_sounds(plain) != stem, len(plain), number.sub("", plain), [-int(found) for found in number.findall(plain)])

    return sorted({owner.decode() for owner in found.get(b"%b %b" % (kind, name.encode()), ())}, key=rank)


def _sounds(name: str) -> str:
    """As names of libraries and of their packages compare (policy 8.1): libglib-2.0.so.0 is in libglib2.0-0."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
