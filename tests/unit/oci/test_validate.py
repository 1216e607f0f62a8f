"""`validate`: passes what is right, and names each thing that is not."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shipwheel.errors import ImageError
from shipwheel.oci.blob import Blob, Digest, Platform
from shipwheel.oci.image import CONFIG_TYPE, MANIFEST_TYPE, Image, Index, canonical_json, compose_index
from shipwheel.oci.layer import MTIME, Layer
from shipwheel.oci.validate import validate
from support.trees import entries, foreign, image, layer

GOOD = image("a", "b")


def changed(
    config: Callable[[dict[str, Any]], None] | None = None, manifest: Callable[[dict[str, Any]], None] | None = None
) -> Image:
    """The good image with another config or manifest, digests made right again."""
    settings, value = json.loads(GOOD.config.read()), json.loads(GOOD.manifest.read())
    if config:
        config(settings)
    blob = Blob.from_bytes(canonical_json(settings), CONFIG_TYPE)
    value["config"] = blob.descriptor.as_json()
    if manifest:
        manifest(value)
    return replace(GOOD, manifest=Blob.from_bytes(canonical_json(value), MANIFEST_TYPE), config=blob)


def with_layer(data: bytes) -> Image:
    """The good image with another first layer, everything else right."""
    blob = foreign(data)
    diff_id = Digest.of(gzip.decompress(data))
    bad = Layer(blob=blob, diff_id=diff_id, created_by="bad", unpacked=0)
    settings, value = json.loads(GOOD.config.read()), json.loads(GOOD.manifest.read())
    settings["rootfs"]["diff_ids"][0] = str(diff_id)
    config = Blob.from_bytes(canonical_json(settings), CONFIG_TYPE)
    value["config"], value["layers"][0] = config.descriptor.as_json(), blob.descriptor.as_json()
    manifest = Blob.from_bytes(canonical_json(value), MANIFEST_TYPE)
    return replace(GOOD, manifest=manifest, config=config, layers=(bad, GOOD.layers[1]))


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mtime = MTIME
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def tar(*members: tarfile.TarInfo, format: int = tarfile.USTAR_FORMAT, end: bytes = b"\0" * 1024) -> bytes:
    return gzip.compress(b"".join(each.tobuf(format) for each in members) + end)


def folder(name: str, **fields: Any) -> tarfile.TarInfo:
    return member(name, type=tarfile.DIRTYPE, mode=0o755, **fields)


def test_passes_what_shipwheel_makes() -> None:
    validate(GOOD)
    validate(compose_index([GOOD, image("a", platform="linux/arm64")]))


LAYERS = {
    "no gzip": (b"hello", "damaged"),
    "cut": (tar(member("a"))[:-4], "ends early"),
    "zero padding after the gzip": (tar(member("a")) + b"\0" * 8, "damaged"),
    "noise after the gzip": (tar(member("a")) + b"noise noise noise", "damaged"),
    "owner": (tar(member("a", uid=1000)), "uid is 1000"),
    "group": (tar(member("a", gid=5)), "gid is 5"),
    "owner's name": (tar(member("a", uname="root")), "names a user"),
    "time": (tar(member("a", mtime=0)), "mtime is 0"),
    "order": (tar(member("b"), member("a")), "'a': out of order"),
    "twice": (tar(member("a"), member("a")), "'a': stands there twice"),
    "no folder": (tar(member("a/b")), "folder does not come before"),
    "folder after": (tar(member("a/b"), folder("a")), "folder does not come before"),
    "escape": (tar(member("../a")), "leaves the root"),
    "absolute": (tar(member("/a")), "leaves the root"),
    "dot": (tar(member("./a")), "leaves the root"),
    "hard link": (tar(member("a"), member("b", type=tarfile.LNKTYPE, linkname="a")), "is of type b'1'"),
    "device": (tar(member("a", type=tarfile.CHRTYPE)), "is of type b'3'"),
    "GNU header": (tar(member("a"), format=tarfile.GNU_FORMAT), "not a ustar header"),
    "GNU long name": (tar(member("a" * 120), format=tarfile.GNU_FORMAT), "is of type b'L'"),
    "PAX time": (tar(member("a", mtime=MTIME + 0.5), format=tarfile.PAX_FORMAT), "PAX records"),
    "one zero block": (tar(member("a"), end=b"\0" * 512), "ends early"),
    "more zero blocks": (tar(member("a"), end=b"\0" * 10240), "two zero blocks"),
    "something after the end": (tar(member("a"), end=b"\0" * 1024 + b"x" * 512), "two zero blocks"),
    "checksum": (gzip.compress(b"x" + member("a").tobuf(tarfile.USTAR_FORMAT)[1:] + b"\0" * 1024), "checksum"),
}


@pytest.mark.parametrize(("data", "reason"), LAYERS.values(), ids=LAYERS)
def test_names_what_is_wrong_with_a_layer(data: bytes, reason: str) -> None:
    try:
        bad = with_layer(data)
    except (gzip.BadGzipFile, EOFError):
        first = replace(GOOD.layers[0], blob=foreign(data))
        bad = replace(GOOD, layers=(first, GOOD.layers[1]))
    with pytest.raises(ImageError) as caught:
        validate(bad)
    assert reason in caught.value.message


def test_a_layer_made_elsewhere_may_be_of_another_format() -> None:
    other = with_layer(tar(member("./b", uid=7), member("a"), format=tarfile.GNU_FORMAT, end=b"\0" * 10240))
    validate(other, foreign=frozenset({other.layers[0].blob.digest}))
    validate(other, deep=False)


def test_a_foreign_layer_still_has_to_be_its_diff_id() -> None:
    lying = replace(GOOD.layers[0], diff_id=GOOD.layers[1].diff_id)
    with pytest.raises(ImageError, match="its diffID says"):
        validate(replace(GOOD, layers=(lying, GOOD.layers[1])), foreign=frozenset({lying.blob.digest}))


def test_a_blob_that_changed_is_found() -> None:
    data = bytearray(GOOD.layers[0].blob.read())
    data[-1] ^= 1
    bad = replace(GOOD.layers[0], blob=replace(GOOD.layers[0].blob, open=lambda: io.BytesIO(data)))
    with pytest.raises(ImageError, match="damaged"):
        validate(replace(GOOD, layers=(bad, GOOD.layers[1])))


def test_a_wrong_unpacked_size_is_found() -> None:
    with pytest.raises(ImageError, match="the layer says 7"):
        validate(replace(GOOD, layers=(replace(GOOD.layers[0], unpacked=7), GOOD.layers[1])))


CONFIGS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no os": (lambda c: c.update(os=""), "os is ''"),
    "another architecture": (lambda c: c.update(architecture="arm64"), "architecture is 'arm64'"),
    "created": (lambda c: c.update(created="yesterday"), "not a time"),
    "rootfs type": (lambda c: c["rootfs"].update(type="x"), "rootfs.type"),
    "diff IDs swapped": (lambda c: c["rootfs"]["diff_ids"].reverse(), "rootfs.diff_ids"),
    "history too short": (lambda c: c["history"].pop(), "history tells of 1 layers, there are 2"),
    "history of texts": (lambda c: c.update(history=["x"]), "history"),
    "Env": (lambda c: c["config"].update(Env=["A"]), "not NAME=VALUE"),
    "Env without a name": (lambda c: c["config"].update(Env=["=a"]), "not NAME=VALUE"),
    "Cmd": (lambda c: c["config"].update(Cmd=[1]), "config.Cmd"),
    "ports": (lambda c: c["config"].update(ExposedPorts={"web": {}}), "config.ExposedPorts"),
    "labels": (lambda c: c["config"].update(Labels={"a": 1}), "config.Labels"),
    "working folder": (lambda c: c["config"].update(WorkingDir="app"), "config.WorkingDir"),
    "user": (lambda c: c["config"].update(User=1000), "config.User"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), CONFIGS.values(), ids=CONFIGS)
def test_names_what_is_wrong_with_a_config(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        validate(changed(config=change))
    assert reason in caught.value.message


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "schema version": (lambda m: m.update(schemaVersion=1), "schemaVersion is 1"),
    "media type": (lambda m: m.update(mediaType="text/plain"), "mediaType is 'text/plain'"),
    "a layer more": (lambda m: m["layers"].append(m["layers"][0]), "layers"),
    "layers swapped": (lambda m: m["layers"].reverse(), "in their order"),
    "another size": (lambda m: m["layers"][0].update(size=1), "in another way"),
    "annotations": (lambda m: m.update(annotations={"a": 1}), "annotations"),
    "no layers": (lambda m: m.pop("layers"), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), MANIFESTS.values(), ids=MANIFESTS)
def test_names_what_is_wrong_with_a_manifest(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        validate(changed(manifest=change))
    assert reason in caught.value.message


def test_an_index_must_name_its_images() -> None:
    good = compose_index([GOOD, image("a", platform="linux/arm64")])
    with pytest.raises(ImageError, match="manifests"):
        validate(Index(manifest=good.manifest, images=good.images[:1]))
    with pytest.raises(ImageError, match="the image is for"):
        validate(Index(manifest=good.manifest, images=(replace(GOOD, platform=Platform("linux", "riscv64")), good.images[1])))


def test_says_everything_at_once() -> None:
    bad = with_layer(tar(member("b", uid=1), member("a", gid=1)))
    with pytest.raises(ImageError) as caught:
        validate(replace(bad, platform=Platform("linux", "arm64")))
    assert len(caught.value.problems) == 4


def test_reads_a_gzip_of_many_members_as_one() -> None:
    data = GOOD.layers[0].blob.read()
    assert struct.unpack("<I", data[-4:])[0] <= GOOD.layers[0].unpacked
    many = layer([*entries("a", 40)])
    tarball = gzip.decompress(many.blob.read())
    pieces = b"".join(gzip.compress(tarball[start : start + 700], mtime=0) for start in range(0, len(tarball), 700))
    validate(with_layer(pieces))
