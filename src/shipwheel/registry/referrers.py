"""`Referrers`: what is attached to an image (OCI distribution-spec, "Listing Referrers"), by the API or by the fallback tag."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, urljoin

from shipwheel.errors import ImageError, IntegrityError, NetworkError
from shipwheel.http import Request
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import INDEX_TYPE, canonical_json, read_json
from shipwheel.registry.auth import Scopes
from shipwheel.registry.session import Session

_DENIED = frozenset({401, 403, 429})
_PAGES = 100
"""Pages of a list at most: a registry that always names another would be asked for ever."""


class Referrers:
    """Of the repository `name`; `find` and `put` are its manifests. Safe to use from several threads."""

    def __init__(
        self, session: Session, name: str, find: Callable[[str], Blob | None], put: Callable[[str, Blob], None]
    ) -> None:
        self._session, self._name, self._find, self._put = session, name, find, put
        self._changing = threading.Lock()

    def entries(self, subject: Digest, artifact_type: str, scopes: Scopes) -> list[Mapping[str, object]]:
        """The descriptors as they stand in the list, with artifactType and annotations.

        Raises:
            ImageError: the list is malformed.
        """
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        try:
            found = list(self._listed(f"/v2/{self._name}/referrers/{subject}{query}", scopes))
        except NetworkError as error:
            status = error.fields.get("status")
            if not isinstance(status, int) or not 400 <= status < 500 or status in _DENIED:
                raise
            found = self._tagged(subject)
        return [entry for entry in found if not artifact_type or entry.get("artifactType") == artifact_type]

    def add(self, manifest: Blob, subject: Digest) -> None:
        """Add a manifest to the fallback tag of its subject; another that adds at the same moment may undo this."""
        with self._changing:
            entries = self._tagged(subject)
            if any(entry.get("digest") == str(manifest.digest) for entry in entries):
                return
            value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*entries, _entry(manifest)]}
            self._put(_fallback(subject), Blob.from_bytes(canonical_json(value), INDEX_TYPE))

    def _listed(self, url: str, scopes: Scopes) -> Iterator[Mapping[str, object]]:
        for _ in range(_PAGES):
            answer = self._session.ask(Request(url=url, headers={"Accept": INDEX_TYPE}), scopes)
            yield from _manifests(answer.content, url)
            link, _, rel = answer.headers.get("link", "").partition(";")
            if "next" not in rel:
                return
            url = urljoin(answer.url, link.strip(" <>"))

    def _tagged(self, subject: Digest) -> list[Mapping[str, object]]:
        index = self._find(_fallback(subject))
        return _manifests(index.read(), _fallback(subject)) if index else []


def _fallback(subject: Digest) -> str:
    """distribution-spec, "Referrers Tag Schema"."""
    return f"sha256-{subject.hex}"


def _manifests(content: bytes, where: str) -> list[Mapping[str, object]]:
    try:
        entries = json.loads(content)["manifests"] or []
        for entry in entries:
            Descriptor.from_json(entry)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, IntegrityError):
        raise ImageError(f"the list of referrers at {where} is malformed") from None
    return list(entries)


def _entry(manifest: Blob) -> dict[str, object]:
    """The descriptor of a manifest in such a list: its artifactType is its config's type where it has none."""
    value = read_json(manifest)
    content = value if isinstance(value, dict) else {}
    config = content.get("config") or {}
    entry = manifest.descriptor.as_json()
    if kind := content.get("artifactType") or config.get("mediaType"):
        entry["artifactType"] = kind
    if annotations := content.get("annotations"):
        entry["annotations"] = annotations
    return entry
