"""CycloneDX 1.6 in JSON (ECMA-424): the parts of one platform's image.

Nothing in it is of the moment, nor of the image's digest: as long as project and lock stay, so does every byte.
"""

from __future__ import annotations

import uuid
from typing import Any

from shipwheel.attest.evidence import Evidence
from shipwheel.attest.parts import Part, list_parts
from shipwheel.oci.blob import Platform
from shipwheel.oci.image import canonical_json

PREDICATE = "https://cyclonedx.org/bom"
MEDIA_TYPE = "application/vnd.cyclonedx+json"

_TYPES = {
    "application": "application",
    "wheel": "library",
    "deb": "library",
    "model": "machine-learning-model",
    "base": "container",
    "os": "operating-system",
}
_IMAGE = "image"
"""What the image itself is called within the document."""


def cyclonedx(evidence: Evidence, platform: Platform) -> dict[str, Any]:
    """The document.

    Raises:
        LockError: the lock was not made for the platform.
    """
    parts = list_parts(evidence, platform)
    references = [part.reference for part in parts]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": _IMAGE, "name": evidence.name},
            "properties": [{"name": "shipwheel:platform", "value": str(platform)}],
            "tools": {"components": [{"type": "application", "name": "shipwheel", "version": evidence.builder}]},
        },
        "components": [_component(part) for part in parts],
        "dependencies": [{"ref": _IMAGE, "dependsOn": references}, *({"ref": each} for each in references)],
        "compositions": [{"aggregate": _whole(parts), "assemblies": [_IMAGE]}],
    }
    return {**document, "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, canonical_json(document).decode()).urn}


def _component(part: Part) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": _TYPES[part.kind],
        "bom-ref": part.reference,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "hashes": _hashes(part.sha256) if part.sha256 else [],
        "licenses": [{"expression": part.license}] if part.license else [],
        "properties": [{"name": "shipwheel:built-from", "value": part.source}] if part.source else [],
        "components": [{"type": "file", "name": file.path, "hashes": _hashes(file.sha256)} for file in part.files],
    }
    return {key: value for key, value in component.items() if value}


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _whole(parts: tuple[Part, ...]) -> str:
    """What lies in a base from a registry is not listed: its own SBOM tells."""
    return "incomplete" if any(part.kind == "base" for part in parts) else "complete"
