"""The client against Debian's docker-registry."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import IntegrityError, NetworkError
from shipwheel.http import Limits
from shipwheel.oci.blob import Blob, Descriptor, Digest, Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import MANIFEST_TYPE, Image, Index, canonical_json, compose_index
from shipwheel.oci.reference import Reference
from shipwheel.oci.store import Store
from shipwheel.oci.validate import validate
from shipwheel.registry.registries import Access, Registries
from shipwheel.registry.repository import Repository
from support.engines import engine_folder, need, start_registry
from support.registry_proxy import Cut, cutting
from support.trees import foreign, image

EMPTY = foreign(b"{}", "application/vnd.oci.empty.v1+json")


@pytest.fixture
def registries() -> Iterator[Registries]:
    with Registries() as made:
        yield made


def _repository(registries: Registries, registry: str, name: str) -> Repository:
    return registries.repository(Reference.parse(f"{registry}/{name}"))


def test_an_index_goes_and_comes_back(registries: Registries, registry: str, tmp_path: Path) -> None:
    given = compose_index([image("a"), image("a", "b", platform="linux/arm64")])
    repository = _repository(registries, registry, "round/trip")
    repository.expect("1.0")
    copy(given, repository, "1.0", workers=4)
    found = repository.resolve("1.0")
    assert isinstance(found, Index)
    validate(found)
    assert repository.resolve_platform("1.0", Platform("linux", "arm64")).manifest.digest == given.images[1].manifest.digest
    copy(found, Store(tmp_path), "app:1.0")
    assert Store(tmp_path).resolve("app:1.0").manifest.digest == given.manifest.digest


def test_the_same_again_is_one_request(registry: str) -> None:
    given = image("again")
    for _ in range(2):
        with Registries() as registries:
            repository = _repository(registries, registry, "again")
            repository.expect("1.0")
            copy(given, repository, "1.0", workers=4)
    assert registries.traffic.requests == 2  # one asks whether it speaks TLS
    assert registries.traffic.sent + registries.traffic.received < 3000


def test_a_mount_sends_no_bytes(registries: Registries, registry: str) -> None:
    blob = foreign(os.urandom(1 << 20))
    _repository(registries, registry, "base").write(blob)
    before = registries.traffic.sent
    target = _repository(registries, registry, "mounted")
    target.write(replace(blob, origins=(f"{registry}/base",)))
    assert registries.traffic.sent - before < 1000
    assert target.has(blob.descriptor)


def test_a_mount_of_what_is_not_there_uploads(registries: Registries, registry: str) -> None:
    blob = foreign(os.urandom(1 << 20))
    target = _repository(registries, registry, "unmounted")
    target.write(replace(blob, origins=(f"{registry}/nowhere",)))
    assert target.blob(blob.descriptor).read() == blob.read()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_pieces(registries: Registries, registry: str, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("shipwheel.registry.upload.PIECE", 1000)
    blob = foreign(os.urandom(size))
    repository = _repository(registries, registry, "pieces")
    repository.write(blob)
    assert b"".join(repository.blob(blob.descriptor).chunks()) == blob.read()


@pytest.mark.parametrize("after", [500_000, 1_500_000, 2_999_000])
def test_a_broken_upload_goes_on(registry: str, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    monkeypatch.setattr("shipwheel.registry.upload.PIECE", 1_000_000)
    blob = foreign(os.urandom(3_000_000))
    with cutting(registry, Cut(sent=after)) as proxy, Registries(Access(limits=Limits(backoff=0.01))) as registries:
        repository = _repository(registries, proxy, f"broken{after}")
        repository.write(blob)
        assert repository.blob(blob.descriptor).read() == blob.read()


def test_a_broken_download_goes_on(registry: str) -> None:
    blob = foreign(os.urandom(3_000_000))
    with cutting(registry, Cut(received=1_000_000)) as proxy, Registries(Access(limits=Limits(backoff=0.01))) as registries:
        repository = _repository(registries, proxy, "broken-download")
        repository.write(blob)
        assert repository.blob(blob.descriptor).read() == blob.read()
        assert registries.traffic.received < 3_200_000


def test_nothing_is_kept_of_a_wrong_blob(registries: Registries, registry: str) -> None:
    blob = foreign(os.urandom(3000))
    repository = _repository(registries, registry, "wrong")
    with pytest.raises(IntegrityError):
        repository.write(replace(blob, open=foreign(os.urandom(3000)).open))
    assert not repository.has(blob.descriptor)


def test_an_attachment_is_found_by_the_fallback_tag(registries: Registries, registry: str) -> None:
    subject, repository = image("a"), _repository(registries, registry, "attached")
    copy(subject, repository, "1.0")
    repository.write(EMPTY)
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": "application/vnd.cyclonedx+json",
        "config": EMPTY.descriptor.as_json(),
        "layers": [EMPTY.descriptor.as_json()],
        "subject": subject.manifest.descriptor.as_json(),
    }
    attachment = Blob.from_bytes(canonical_json(value), MANIFEST_TYPE)
    repository.attach(attachment, subject.manifest.descriptor)
    (found,) = repository.referrers(subject.manifest.descriptor)
    assert found.digest == attachment.digest


def test_what_is_not_there(registries: Registries, registry: str) -> None:
    repository = _repository(registries, registry, "nothing")
    absent = Descriptor(media_type="x/y", digest=Digest.of(b"nothing"), size=7)
    assert repository.manifest("1.0") is None
    assert not repository.has(absent)
    with pytest.raises(NetworkError, match="404 Not Found: BLOB_UNKNOWN"):
        repository.open(absent)


def test_skopeo_reads_what_was_pushed(registries: Registries, registry: str, tmp_path: Path) -> None:
    need("skopeo", "skopeo")
    given = image("a", "b")
    copy(given, _repository(registries, registry, "skopeo"), "1.0")
    done = subprocess.run(
        [
            "skopeo",
            "copy",
            "--insecure-policy",
            "--src-tls-verify=false",
            f"docker://{registry}/skopeo:1.0",
            f"oci:{tmp_path}/o:x",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = _repository(registries, registry, "skopeo").resolve(str(given.manifest.digest))
    assert isinstance(found, Image)


def test_a_registry_that_starts_late_is_waited_for() -> None:
    need("registry", "docker-registry")
    engine, address = start_registry(engine_folder())
    try:
        with Registries() as registries:
            _repository(registries, address, "app").write(foreign(b"x"))
            engine.process.terminate()
            engine.process.wait(10)
            repository = Registries(Access(limits=Limits(attempts=2, backoff=0.01))).repository(Reference.parse(f"{address}/x"))
            with pytest.raises(NetworkError, match="refused") as raised:
                repository.write(foreign(b"y"))
            assert raised.value.fields["retryable"] is True
    finally:
        engine.stop()
