"""The base of an image, composed from Debian packages: no shell, no package manager, the whole standard library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from shipwheel.layers.debs import Spool, deb_tree
from shipwheel.layers.ldcache import PATH as LD_SO_CACHE
from shipwheel.layers.ldcache import ld_so_cache
from shipwheel.layers.maintainer import base_extras, system_extras
from shipwheel.lock import Deb
from shipwheel.oci.tree import Entry, Tree

LEFT_OUT = MappingProxyType(
    {
        r"usr/lib/python3\.\d+/(test|lib2to3/tests|distutils/tests)(/.*)?": "tests of Python itself; python:X-slim has none",
        r"usr/lib/python3\.\d+/lib-dynload/(_test|_ctypes_test|_xxtest|xxlimited).*": "extension modules for those tests",
        r"usr/share/zoneinfo/(right|posix)(/.*)?": "time zones a second time, with leap seconds and without",
        r"usr/bin/(localedef|tzselect|zdump|ldd|pldd|iconv)": "tools of libc-bin for people and shells",
        r"usr/sbin/(zic|iconvconfig|update-ca-certificates)": "tools of maintainer scripts",
        r"usr/share/base-files(/.*)?|etc/(update-motd\.d|profile\.d|skel)(/.*)?|etc/issue(\.net)?": "for people who log in",
        r"usr/(games|include|src)|usr/share/(dict|misc)|var/(backups|local|spool)": "empty folders",
    }
)
"""What the base leaves out of its packages beside `debs.LEFT_OUT`, each with the reason."""

_LEFT_OUT = re.compile("|".join(f"(?:{pattern})" for pattern in LEFT_OUT))


def base_tree(debs: Sequence[tuple[Deb, Path]], python: str) -> Tree:
    """The base's packages and what their scripts would have made.

    Raises:
        DebError, TreeError: a package that is not what it should be, or packages that do not go together.
    """
    entries = [entry for entry in _unpacked(debs) if not _LEFT_OUT.fullmatch(entry.path)]
    entries += base_extras({entry.path: entry for entry in entries}, python)
    return Tree.of([*entries, ld_so_cache(entries)], origin="the base", case_clash=False)


def system_tree(debs: Sequence[tuple[Deb, Path]], base: Tree) -> Tree:
    """Packages on top of the base: their files, what their scripts would have made, the loader's cache over both."""
    entries = list(_unpacked(debs))
    entries += system_extras({entry.path: entry for entry in (*base, *entries)})
    below = [entry for entry in base if entry.path != LD_SO_CACHE]
    return Tree.of([*entries, ld_so_cache([*below, *entries])], origin="system packages", case_clash=False)


def added_tree(debs: Sequence[tuple[Deb, Path]]) -> Tree:
    """Packages on a Debian image that is not at hand: as `system_tree`, but that image's loader cache stays as it is.

    The loader looks into Debian's own library folders also for what the cache does not have (ld.so(8)).
    """
    entries = list(_unpacked(debs))
    entries += system_extras({entry.path: entry for entry in entries})
    return Tree.of(entries, origin="system packages", case_clash=False)


def _unpacked(debs: Sequence[tuple[Deb, Path]]) -> Iterator[Entry]:
    spool = Spool()
    for deb, path in sorted(debs, key=lambda pair: pair[0].name):
        yield from deb_tree(path, deb, spool)
