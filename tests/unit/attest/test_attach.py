"""What is attached to an image in a registry: once, replaced where it is ours, beside what others attached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shipwheel.attest.artifact import tag_of
from shipwheel.attest.attach import attest
from shipwheel.oci.blob import Descriptor
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.registry.registries import Registries
from shipwheel.registry.repository import Repository
from support.evidence import EVIDENCE
from support.registry import Served, registry
from support.trees import image

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(params=["referrers API", "fallback tag"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with registry(Served(referrers=request.param == "referrers API")) as running:
        yield running


@pytest.fixture
def repository(served: Served) -> Iterator[Repository]:
    with Registries() as registries:
        yield registries.repository(Reference.parse(f"{served.host}/team/app:1.0"))


def push(repository: Repository, given: Image | Index, tag: str = "1.0") -> Image | Index:
    copy(given, repository, tag)
    return given


@pytest.fixture
def fresh(served: Served) -> Iterator[Callable[[], Repository]]:
    """The same repository as another process sees it, which knows nothing of what was sent before."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Registries()).repository(Reference.parse(f"{served.host}/team/app:1.0"))


def layers(repository: Repository, given: Image | Index, suffix: str) -> list[dict[str, Any]]:
    manifest = repository.manifest(tag_of(given.manifest.digest, suffix))
    assert manifest
    found: list[dict[str, Any]] = json.loads(manifest.read())["layers"]
    return found


def kinds(repository: Repository, given: Image | Index) -> list[str]:
    return [layer["annotations"]["predicateType"].rpartition("/")[2] for layer in layers(repository, given, "att")]


def test_without_a_key_documents_refer_to_the_image_and_nothing_is_tagged(served: Served, repository: Repository) -> None:
    given = push(repository, image("a"))
    sent = attest(given, EVIDENCE, repository)
    found = repository.referrers(given.manifest.descriptor)
    assert {each.digest for each in found} == {each.digest for each in sent}
    assert len(found) == 3
    documents = [json.loads((repository.manifest(str(each.digest)) or given.manifest).read()) for each in found]
    assert sorted(each["artifactType"] for each in documents) == [
        "application/spdx+json",
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    ]
    assert not [name for name in served.manifests["team/app"] if name.endswith((".att", ".sig"))]


def test_a_scanner_finds_the_sbom_by_its_type(repository: Repository) -> None:
    given = push(repository, image("a"))
    attest(given, EVIDENCE, repository)
    (found,) = repository.referrers(given.manifest.descriptor, "application/vnd.cyclonedx+json")
    manifest = repository.manifest(str(found.digest))
    assert manifest
    (layer,) = json.loads(manifest.read())["layers"]
    data = served_blob(repository, layer)
    assert json.loads(data)["bomFormat"] == "CycloneDX"


def served_blob(repository: Repository, layer: dict[str, Any]) -> bytes:
    return b"".join(repository.blob(Descriptor.from_json(layer)).chunks())


@pytest.mark.parametrize("key", [None, KEY, OTHER])
def test_again_sends_nothing(served: Served, repository: Repository, fresh: Callable[[], Repository], key: Any) -> None:
    given = push(repository, compose_index([image("a"), image("a", platform="linux/arm64")]))
    assert attest(given, EVIDENCE, repository, key)
    served.forget_log()
    assert attest(given, EVIDENCE, fresh(), key) == ()
    assert served.said("PUT", "POST", "PATCH") == []


def test_other_code_of_the_same_lock_has_the_same_sboms(
    served: Served, repository: Repository, fresh: Callable[[], Repository]
) -> None:
    attest(push(repository, image("a")), EVIDENCE, repository)
    other = push(repository, image("b"))
    served.forget_log()
    attest(other, EVIDENCE, fresh())
    blobs = [each for each in served.log if each.method in ("PUT", "PATCH") and "/blobs/" in each.path and each.received]
    assert len(blobs) == 1
    assert blobs[0].received < 2000


def test_with_a_key_everything_is_signed(repository: Repository) -> None:
    given = push(repository, image("a"))
    attest(given, EVIDENCE, repository, KEY)
    assert kinds(repository, given) == ["bom", "Document", "v1"]
    (signature,) = layers(repository, given, "sig")
    assert json.loads(served_blob(repository, signature))["critical"]["image"] == {
        "docker-manifest-digest": str(given.manifest.digest)
    }


def test_an_index_has_the_documents_of_all_its_images(repository: Repository) -> None:
    given = compose_index([image("a"), image("a", platform="linux/arm64")])
    push(repository, given)
    attest(given, EVIDENCE, repository, KEY)
    assert kinds(repository, given) == ["bom", "Document", "v1"] * 2
    for each in given.images:
        assert kinds(repository, each) == ["bom", "Document", "v1"]
        assert len(repository.referrers(each.manifest.descriptor)) == 3
    statements = [json.loads(served_blob(repository, layer))["payload"] for layer in layers(repository, given, "att")]
    assert len(set(statements)) == 6


def test_what_others_attested_and_signed_stays(repository: Repository) -> None:
    given = push(repository, image("a"))
    attest(given, EVIDENCE, repository, OTHER)
    theirs = [layers(repository, given, suffix) for suffix in ("att", "sig")]
    attest(given, EVIDENCE, repository, KEY)
    ours = [layers(repository, given, suffix) for suffix in ("att", "sig")]
    assert [len(each) for each in ours] == [6, 2]
    assert [each[: len(each) // 2] for each in ours] == theirs


def test_what_this_key_said_before_is_replaced(repository: Repository) -> None:
    given = push(repository, image("a"))
    attest(given, EVIDENCE, repository, KEY)
    before = layers(repository, given, "att")
    attest(given, replace(EVIDENCE, revision=None), repository, KEY)
    after = layers(repository, given, "att")
    assert len(after) == 3
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_without_evidence_the_image_is_only_signed(served: Served, repository: Repository) -> None:
    given = push(repository, image("a"))
    attest(given, None, repository, KEY)
    assert repository.referrers(given.manifest.descriptor) == ()
    assert [name for name in served.manifests["team/app"] if name.endswith((".att", ".sig"))] == [
        tag_of(given.manifest.digest, "sig")
    ]
