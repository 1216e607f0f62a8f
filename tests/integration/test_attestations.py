"""cosign accepts what Shipwheel signs and attests, from Debian's docker-registry, and refuses what was tampered with."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from shipwheel.attest.artifact import tag_of, tagged
from shipwheel.attest.attach import attest
from shipwheel.attest.cyclonedx import cyclonedx
from shipwheel.attest.parts import list_parts
from shipwheel.attest.spdx import spdx
from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, Index, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.registry.registries import Registries
from shipwheel.registry.repository import Repository
from shipwheel.signing import PrivateKey, load_private_key
from support.engines import need, tool
from support.evidence import AMD64, EVIDENCE
from support.trees import image

pytestmark = pytest.mark.docker

PASSWORD = "of a test"
KINDS = ("cyclonedx", "spdxjson", "slsaprovenance1")


@dataclass(frozen=True)
class Keys:
    file: Path
    public: Path

    @property
    def private(self) -> PrivateKey:
        return load_private_key(self.file, PASSWORD)


def run(*command: str | Path, cwd: Path | None = None, refused: bool = False) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "COSIGN_PASSWORD": PASSWORD},
    )
    assert (done.returncode != 0) == refused, f"{command}: {done.stdout}{done.stderr}"
    return done.stderr if refused else done.stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """cosign's own."""
    need("cosign", "cosign")
    folder = tmp_path_factory.mktemp("keys")
    run("cosign", "generate-key-pair", cwd=folder)
    return Keys(folder / "cosign.key", folder / "cosign.pub")


@pytest.fixture(scope="module")
def ed25519(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Of openssl, and of another kind."""
    need("openssl", "openssl")
    keys = Keys(*(tmp_path_factory.mktemp("ed25519") / name for name in ("key.pem", "key.pub")))
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", keys.file)
    run("openssl", "pkey", "-in", keys.file, "-pubout", "-out", keys.public)
    return keys


@pytest.fixture
def repository(registry: str, tmp_path: Path) -> Iterator[Repository]:
    name = f"{registry}/{tmp_path.name.replace('_', '-').lower()}:1.0"
    with Registries() as registries:
        yield registries.repository(Reference.parse(name))


def pushed(repository: Repository) -> tuple[Image, Index]:
    """An image under the tag `one`, and an index of it and another under `two`."""
    index = compose_index([image("a"), image("a", platform="linux/arm64")])
    copy(index.images[0], repository, "one")
    copy(index, repository, "two")
    return index.images[0], index


def verified(repository: Repository, tag: str, keys: Keys, kind: str, *flags: str, refused: bool = False) -> list[Any]:
    """The statements that cosign gives out; nothing where it refuses."""
    flags = ("--key", str(keys.public), "--insecure-ignore-tlog", "--type", kind, *flags)
    out = run("cosign", "verify-attestation", *flags, f"{repository.origin}:{tag}", refused=refused)
    return [] if refused else [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in out.splitlines()]


@pytest.mark.parametrize("kind", ["keys", "ed25519"])
def test_cosign_accepts_signatures_and_attestations(repository: Repository, kind: str, request: pytest.FixtureRequest) -> None:
    keys: Keys = request.getfixturevalue(kind)
    one, index = pushed(repository)
    attest(index, EVIDENCE, repository, keys.private)
    for tag, count in (("one", 1), ("two", 2)):
        run("cosign", "verify", "--key", keys.public, "--insecure-ignore-tlog", f"{repository.origin}:{tag}")
        for kind in KINDS:
            assert len(verified(repository, tag, keys, kind)) == count
    (statement,) = verified(repository, "one", keys, "slsaprovenance1")
    assert statement["subject"] == [{"name": repository.origin, "digest": {"sha256": one.manifest.digest.hex}}]


def test_a_policy_holds_the_provenance_to_its_source(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    one, _ = pushed(repository)
    attest(one, EVIDENCE, repository, keys.private)
    policy = tmp_path / "policy.cue"
    text = 'predicate: buildDefinition: externalParameters: source: uri: "git+https://git.example.org/{}"\n'
    policy.write_text(text.format("iris"))
    assert verified(repository, "one", keys, "slsaprovenance1", "--policy", str(policy))
    policy.write_text(text.format("other"))
    verified(repository, "one", keys, "slsaprovenance1", "--policy", str(policy), refused=True)


def test_cosign_refuses_an_attestation_that_was_changed(repository: Repository, keys: Keys) -> None:
    one, _ = pushed(repository)
    attest(one, EVIDENCE, repository, keys.private)
    tag = tag_of(one.manifest.digest, "att")
    manifest = repository.manifest(tag)
    assert manifest
    layers = json.loads(manifest.read())["layers"]
    changed = [_changed(repository.blob(Descriptor.from_json(layer))) for layer in layers]
    found = tagged(
        tag,
        [{**layer, "digest": str(blob.digest), "size": blob.size} for layer, blob in zip(layers, changed, strict=True)],
        changed,
    )
    for blob in found.blobs:
        repository.write(blob)
    repository.put_manifest(tag, found.manifest)
    for kind in KINDS:
        verified(repository, "one", keys, kind, refused=True)


def _changed(blob: Blob) -> Blob:
    """The envelope around another statement: the word linux is spelled otherwise."""
    value = json.loads(blob.read())
    payload = base64.b64decode(value["payload"])
    assert b"linux" in payload
    value["payload"] = base64.b64encode(payload.replace(b"linux", b"Linux")).decode()
    return Blob.from_bytes(json.dumps(value).encode(), blob.descriptor.media_type)


def test_cosign_refuses_the_attestations_of_another_image(repository: Repository, keys: Keys) -> None:
    one, _ = pushed(repository)
    attest(one, EVIDENCE, repository, keys.private)
    other = image("b")
    copy(other, repository, "other")
    for suffix in ("att", "sig"):
        stolen = repository.manifest(tag_of(one.manifest.digest, suffix))
        assert stolen
        repository.put_manifest(tag_of(other.manifest.digest, suffix), stolen)
    flags = ("--key", keys.public, "--insecure-ignore-tlog")
    run("cosign", "verify", *flags, f"{repository.origin}:other", refused=True)
    verified(repository, "other", keys, "cyclonedx", refused=True)


def test_cosign_refuses_what_another_key_signed(repository: Repository, keys: Keys, ed25519: Keys) -> None:
    one, _ = pushed(repository)
    attest(one, EVIDENCE, repository, ed25519.private)
    run("cosign", "verify", "--key", keys.public, "--insecure-ignore-tlog", f"{repository.origin}:one", refused=True)
    verified(repository, "one", keys, "spdxjson", refused=True)


def test_what_cosign_attested_before_stays_and_verifies(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    one, _ = pushed(repository)
    found = tmp_path / "found.json"
    found.write_text('{"scanner": {"uri": "https://scanner.example.org"}}')
    flags = ("-y", "--tlog-upload=false", "--key", keys.file, "--type", "vuln", "--predicate", found)
    run("cosign", "attest", *flags, f"{repository.origin}@{one.manifest.digest}")
    attest(one, EVIDENCE, repository, keys.private)
    assert verified(repository, "one", keys, "vuln")
    assert verified(repository, "one", keys, "cyclonedx")


@pytest.mark.parametrize("kind", ["cyclonedx", "spdx"])
def test_trivy_takes_the_packages_and_the_system_from_an_sbom(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(json.dumps(cyclonedx(EVIDENCE, AMD64) if kind == "cyclonedx" else spdx(EVIDENCE, AMD64)))
    words = (
        "--cache-dir",
        tmp_path / "cache",
        "--offline-scan",
        "--scanners",
        "license",
        "--list-all-pkgs",
        "--format",
        "json",
    )
    found = json.loads(run(tool("trivy"), "--quiet", "sbom", *words, path))
    assert found["Metadata"]["OS"] == {"Family": "debian", "Name": "12"}
    purls = [package["Identifier"]["PURL"] for each in found["Results"] for package in each.get("Packages", [])]
    assert {*map(unquote, purls)} == {unquote(part.purl) for part in list_parts(EVIDENCE, AMD64) if part.purl}
