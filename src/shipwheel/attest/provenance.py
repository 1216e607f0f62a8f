"""SLSA provenance, version 1: what an image was made from, and by what (docs/reference/provenance.md says how to read it)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from shipwheel.attest.evidence import Evidence
from shipwheel.attest.parts import list_parts
from shipwheel.lock import FILE_NAME, dump_lock
from shipwheel.oci.blob import Platform
from shipwheel.project.revision import Revision

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://shipwheel.dev/build/v1"
BUILDER = "https://shipwheel.dev/shipwheel"
"""Whoever runs shipwheel: a statement of this builder is as good as the key that signs it."""


def provenance(evidence: Evidence, platform: Platform) -> dict[str, Any]:
    """The predicate (SLSA v1.0, "Provenance").

    Wheels and packages are not named one by one: the lock's digest stands for them, and the SBOMs list them.

    Raises:
        LockError: the lock was not made for the platform.
    """
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {**_source(evidence.revision), **evidence.parameters, "platform": str(platform)},
            "internalParameters": {},
            "resolvedDependencies": list(_dependencies(evidence, platform)),
        },
        "runDetails": {"builder": {"id": BUILDER, "version": {"shipwheel": evidence.builder}}, "metadata": {}},
    }


def _source(revision: Revision | None) -> dict[str, Any]:
    """The repository and the project's folder in it; the commit is a dependency."""
    uri = {"uri": f"git+{revision.source}"} if revision and revision.source else {}
    path = {"path": revision.folder} if revision and revision.folder else {}
    return {"source": {**uri, **path}} if uri or path else {}


def _dependencies(evidence: Evidence, platform: Platform) -> Iterator[dict[str, Any]]:
    if revision := evidence.revision:
        uri = {"uri": f"git+{revision.source}@{revision.commit}"} if revision.source else {"name": "source"}
        yield {**uri, "digest": {"gitCommit": revision.commit}}
    yield {"name": FILE_NAME, "digest": {"sha256": hashlib.sha256(dump_lock(evidence.lock).encode()).hexdigest()}}
    for part in list_parts(evidence, platform):
        if part.kind == "base":
            yield {"uri": part.purl, "digest": {"sha256": part.sha256}}
        yield from ({"name": file.path, "digest": {"sha256": file.sha256}} for file in part.files)
