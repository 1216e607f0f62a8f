"""Digests, platforms, descriptors and blobs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipwheel.errors import IntegrityError, UsageError
from shipwheel.oci.blob import CHUNK, Blob, Descriptor, Digest, Platform


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 64, "0" * 64])
def test_refuses_what_is_no_sha256(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a sha256 digest"):
        Digest.parse(text)


def test_a_digest_reads_as_it_is_written() -> None:
    digest = Digest.of(b"")
    assert Digest.parse(str(digest)) == digest
    assert digest.short == "e3b0c44298fc"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("x86_64", Platform("linux", "amd64")),
        ("aarch64", Platform("linux", "arm64")),
        ("linux/arm64/v8", Platform("linux", "arm64")),
        ("Linux/ARM/v7", Platform("linux", "arm", "v7")),
    ],
)
def test_understands_the_usual_names_of_a_platform(text: str, platform: Platform) -> None:
    assert Platform.parse(text) == platform
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize("text", ["", "/", "linux/", "a/b/c/d"])
def test_refuses_what_is_no_platform(text: str) -> None:
    with pytest.raises(UsageError, match="not a platform"):
        Platform.parse(text)


def test_a_descriptor_survives_json() -> None:
    descriptor = Descriptor(media_type="a/b", digest=Digest.of(b"x"), size=1, platform=Platform(), annotations={"k": "v"})
    assert Descriptor.from_json(descriptor.as_json()) == descriptor


@pytest.mark.parametrize("change", [{"size": -1}, {"size": "1"}, {"digest": 7}, {"platform": {}}, {"annotations": [1]}])
def test_refuses_malformed_descriptors(change: dict[str, Any]) -> None:
    good = Descriptor(media_type="a/b", digest=Digest.of(b"x"), size=1).as_json()
    with pytest.raises(IntegrityError):
        Descriptor.from_json({**good, **change})
    for key in good:
        with pytest.raises(IntegrityError):
            Descriptor.from_json({name: value for name, value in good.items() if name != key})


def test_chunks_are_checked_at_the_end(tmp_path: Path) -> None:
    data = b"x" * (CHUNK + 1)
    (tmp_path / "blob").write_bytes(data)
    blob = Blob.from_file(tmp_path / "blob", Blob.from_bytes(data, "a/b").descriptor)
    assert [len(chunk) for chunk in blob.chunks()] == [CHUNK, 1]
    assert blob.read() == data
    for wrong in (data[:-1], data + b"x", b"y" * len(data)):
        with pytest.raises(IntegrityError, match="damaged"):
            list(replace(blob, open=lambda wrong=wrong: io.BytesIO(wrong)).chunks())
