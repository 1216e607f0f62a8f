"""`file:` URLs, answered as if a server had sent them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from shipwheel.http.errors import network_error
from shipwheel.http.exchange import Body, Request
from shipwheel.oci.blob import CHUNK


def file_path(url: str) -> Path | None:
    """The path of a `file:` URL of this machine; None for any other URL."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


@contextmanager
def open_file(request: Request, path: Path) -> Iterator[Body]:
    """A file as if a server had sent it; a folder is its index.html, as web servers have it."""
    path = path / "index.html" if path.is_dir() else path
    method, url = request.method, request.url
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            start = min(int(request.headers.get("Range", "bytes=0-")[6:-1]), size)
            stream.seek(start)
            chunks = iter(lambda: stream.read(CHUNK), b"") if method == "GET" else iter(())
            yield Body(status=200, url=url, start=start, headers={"content-length": str(size)}, chunks=chunks)
    except FileNotFoundError:
        raise network_error(method, url, "no such file", status=404, retryable=False) from None
    except PermissionError:
        raise network_error(method, url, "permission denied", status=403, retryable=False) from None
