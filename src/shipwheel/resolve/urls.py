"""Where files of a lock are now (`wheel_urls`), and what is remembered of that (`remember_url`)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from shipwheel.credentials import redact
from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client, absent, file_path
from shipwheel.lock import Built, Wheel
from shipwheel.resolve.indexes import PYPI, Indexes, urls_in
from shipwheel.resolve.select import Candidate
from shipwheel.resolve.simple import IndexFile, linked_files, project_files


def wheel_urls(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    """Where a locked wheel or sdist may be, the most likely place first; indexes are only asked when the caller gets there.

    Raises:
        ResolveError: no configured place has the file.
        NetworkError: it may be on an index that cannot be reached.
    """
    given = set[str]()
    for url in (*_hinted(indexes, wheel.sha256), *_linked(wheel, indexes, client)):
        given.add(redact(url))
        yield url
    direct = [urls_in(path)[wheel.filename] for path in indexes.files if wheel.filename in urls_in(path)]
    if indexes.default == PYPI:
        yield from direct
    for url in _on_indexes(wheel, indexes, client):
        if redact(url) not in given:
            given.add(redact(url))
            yield url
    if indexes.default != PYPI:
        yield from direct
    for url in _on_pytorch(wheel, client):
        given.add(redact(url))
        yield url
    if not given and not direct:
        places = ", ".join(redact(each) for each in (*indexes.find_links, *indexes.pages)) or "none is configured"
        raise ResolveError(
            f"{wheel.filename} is in none of the configured places: {places}",
            hint="configure the index that it was locked from, or run 'shipwheel lock' again",
        )


PYTORCH = "https://download.pytorch.org/whl"
"""Indexes of builds of torch, by the local part of their versions; uv takes files from here without any configuration."""

_BUILD = re.compile(r"cpu|cu\d+|rocm\d[\d.]*|xpu")
_FAMILY = re.compile(r"(py)?torch.*|triton.*")
"""The names that uv looks for there; no other name is told to that host."""


def _on_pytorch(wheel: Wheel | Built, client: Client) -> Iterator[str]:
    build = wheel.version.partition("+")[2]
    if _BUILD.fullmatch(build) and _FAMILY.fullmatch(wheel.name):
        yield from (file.url for file in project_files(f"{PYTORCH}/{build}", wheel.name, client) if _is(file, wheel))


def offered(name: str, indexes: Indexes, client: Client) -> list[IndexFile]:
    """All files that the configured places have for a project; the first index that knows it decides, as for uv.

    Raises:
        NetworkError: an index that cannot be reached.
    """
    found = [file for place in indexes.find_links for file in linked_files(place, client)]
    for index in indexes.pages:
        try:
            return [*found, *project_files(index, name, client)]
        except NetworkError as error:
            if not absent(error):
                raise
    return found


def _hinted(indexes: Indexes, sha256: str) -> list[str]:
    if not indexes.hints:
        return []
    try:
        return (indexes.hints / sha256).read_text("utf-8").split("\n")[:1]
    except (OSError, UnicodeDecodeError):
        return []


def remember_url(indexes: Indexes, file: Candidate) -> None:
    """Keep where a file was found, without credentials; nobody misses it if it cannot be kept."""
    if indexes.hints and file.sha256 and file.url:
        with contextlib.suppress(OSError):
            indexes.hints.mkdir(parents=True, exist_ok=True)
            fresh = indexes.hints / f".{file.sha256}-{os.getpid()}"
            fresh.write_text(redact(file.url), "utf-8")
            fresh.replace(indexes.hints / file.sha256)


def _linked(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    for place in indexes.find_links:
        folder = file_path(place)
        with contextlib.suppress(NetworkError, OSError):
            if folder and not folder.is_dir() and not folder.is_file():
                continue
            yield from (file.url for file in linked_files(place, client) if _is(file, wheel))


def _on_indexes(wheel: Wheel | Built, indexes: Indexes, client: Client) -> Iterator[str]:
    failed: NetworkError | None = None
    for index in indexes.pages:
        try:
            for file in project_files(index, wheel.name, client):
                if _is(file, wheel):
                    failed = None
                    yield file.url
        except NetworkError as error:
            if not absent(error):
                failed = error
    if failed:
        raise failed


def _is(file: IndexFile, wheel: Wheel | Built) -> bool:
    return file.sha256 == wheel.sha256 if file.sha256 else file.filename == wheel.filename
