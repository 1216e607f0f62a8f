"""The simple repository API: which files an index or a page of links offers (PEP 503, PEP 691, PEP 700)."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from shipwheel.credentials import in_url, origin, redact
from shipwheel.errors import ResolveError
from shipwheel.http import Client, file_path
from shipwheel.resolve.indexes import add_credentials

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file that an index offers; `sha256` is empty and `size` 0 where it does not say."""

    filename: str
    url: str
    sha256: str = ""
    size: int = 0


def normalise(name: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_files(index: str, name: str, client: Client) -> tuple[IndexFile, ...]:
    """What one index offers for a project.

    Raises:
        NetworkError: also where the index has no such project (status 404).
        ResolveError: the answer is no index page.
    """
    return _page_files(f"{index.rstrip('/')}/{normalise(name)}/", client)


def linked_files(place: str, client: Client) -> tuple[IndexFile, ...]:
    """What a find-links place offers: a folder of this machine, or a page."""
    folder = file_path(place)
    if folder and folder.is_dir():
        return tuple(_in_folder(folder))
    return _page_files(place, client)


def _in_folder(folder: Path) -> Iterator[IndexFile]:
    for path in sorted(folder.iterdir()):
        if path.name.endswith((".whl", ".tar.gz", ".zip")):
            yield IndexFile(filename=path.name, url=path.absolute().as_uri(), size=path.stat().st_size)


def _page_files(url: str, client: Client) -> tuple[IndexFile, ...]:
    data, answer = client.page(url, headers={"Accept": ACCEPT})
    kind = answer.headers.get("content-type", "text/html").partition(";")[0].strip()
    base = answer.url
    try:
        found = _from_json(data, base) if kind.endswith("json") else _from_html(data.decode("utf-8", "replace"), base)
        return tuple(_authorised(each, base) for each in found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResolveError(f"{redact(url)} is not a page of a package index: {error}", hint="check its address") from None


def _authorised(file: IndexFile, page: str) -> IndexFile:
    """Files on the index's own host take its credentials along."""
    pair = in_url(page)
    if not pair or origin(file.url) != origin(page) or in_url(file.url):
        return file
    return IndexFile(filename=file.filename, url=add_credentials(file.url, pair), sha256=file.sha256, size=file.size)


def _from_json(data: bytes, base: str) -> Iterator[IndexFile]:
    for file in json.loads(data)["files"]:
        yield IndexFile(
            filename=str(file["filename"]),
            url=urljoin(base, file["url"]),
            sha256=str(file.get("hashes", {}).get("sha256", "")),
            size=int(file.get("size") or 0),
        )


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)
        if tag == "base" and href:
            self.found.append(f"base:{href}")


def _from_html(text: str, base: str) -> Iterator[IndexFile]:
    parser = _Links()
    parser.feed(text)
    for href in parser.found:
        if href.startswith("base:"):
            base = urljoin(base, href[5:])
            continue
        parts = urlsplit(urljoin(base, href))
        match = re.search(r"(?:^|&)sha256=([0-9a-f]{64})", parts.fragment)
        yield IndexFile(
            filename=unquote(parts.path.rpartition("/")[2]),
            url=parts._replace(fragment="").geturl(),
            sha256=match[1] if match else "",
        )
