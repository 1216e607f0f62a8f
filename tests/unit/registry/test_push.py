"""Pushes, exchange by exchange."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shipwheel.errors import IntegrityError, NetworkError
from shipwheel.oci.blob import Blob
from shipwheel.oci.copy import copy
from shipwheel.oci.image import Image, compose_index
from support.registry import Fault, Served
from support.trees import foreign, image

from .conftest import Connect

PUT = "PUT /v2/team/app/blobs/uploads/ID?_state=abc%3D&digest=sha256%3A{} 201"


def _short(blob: Blob) -> str:
    return blob.digest.hex[:6]


def test_a_first_push(served: Served, connect: Connect) -> None:
    given = image("a")
    repository = connect()
    repository.expect("1.0")
    copy(given, repository, "1.0")
    expected = ["GET /v2/team/app/manifests/1.0 404"]
    for blob in given.blobs:
        expected += [
            f"HEAD /v2/team/app/blobs/sha256:{_short(blob)} 404",
            "POST /v2/team/app/blobs/uploads/ 202",
            PUT.format(_short(blob)),
        ]
    assert served.said() == [*expected, "PUT /v2/team/app/manifests/1.0 201"]


def test_the_same_again_is_one_request(served: Served, connect: Connect) -> None:
    given = image("a", "b")
    copy(given, connect(), "1.0")
    served.forget_log()
    repository = connect()
    repository.expect("1.0")
    copy(given, repository, "1.0")
    assert served.said() == ["GET /v2/team/app/manifests/1.0 200"]


def test_a_tag_that_was_moved_meanwhile_is_moved_back(served: Served, connect: Connect) -> None:
    given, repository = image("a"), connect()
    for _ in range(2):
        copy(given, repository, "1.0")
        copy(image("b"), connect(), "1.0")
    copy(given, repository, "1.0")
    assert repository.resolve("1.0").manifest.digest == given.manifest.digest


def test_a_changed_layer_is_all_that_is_sent(served: Served, connect: Connect) -> None:
    copy(image("a", "b"), connect(), "1.0")
    served.forget_log()
    given, repository = image("a", "c"), connect()
    repository.expect("1.0")
    copy(given, repository, "1.0")
    assert served.said("HEAD") == [
        f"HEAD /v2/team/app/blobs/sha256:{_short(blob)} 404" for blob in (given.layers[1].blob, given.config)
    ]
    assert served.received() == given.layers[1].blob.size + given.config.size + given.manifest.size


def test_an_index_and_its_children(served: Served, connect: Connect) -> None:
    given = compose_index([image("a"), image("a", "b", platform="linux/arm64")])
    copy(given, connect(), "1.0", workers=4)
    assert sorted(served.said("PUT")[-3:-1]) == sorted(
        f"PUT /v2/team/app/manifests/sha256:{_short(each.manifest)} 201" for each in given.images
    )
    assert served.said("PUT")[-1] == "PUT /v2/team/app/manifests/1.0 201"
    served.forget_log()
    repository = connect()
    repository.expect("1.0")
    copy(compose_index([image("a"), image("a", "c", platform="linux/arm64")]), repository, "1.0")
    assert len(served.said("PUT")) == 4  # layer, config, its manifest, the index


def test_by_digest_only(served: Served, connect: Connect) -> None:
    given = image("a")
    copy(given, connect(), "")
    assert served.said()[-1] == f"PUT /v2/team/app/manifests/sha256:{_short(given.manifest)} 201"


class TestMount:
    def _blob(self, served: Served, *origins: str) -> Blob:
        blob = foreign(b"of the base")
        return replace(blob, open=_never, origins=tuple(f"{served.host}/{each}" for each in origins))

    def test_sends_no_bytes(self, served: Served, connect: Connect) -> None:
        served.auth = "joe:secret"
        served.put_blob("base", b"of the base")
        connect().write(blob := self._blob(served, "team/app", "base"))
        assert f"POST /v2/team/app/blobs/uploads/?mount=sha256%3A{_short(blob)}&from=base 201" in served.said()
        assert any("scope=repository%3Abase%3Apull&scope=repository%3Ateam" in each for each in served.said("GET"))
        assert served.received() == 0

    def test_tries_the_next_origin(self, served: Served, connect: Connect) -> None:
        served.put_blob("base", b"of the base")
        connect().write(blob := self._blob(served, "gone", "base"))
        mount = f"POST /v2/team/app/blobs/uploads/?mount=sha256%3A{_short(blob)}&from="
        assert served.said() == [f"{mount}gone 202", f"{mount}base 201"]

    def test_goes_on_with_the_upload_that_was_begun_instead(self, served: Served, connect: Connect) -> None:
        blob = foreign(b"of the base")
        connect().write(replace(blob, origins=(f"{served.host}/base", "elsewhere.example/base")))
        assert served.said() == [
            f"POST /v2/team/app/blobs/uploads/?mount=sha256%3A{_short(blob)}&from=base 202",
            PUT.format(_short(blob)),
        ]

    @pytest.mark.parametrize("status", [400, 403, 404, 405])
    def test_uploads_where_mounting_is_refused(self, served: Served, connect: Connect, status: int) -> None:
        served.faults = [Fault(method="POST", path="mount=", status=status)]
        blob = foreign(b"of the base")
        connect().write(replace(blob, origins=(f"{served.host}/base",)))
        assert served.said()[1:] == ["POST /v2/team/app/blobs/uploads/ 202", PUT.format(_short(blob))]

    def test_never_asks_without_a_source(self, served: Served, connect: Connect) -> None:
        connect().write(replace(foreign(b"x"), origins=("elsewhere.example/base",)))
        assert not any("mount" in each for each in served.said())


class TestAnImageOfMountableBlobs:
    def _far(self, given: Image, origin: str) -> Image:
        layers = tuple(replace(layer, blob=replace(layer.blob, origins=(origin,))) for layer in given.layers)
        return replace(given, layers=layers)

    def test_is_mounted_without_being_asked_for(self, served: Served, connect: Connect) -> None:
        given = self._far(image("a", "b"), f"{served.host}/base")
        for layer in given.layers:
            served.put_blob("base", layer.blob.read())
        repository = connect()
        repository.expect("1.0", given)
        copy(given, repository, "1.0")
        assert served.said("HEAD") == [f"HEAD /v2/team/app/blobs/sha256:{_short(given.config)} 404"]
        assert [each.endswith("from=base 201") for each in served.said("POST")] == [True, True, False]

    def test_is_not_sent_again_where_only_the_origin_lost_it(self, served: Served, connect: Connect) -> None:
        given = self._far(image("a"), f"{served.host}/gone")
        served.put_blob("team/app", given.layers[0].blob.read())
        repository = connect()
        repository.expect("1.0", given)
        copy(given, repository, "1.0")
        assert served.received() == given.config.size + given.manifest.size


def _never() -> None:
    raise AssertionError("read although it lies in the registry")


@pytest.mark.parametrize(
    ("data", "size"),
    [(b"other bytes", 11), (b"short", 11), (b"much longer than was said", 11)],
    ids=["digest", "short", "long"],
)
def test_nothing_is_kept_of_a_wrong_blob(served: Served, connect: Connect, data: bytes, size: int) -> None:
    right = foreign(b"right bytes")
    assert right.size == size
    with pytest.raises(IntegrityError, match="damaged"):
        connect().write(replace(right, open=foreign(data).open))
    assert not served.blobs
    assert not served.uploads


class TestHas:
    def test_a_redirect_says_yes_and_is_not_followed(self, served: Served, connect: Connect) -> None:
        served.redirects = True
        digest = served.put_blob("team/app", b"x")
        assert connect().has(foreign(b"x").descriptor)
        assert not served.elsewhere_log
        assert served.said() == [f"HEAD /v2/team/app/blobs/{digest[:13]} 307"]

    def test_a_redirect_to_where_to_ask_is_followed(self, served: Served, connect: Connect) -> None:
        path = f"/v2/team/app/blobs/{foreign(b'x').digest}"
        served.faults = [Fault(method="HEAD", status=308, headers={"Location": f"http://{served.host}{path}"})]
        assert not connect().has(foreign(b"x").descriptor)

    def test_readers_ask_as_readers(self, served: Served, connect: Connect) -> None:
        served.put_blob("team/app", b"x")
        served.auth = "joe:secret"
        repository, blob = connect(), foreign(b"x")
        assert repository.offers(blob.descriptor)
        assert not repository.offers(replace(blob.descriptor, size=2))
        assert not repository.offers(foreign(b"y").descriptor)
        assert not any("push" in each for each in served.said("GET"))

    def test_what_was_written_is_known(self, served: Served, connect: Connect) -> None:
        repository = connect()
        repository.write(foreign(b"x"))
        served.forget_log()
        assert repository.has(foreign(b"x").descriptor)
        assert not served.log


class TestManifest:
    def test_over_the_limit(self, served: Served, connect: Connect) -> None:
        served.manifest_limit = 100
        with pytest.raises(NetworkError, match=r"413 .*SIZE_INVALID: manifest is too large") as raised:
            copy(image("a"), connect(), "1.0")
        assert "takes no request of that size" in raised.value.hint

    def test_of_something_that_the_registry_lost(self, served: Served, connect: Connect) -> None:
        given, repository = image("a"), connect()
        copy(given, repository, "1.0")
        served.blobs.clear()
        with pytest.raises(NetworkError, match="MANIFEST_BLOB_UNKNOWN") as raised:
            copy(given, repository, "2.0")
        assert "push again" in raised.value.hint
        copy(given, repository, "2.0")

    def test_that_the_registry_changes(self, served: Served, connect: Connect) -> None:
        digest = f"sha256:{'0' * 64}"
        served.faults = [Fault(path="/manifests/1.0", status=201, headers={"Docker-Content-Digest": digest})]
        with pytest.raises(IntegrityError, match="took manifest"):
            copy(image("a"), connect(), "1.0")

    def test_refusals_are_told_in_the_registrys_words(self, served: Served, connect: Connect) -> None:
        body = b'{"errors":[{"code":"DENIED","message":"quota\\u001b[31m of\\nteam  is used up"}]}'
        served.faults = [Fault(method="PUT", status=403, body=body, headers={"Content-Type": "application/json"})]
        with pytest.raises(NetworkError, match=r"403 Forbidden: DENIED: quota\[31m of team is used up") as raised:
            copy(image("a"), connect(), "1.0")
        assert {key: raised.value.fields[key] for key in ("method", "status", "code", "retryable")} == {
            "method": "PUT",
            "status": 403,
            "code": "DENIED",
            "retryable": False,
        }
        assert "digest=" not in str(raised.value.fields["url"])


def test_an_image_comes_back_as_it_went(served: Served, connect: Connect) -> None:
    given = image("a", "b")
    copy(given, connect(), "1.0")
    found = connect().resolve("1.0")
    assert isinstance(found, Image)
    assert [layer.blob.read() for layer in found.layers] == [layer.blob.read() for layer in given.layers]
    assert all(layer.blob.origins == (f"{served.host}/team/app",) for layer in found.layers)
    assert found.config.origins == ()


def test_a_web_server_that_likes_everything_is_no_registry(served: Served, connect: Connect) -> None:
    served.faults.append(Fault(status=200, body=b"<html>welcome</html>", headers={"Content-Type": "text/html"}, times=99))
    with pytest.raises(NetworkError, match="gave no location"):
        copy(image("a"), connect(), "1.0")


def test_a_manifest_that_nobody_says_to_have_taken_was_not_pushed(served: Served, connect: Connect) -> None:
    served.faults.append(Fault(method="PUT", path="/manifests/", status=200))
    with pytest.raises(NetworkError, match="answered 200 to a manifest, as no registry does"):
        copy(image("a"), connect(), "1.0")
