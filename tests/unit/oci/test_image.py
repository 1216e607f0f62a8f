"""`compose` and `parse`: an image from layers, and back from its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shipwheel.errors import ImageError, IntegrityError
from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.image import (
    DOCKER_MANIFEST_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    MAX_JSON,
    MAX_LAYERS,
    Image,
    Index,
    canonical_json,
    compose,
    compose_index,
    parse,
)
from support.trees import CONFIG, entries, image, layer


def test_parse_gives_back_what_compose_made() -> None:
    given = image("a", "b")
    found = parse(given.manifest, _finder(given))
    assert isinstance(found, Image)
    assert replace(found, layers=given.layers) == given
    assert [each.created_by for each in found.layers] == ["a", "b"]


def test_parse_gives_back_an_index() -> None:
    given = compose_index([image("a", platform="linux/arm64"), image("a")])
    found = parse(given.manifest, _finder(*given.images))
    assert isinstance(found, Index)
    assert [str(each.platform) for each in found.images] == ["linux/amd64", "linux/arm64"]


def test_the_same_layers_make_the_same_manifest() -> None:
    assert image("a", "b").manifest.digest == image("a", "b").manifest.digest != image("b", "a").manifest.digest


def test_refuses_more_layers_than_docker_takes() -> None:
    one = layer(entries("a"))
    compose([one] * MAX_LAYERS, CONFIG, Platform())
    with pytest.raises(ImageError, match="126 layers"):
        compose([one] * (MAX_LAYERS + 1), CONFIG, Platform())


def test_history_without_layers_is_left_out_and_a_wrong_one_is_ignored() -> None:
    empty = {"created_by": "ENV A=1", "empty_layer": True}
    assert _created_by([empty, {"created_by": "one"}, empty, {"created_by": "two"}]) == ["one", "two"]
    assert _created_by([{"created_by": "one"}]) == ["", ""]
    assert _created_by(None) == ["", ""]


def test_reads_dockers_own_manifest() -> None:
    value = json.loads(image("a").manifest.read())
    manifest = Blob.from_bytes(canonical_json({**value, "mediaType": DOCKER_MANIFEST_TYPE}), DOCKER_MANIFEST_TYPE)
    assert isinstance(parse(manifest, _finder(image("a"))), Image)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", MANIFEST_TYPE),
    "not UTF-8": (b"\xff", MANIFEST_TYPE),
    "a list": (b"[]", MANIFEST_TYPE),
    "empty": (b"{}", MANIFEST_TYPE),
    "nested without end": (b"[" * 100_000, MANIFEST_TYPE),
    "huge": (b" " * (MAX_JSON + 1), MANIFEST_TYPE),
    "an index of numbers": (b'{"manifests": [1]}', INDEX_TYPE),
    "an index of something else": (
        canonical_json({"manifests": [{"mediaType": "x/y", "digest": "sha256:" + "0" * 64, "size": 1}]}),
        INDEX_TYPE,
    ),
    "no image": (b"{}", "text/plain"),
}


@pytest.mark.parametrize(("data", "media_type"), MALFORMED.values(), ids=MALFORMED)
def test_refuses_malformed_manifests(data: bytes, media_type: str) -> None:
    with pytest.raises(ImageError):
        parse(Blob.from_bytes(data, media_type), _finder(image("a")))


def test_refuses_a_manifest_that_is_not_its_digest() -> None:
    given = image("a")
    with pytest.raises(IntegrityError, match="damaged"):
        parse(replace(given.manifest, open=given.config.open), _finder(given))


def _finder(*images: Image) -> Any:
    known = {blob.digest: blob for each in images for blob in (*each.blobs, each.manifest)}
    return lambda descriptor: known[descriptor.digest]


def _created_by(history: list[Mapping[str, object]] | None) -> list[str]:
    given = image("a", "b")
    config = Blob.from_bytes(canonical_json({**json.loads(given.config.read()), "history": history}), "application/json")
    value = {**json.loads(given.manifest.read()), "config": config.descriptor.as_json()}
    known = {blob.digest: blob for blob in (*given.blobs, config)}

    def find(descriptor: Descriptor) -> Blob:
        return known[descriptor.digest]

    found = parse(Blob.from_bytes(canonical_json(value), MANIFEST_TYPE), find)
    assert isinstance(found, Image)
    return [each.created_by for each in found.layers]
