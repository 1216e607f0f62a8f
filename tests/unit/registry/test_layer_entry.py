"""Entries of a layer index: what is said of a layer, and everything that could be wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import Blob, Platform
from shipwheel.oci.image import INDEX_TYPE, MANIFEST_TYPE, RuntimeConfig, compose
from shipwheel.oci.tree import Entry
from shipwheel.registry.layer_entry import Facts, read_entry
from shipwheel.signing import PrivateKey
from support.images import layer

KEY = "k" * 64
OURS, THEIRS = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
LAYER = layer([Entry.data("a", b"text")], "alpha 1.0")


def entry(signing: PrivateKey | None = None) -> dict[str, Any]:
    """The manifest of a right entry, as JSON."""
    image = compose([LAYER], RuntimeConfig(), Platform(), Facts.of(KEY, LAYER).notes(signing))
    value: dict[str, Any] = json.loads(image.manifest.read())
    return value


def read(value: object, media_type: str = MANIFEST_TYPE) -> Facts:
    return read_entry(KEY, Blob.from_bytes(json.dumps(value).encode(), media_type))


def test_what_was_written_is_read() -> None:
    facts = read(entry())
    assert facts == Facts.of(KEY, LAYER)
    assert facts.descriptor == LAYER.blob.descriptor


@pytest.mark.parametrize("signing", [OURS, THEIRS])
def test_a_signature_is_of_one_key(signing: PrivateKey) -> None:
    facts = read(entry(signing))
    assert [facts.is_signed(key.public_key()) for key in (OURS, THEIRS)] == [signing is OURS, signing is THEIRS]


def test_what_is_not_signed_is_not() -> None:
    assert not read(entry()).is_signed(OURS.public_key())


NOTE = "dev.shipwheel.layer."


def note(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry["annotations"].update({NOTE + name: value})


def of_layer(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry["layers"][0].update({name: value})


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no layer": (lambda entry: entry.update(layers=[]), "malformed"),
    "two layers": (lambda entry: entry["layers"].append(entry["layers"][0]), "malformed"),
    "layers are no list": (lambda entry: entry.update(layers=7), "malformed"),
    "no annotations": (lambda entry: entry.pop("annotations"), "malformed"),
    "annotations are no table": (lambda entry: entry.update(annotations=["x"]), "malformed"),
    "another key": (note("key", "l" * 64), "another key"),
    "no key": (note("key", None), "another key"),
    "no diffID": (lambda entry: entry["annotations"].pop(NOTE + "diff-id"), "malformed"),
    "diffID of another form": (note("diff-id", "sha512:" + "0" * 128), "not a sha256 digest"),
    "diffID is no text": (note("diff-id", 5), "malformed"),
    "unpacked is no number": (note("unpacked", "many"), "malformed"),
    "unpacked is negative": (note("unpacked", "-5"), "sizes"),
    "unpacked is more than deflate can": (note("unpacked", str(LAYER.blob.size * 1033)), "sizes"),
    "unpacked is far less than packed": (note("unpacked", str(LAYER.blob.size // 3)), "sizes"),
    "unpacked is endless": (note("unpacked", "9" * 9999), "malformed"),
    "digest of another form": (of_layer("digest", "../../etc/passwd"), "not a sha256 digest"),
    "no digest": (lambda entry: entry["layers"][0].pop("digest"), "malformed"),
    "size is no number": (of_layer("size", "5"), "malformed"),
    "size is negative": (of_layer("size", -5), "malformed"),
    "size is nothing": (of_layer("size", 0), "sizes"),
    "size is huge": (of_layer("size", 1 << 60), "sizes"),
    "another kind of layer": (of_layer("mediaType", "application/vnd.oci.image.layer.v1.tar+zstd"), "type"),
    "holds a terminal's commands": (note("holds", "\x1b[2Jalpha"), "line of text"),
    "holds a book": (note("holds", "x" * 5000), "line of text"),
    "holds no text": (note("holds", 5), "line of text"),
    "annotations of the layer are a book": (of_layer("annotations", {"x": "y" * 5000}), "too long"),
    "signature is no base64": (note("signature", "%%%"), "malformed"),
    "signature is no text": (note("signature", 5), "malformed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_entry_is_refused_with_its_reason(case: str) -> None:
    value, (change, reason) = entry(), WRONG[case]
    change(value)
    with pytest.raises(IntegrityError, match=reason):
        read(value)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"5", b"null", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="malformed"):
        read_entry(KEY, Blob.from_bytes(data, MANIFEST_TYPE))


def test_an_index_is_refused() -> None:
    with pytest.raises(IntegrityError, match="no image manifest"):
        read(entry(), INDEX_TYPE)


SIGNED: dict[str, Callable[[dict[str, Any]], object]] = {
    "diffID": note("diff-id", "sha256:" + "0" * 64),
    "unpacked": note("unpacked", str(LAYER.unpacked + 512)),
    "holds": note("holds", "beta 1.0"),
    "digest": of_layer("digest", "sha256:" + "0" * 64),
    "size": of_layer("size", LAYER.blob.size + 1),
    "annotations": of_layer("annotations", {"containerd.io/snapshot/stargz/toc.digest": "sha256:" + "0" * 64}),
}


@pytest.mark.parametrize("case", SIGNED)
def test_whatever_changes_in_a_signed_entry_breaks_its_signature(case: str) -> None:
    value = entry(OURS)
    SIGNED[case](value)
    assert not read(value).is_signed(OURS.public_key())


def test_a_signed_entry_cannot_stand_for_another_key() -> None:
    value = entry(OURS)
    other = "o" * 64
    note("key", other)(value)
    facts = read_entry(other, Blob.from_bytes(json.dumps(value).encode(), MANIFEST_TYPE))
    assert not facts.is_signed(OURS.public_key())
