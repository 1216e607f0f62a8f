"""Debian packages: which archives to ask, indexes that can be trusted, and the closure of what was asked for."""

from __future__ import annotations

from shipwheel.resolve.debian.archives import DebianArchives, deb_urls, find_archives
from shipwheel.resolve.debian.closure import NOT_FOLLOWED, resolve_debs
from shipwheel.resolve.debian.index import DebIndex, load_index
from shipwheel.resolve.debian.signed import Fetcher, IndexSource, Listed, distributions, load_listed, no_such_architecture

__all__ = [
    "NOT_FOLLOWED",
    "DebIndex",
    "DebianArchives",
    "Fetcher",
    "IndexSource",
    "Listed",
    "deb_urls",
    "distributions",
    "find_archives",
    "load_index",
    "load_listed",
    "no_such_architecture",
    "resolve_debs",
]
