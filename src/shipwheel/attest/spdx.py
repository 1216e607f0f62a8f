"""SPDX 2.3 in JSON (ISO/IEC 5962): the parts of one platform's image. As with CycloneDX, nothing in it is of the moment."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from shipwheel.attest.evidence import Evidence
from shipwheel.attest.parts import Part, list_parts
from shipwheel.lock import ModelFile
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import CREATED, canonical_json

PREDICATE = "https://spdx.dev/Document"
MEDIA_TYPE = "application/spdx+json"

_PURPOSES = {
    "application": "APPLICATION",
    "wheel": "LIBRARY",
    "deb": "LIBRARY",
    "model": "OTHER",
    "base": "CONTAINER",
    "os": "OPERATING-SYSTEM",
}
_DOCUMENT, _IMAGE = "SPDXRef-DOCUMENT", "SPDXRef-image"
_UNKNOWN = "NOASSERTION"


def spdx(evidence: Evidence, platform: Platform) -> dict[str, Any]:
    """The document.

    Raises:
        LockError: the lock was not made for the platform.
    """
    parts = list_parts(evidence, platform)
    image = _package(_IMAGE, evidence.name, primaryPackagePurpose="CONTAINER", comment=f"for {platform}")
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": evidence.name,
        "creationInfo": {"created": _newest(evidence), "creators": [f"Tool: shipwheel-{evidence.builder}"]},
        "packages": [image, *map(_part, parts), *(_file(file) for part in parts for file in part.files)],
        "relationships": [_relation(*each) for each in _relations(parts)],
    }
    unique = uuid.uuid5(uuid.NAMESPACE_OID, canonical_json(document).decode())
    return {**document, "documentNamespace": f"https://spdx.org/spdxdocs/{evidence.name.replace('/', '-')}-{unique}"}


def _newest(evidence: Evidence) -> str:
    """The date of the newest index that the lock was made from: the field must be there."""
    dates = [datetime.fromisoformat(date).astimezone(UTC) for date in evidence.lock.dates.values()]
    return max(dates).strftime("%Y-%m-%dT%H:%M:%SZ") if dates else CREATED


def _package(identity: str, name: str, **more: Any) -> dict[str, Any]:
    known = {key: value for key, value in more.items() if value}
    return {"SPDXID": identity, "name": name, "downloadLocation": _UNKNOWN, "filesAnalyzed": False, **known}


def _part(part: Part) -> dict[str, Any]:
    locator = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.purl}
    return _package(
        _identity(part),
        part.name,
        versionInfo=part.version,
        primaryPackagePurpose=_PURPOSES[part.kind],
        checksums=[_checksum(part.sha256)] if part.sha256 else [],
        licenseDeclared=part.license,
        sourceInfo=f"built from {part.source}" if part.source else "",
        externalRefs=[locator] if part.purl else [],
    )


def _file(file: ModelFile) -> dict[str, Any]:
    """As a package: a file would have to have a SHA-1 (SPDX 2.3, 8.4), which the lock has not."""
    checksums = [_checksum(file.sha256)]
    return _package(_file_identity(file), file.path, primaryPackagePurpose="FILE", checksums=checksums)


def _relations(parts: tuple[Part, ...]) -> Iterator[tuple[str, str, str]]:
    yield _DOCUMENT, "DESCRIBES", _IMAGE
    for part in parts:
        yield _IMAGE, "DESCENDANT_OF" if part.kind == "base" else "CONTAINS", _identity(part)
        yield from ((_identity(part), "CONTAINS", _file_identity(file)) for file in part.files)


def _relation(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}


def _checksum(sha256: str) -> dict[str, str]:
    return {"algorithm": "SHA256", "checksumValue": sha256}


def _identity(part: Part) -> str:
    """Of the system as Trivy spells it, which by nothing else sees that it is one."""
    kind = "OperatingSystem" if part.kind == "os" else part.kind
    return f"SPDXRef-{kind}-{_safe(part.name)}"


def _file_identity(file: ModelFile) -> str:
    return f"SPDXRef-file-{_safe(file.path)}"


def _safe(text: str) -> str:
    """With only the characters that an identifier may have, and another text for every other one."""
    return re.sub(r"[^A-Za-z0-9-]", lambda match: f".{ord(match[0]):x}.", text)
