"""What is read from a registry, and what may be wrong with it."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from shipwheel.errors import ImageError, IntegrityError, NetworkError
from shipwheel.oci.blob import Blob, Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.image import (
    DOCKER_LIST_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    MAX_JSON,
    Image,
    Index,
    canonical_json,
    compose_index,
)
from support.registry import Fault, Served
from support.trees import foreign, image

from .conftest import Connect

LARGE = foreign(os.urandom(200_000))


def _put_index(served: Served, *entries: dict[str, object], media_type: str = INDEX_TYPE) -> str:
    value = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries)}
    return served.put_manifest("team/app", "1.0", media_type, canonical_json(value))


def _put_manifest(served: Served, value: dict[str, object]) -> dict[str, object]:
    data = canonical_json({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, **value})
    digest = served.put_manifest("team/app", "", MANIFEST_TYPE, data)
    return {"mediaType": MANIFEST_TYPE, "digest": digest, "size": len(data)}


class TestManifest:
    def test_absent(self, served: Served, connect: Connect) -> None:
        assert connect().manifest("1.0") is None
        with pytest.raises(NetworkError, match=r"team/app has no '1\.0'") as raised:
            connect().resolve("1.0")
        assert raised.value.fields["status"] == 404

    def test_by_digest_is_checked(self, served: Served, connect: Connect) -> None:
        digest = served.put_manifest("team/app", "", MANIFEST_TYPE, b"{}")
        assert connect().manifest(digest)
        served.manifests["team/app"][digest] = (MANIFEST_TYPE, b'{"a":1}')
        with pytest.raises(IntegrityError, match="where it promised"):
            connect().manifest(digest)

    def test_by_tag_is_checked_against_the_head(self, served: Served, connect: Connect) -> None:
        served.put_manifest("team/app", "1.0", MANIFEST_TYPE, b"{}")
        served.faults = [Fault(path="/manifests/", body=b'{"a":1}')]
        with pytest.raises(IntegrityError, match="where it promised"):
            connect().manifest("1.0")

    def test_over_the_limit(self, served: Served, connect: Connect) -> None:
        served.put_manifest("team/app", "1.0", MANIFEST_TYPE, b" " * (MAX_JSON + 1))
        with pytest.raises(ImageError, match="over 4 MiB"):
            connect().manifest("1.0")

    @pytest.mark.parametrize(
        ("media_type", "data", "message"),
        [
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion":1}', "schema 1"),
            ("application/json", b'{"schemaVersion":1}', "schema 1"),
            (MANIFEST_TYPE, b"<html>", "not a JSON object"),
            (MANIFEST_TYPE, b"[]", "not a JSON object"),
            (MANIFEST_TYPE, b'{"layers":[],"manifests":[]}', "contradicts itself"),
            (MANIFEST_TYPE, canonical_json({"mediaType": INDEX_TYPE}), "contradicts itself"),
        ],
    )
    def test_malformed(self, served: Served, connect: Connect, media_type: str, data: bytes, message: str) -> None:
        served.put_manifest("team/app", "1.0", media_type, data)
        with pytest.raises(ImageError, match=message):
            connect().manifest("1.0")

    @pytest.mark.parametrize(
        ("said", "value", "expected"),
        [
            (f"{INDEX_TYPE}; charset=utf-8", {}, INDEX_TYPE),
            ("text/plain", {"mediaType": DOCKER_LIST_TYPE}, DOCKER_LIST_TYPE),
            ("application/json", {"manifests": []}, INDEX_TYPE),
            ("application/json", {"layers": []}, MANIFEST_TYPE),
            (MANIFEST_TYPE, {"mediaType": ""}, MANIFEST_TYPE),
            ("", {"mediaType": "application/vnd.example+json"}, "application/vnd.example+json"),
        ],
    )
    def test_type(self, served: Served, connect: Connect, said: str, value: dict[str, object], expected: str) -> None:
        served.put_manifest("team/app", "1.0", said, canonical_json(value))
        found = connect().manifest("1.0")
        assert found
        assert found.descriptor.media_type == expected


STATUSES = [*range(400, 404), *range(405, 410), *range(411, 418), 421, 422, 423, 424, 425, 426, 428, 429, 431, 451]


@pytest.mark.parametrize("status", [*STATUSES, *range(500, 512)])
def test_every_refusal_to_read_is_named(served: Served, connect: Connect, status: int) -> None:
    served.faults = [Fault(path="/v2/", status=status, times=99)]
    repository = connect()
    for read in (lambda: repository.manifest("1.0"), lambda: repository.open(LARGE.descriptor)):
        with pytest.raises(NetworkError, match=f"failed: {status}") as raised:
            read()
        assert raised.value.fields["status"] == status
        assert raised.value.fields["retryable"] is (status in (408, 425, 429, 500, 502, 503, 504))
    with pytest.raises(NetworkError, match=f"HEAD .* failed: {status}"):
        repository.has(LARGE.descriptor)


@pytest.mark.parametrize("code", ["NAME_UNKNOWN", "MANIFEST_UNKNOWN"])
def test_absent_by_the_registrys_own_word(served: Served, connect: Connect, code: str) -> None:
    body = canonical_json({"errors": [{"code": code}]})
    served.faults = [Fault(path="/v2/", status=400, body=body, headers={"Content-Type": "application/json"})]
    assert connect().manifest("1.0") is None


class TestResolve:
    def test_only_what_one_platform_needs_is_read(self, served: Served, connect: Connect) -> None:
        given = compose_index([image("a"), image("a", "b", platform="linux/arm64")])
        copy(given, connect(), "1.0")
        served.forget_log()
        found = connect().resolve_platform("1.0", Platform("linux", "arm64"))
        assert found.manifest.read() == given.images[1].manifest.read()
        assert found.config.read() == given.images[1].config.read()
        assert len(served.log) == 3  # the index, the manifest, the config

    def test_a_platform_that_is_not_there(self, served: Served, connect: Connect) -> None:
        copy(compose_index([image("a"), image("a", platform="linux/arm/v7")]), connect(), "1.0")
        with pytest.raises(ImageError, match="no image for linux/s390x") as raised:
            connect().resolve_platform("1.0", Platform("linux", "s390x"))
        assert raised.value.hint == "there is linux/amd64, linux/arm/v7"
        copy(image("a"), connect(), "2.0")
        with pytest.raises(ImageError, match="no image for linux/arm64"):
            connect().resolve_platform("2.0", Platform("linux", "arm64"))

    @pytest.mark.parametrize("variant", ["", "v8"])
    def test_arm64_is_v8_whether_said_or_not(self, served: Served, connect: Connect, variant: str) -> None:
        given = image("a", platform="linux/arm64")
        copy(given, connect(), "")
        entry = replace(given.manifest.descriptor, platform=Platform("linux", "arm64", variant)).as_json()
        _put_index(served, entry, media_type=DOCKER_LIST_TYPE)
        assert connect().resolve_platform("1.0", Platform.parse("arm64")).manifest.digest == given.manifest.digest

    def test_attestations_and_foreign_entries_do_no_harm(self, served: Served, connect: Connect) -> None:
        given = image("a")
        copy(given, connect(), "")
        served.put_blob("team/app", b"{}")
        statement, empty = foreign(b"{}", "application/vnd.in-toto+json"), foreign(b"{}", "application/vnd.oci.empty.v1+json")
        attestation = _put_manifest(served, {"config": empty.descriptor.as_json(), "layers": [statement.descriptor.as_json()]})
        unknown = {"os": "unknown", "architecture": "unknown"}
        _put_index(
            served,
            replace(given.manifest.descriptor, platform=given.platform).as_json(),
            {**attestation, "platform": unknown},
            {"mediaType": "application/vnd.example.wasm", "digest": str(statement.digest), "size": 2},
        )
        found = connect().resolve("1.0")
        assert isinstance(found, Index)
        assert [str(each.platform) for each in found.images] == ["linux/amd64", "unknown/unknown"]
        assert found.images[1].layers[0].blob.read() == b"{}"
        assert connect().resolve_platform("1.0", Platform()).manifest.digest == given.manifest.digest

    def test_a_broken_image_in_an_index_is_told(self, served: Served, connect: Connect) -> None:
        broken = _put_manifest(served, {"config": {}, "layers": []})
        _put_index(served, {**broken, "platform": {"os": "linux", "architecture": "amd64"}})
        with pytest.raises((ImageError, IntegrityError), match="malformed"):
            connect().resolve("1.0")

    @pytest.mark.parametrize("value", [{"manifests": 1}, {"manifests": [1]}, {"manifests": [{}]}, {}])
    def test_a_malformed_index(self, served: Served, connect: Connect, value: dict[str, object]) -> None:
        served.put_manifest("team/app", "1.0", INDEX_TYPE, json.dumps(value).encode())
        with pytest.raises((ImageError, IntegrityError), match="malformed"):
            connect().resolve("1.0")


class TestOpen:
    @pytest.mark.parametrize(
        "faults",
        [
            [Fault(method="GET", cut=100_000)],
            [Fault(method="GET", cut=70_000, times=2)],
            [Fault(method="GET", cut=0), Fault(method="GET", status=503), Fault(method="GET", cut=70_000)],
            [Fault(method="GET", stall=1.3)],
            [Fault(method="GET", status=429, headers={"Retry-After": "0"})],
        ],
        ids=["cut", "cut twice", "one after the other", "stall", "429"],
    )
    @pytest.mark.parametrize("redirects", [False, True])
    def test_goes_on_where_it_stopped(self, served: Served, connect: Connect, faults: list[Fault], redirects: bool) -> None:
        served.redirects = redirects
        served.put_blob("team/app", LARGE.read())
        served.faults = [replace(fault, path="/storage/" if redirects else "/blobs/") for fault in faults]
        assert b"".join(connect().blob(LARGE.descriptor).chunks()) == LARGE.read()
        log = served.elsewhere_log if redirects else served.log
        starts = [int(each.headers.get("range", "bytes=0-")[6:-1]) for each in log]
        assert starts == sorted(starts)

    def test_a_server_without_ranges(self, served: Served, connect: Connect) -> None:
        served.put_blob("team/app", LARGE.read())
        served.faults = [Fault(cut=70_000), Fault(status=200, body=LARGE.read())]
        assert connect().blob(LARGE.descriptor).read() == LARGE.read()

    def test_one_byte_at_a_time(self, served: Served, connect: Connect) -> None:
        served.put_blob("team/app", LARGE.read())
        served.faults = [Fault(drip=0.01)]
        with connect().open(LARGE.descriptor) as stream:
            assert (stream.read(1), stream.read(3)) == (LARGE.read()[:1], LARGE.read()[1:4])
            assert stream.read() == LARGE.read()[4:]
            assert stream.read() == b""

    def test_an_absent_blob_is_told_when_it_is_opened(self, served: Served, connect: Connect) -> None:
        with pytest.raises(NetworkError, match="404 Not Found: BLOB_UNKNOWN"):
            connect().open(LARGE.descriptor)

    @pytest.mark.parametrize("data", [LARGE.read()[1:] + b"x", LARGE.read() + b"x"], ids=["digest", "more"])
    def test_wrong_bytes(self, served: Served, connect: Connect, data: bytes) -> None:
        served.put_blob("team/app", LARGE.read())
        served.faults = [Fault(body=data)]
        with pytest.raises(IntegrityError):
            list(connect().blob(LARGE.descriptor).chunks())

    def test_too_few_bytes_for_good(self, served: Served, connect: Connect) -> None:
        served.blobs["team/app"] = {str(LARGE.digest): LARGE.read()[:1000]}
        with pytest.raises(NetworkError, match=r"416|ended after 1000 of 200000 bytes"):
            connect().blob(LARGE.descriptor).read()

    def test_an_empty_blob(self, served: Served, connect: Connect) -> None:
        served.put_blob("team/app", b"")
        assert connect().blob(foreign(b"").descriptor).read() == b""

    def test_connections_are_used_again(self, served: Served, connect: Connect) -> None:
        served.put_blob("team/app", LARGE.read())
        repository = connect()
        for _ in range(3):
            repository.blob(LARGE.descriptor).read()
        assert len({each.client for each in served.log}) == 1


def test_images_are_read_at_once(served: Served, connect: Connect) -> None:
    platforms = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/s390x")
    copy(compose_index([image("a", platform=each) for each in platforms]), connect(), "1.0")
    found = connect().resolve("1.0")
    assert isinstance(found, Index)
    assert sorted(str(each.platform) for each in found.images) == sorted(platforms)
    assert all(isinstance(each, Image) and isinstance(each.config, Blob) for each in found.images)
