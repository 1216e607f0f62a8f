"""What is attached to an image: by the referrers API, and by the fallback tag where a registry has none."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shipwheel.errors import ImageError, NetworkError
from shipwheel.oci.blob import Blob
from shipwheel.oci.copy import copy
from shipwheel.oci.image import INDEX_TYPE, MANIFEST_TYPE, Image, canonical_json
from shipwheel.registry.repository import Repository
from support.registry import Fault, Served
from support.trees import foreign, image

from .conftest import Connect

EMPTY = foreign(b"{}", "application/vnd.oci.empty.v1+json")
SBOM, PROVENANCE = "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"


def _attachment(subject: Image, kind: str, text: str = "") -> Blob:
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": kind,
        "config": EMPTY.descriptor.as_json(),
        "layers": [EMPTY.descriptor.as_json()],
        "subject": subject.manifest.descriptor.as_json(),
        "annotations": {"text": text},
    }
    return Blob.from_bytes(canonical_json(value), MANIFEST_TYPE)


@pytest.fixture
def repository(connect: Connect) -> Repository:
    made = connect()
    made.write(EMPTY)
    return made


@pytest.mark.parametrize("has_api", [True, False])
def test_attachments_are_listed(served: Served, repository: Repository, has_api: bool) -> None:
    served.referrers = has_api
    subject = image("a")
    copy(subject, repository, "1.0")
    assert repository.referrers(subject.manifest.descriptor) == ()
    for kind in (SBOM, PROVENANCE, SBOM):
        repository.attach(_attachment(subject, kind), subject.manifest.descriptor)
    assert len(repository.referrers(subject.manifest.descriptor)) == 2
    (found,) = repository.referrers(subject.manifest.descriptor, SBOM)
    assert found.digest == _attachment(subject, SBOM).digest
    assert found.annotations == {"text": ""}
    assert (f"sha256-{subject.manifest.digest.hex}" in served.manifests["team/app"]) is not has_api


def test_many_at_once_lose_none(served: Served, repository: Repository) -> None:
    served.referrers = False
    subject = image("a")
    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(repository.attach, _attachment(subject, SBOM, str(number)), subject.manifest.descriptor)
    assert len(repository.referrers(subject.manifest.descriptor)) == 8


def test_pages_are_followed(served: Served, repository: Repository) -> None:
    subject = image("a")
    copy(subject, repository, "1.0")
    repository.attach(_attachment(subject, SBOM), subject.manifest.descriptor)
    entry = {"mediaType": MANIFEST_TYPE, "digest": str(EMPTY.digest), "size": 2, "artifactType": SBOM}
    link = {"Link": f'</v2/team/app/referrers/{subject.manifest.digest}?last=x>; rel="next"'}
    served.faults = [Fault(path="/referrers/", status=200, body=canonical_json({"manifests": [entry]}), headers=link)]
    assert len(repository.referrers(subject.manifest.descriptor)) == 2


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"manifests":[1]}', b'{"manifests":[{}]}', b'{"manifests":1}'])
def test_a_malformed_list_is_told(served: Served, repository: Repository, body: bytes) -> None:
    served.faults = [Fault(path="/referrers/", status=200, body=body)]
    with pytest.raises(ImageError, match="list of referrers"):
        repository.referrers(image("a").manifest.descriptor)


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_a_registry_without_the_api_is_asked_for_the_tag(served: Served, repository: Repository, status: int) -> None:
    served.faults = [Fault(path="/referrers/", status=status)]
    assert repository.referrers(image("a").manifest.descriptor) == ()
    assert served.said("GET")[-1].startswith("GET /v2/team/app/manifests/sha256-")


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_is_no_empty_list(served: Served, repository: Repository, status: int) -> None:
    served.faults = [Fault(path="/referrers/", status=status, times=9)]
    with pytest.raises(NetworkError, match=str(status)):
        repository.referrers(image("a").manifest.descriptor)


def test_the_fallback_tag_keeps_what_others_wrote(served: Served, repository: Repository) -> None:
    served.referrers = False
    subject = image("a")
    foreign_entry = {"mediaType": MANIFEST_TYPE, "digest": str(EMPTY.digest), "size": 2, "artifactType": "x/y"}
    index = canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [foreign_entry]})
    served.put_manifest("team/app", f"sha256-{subject.manifest.digest.hex}", INDEX_TYPE, index)
    served.put_manifest("team/app", str(EMPTY.digest), MANIFEST_TYPE, b"{}")
    repository.attach(_attachment(subject, SBOM), subject.manifest.descriptor)
    _, data = served.manifests["team/app"][f"sha256-{subject.manifest.digest.hex}"]
    assert json.loads(data)["manifests"][0] == foreign_entry
    assert json.loads(data)["manifests"][1]["artifactType"] == SBOM
