"""`load`: archives as the engines write them, and ones that somebody made up."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from shipwheel.errors import ImageError, IntegrityError, ShipwheelError, UsageError
from shipwheel.oci.archive import DockerArchive, OciArchive, OciLayout, write_archive
from shipwheel.oci.copy import copy
from shipwheel.oci.image import MAX_JSON, Image, compose_index
from shipwheel.oci.load import load
from shipwheel.oci.store import Store
from shipwheel.oci.validate import validate
from support.trees import below, image

LAYER = gzip.decompress(image("a").layers[0].blob.read())
DIFF_ID = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"


def config_of(*diff_ids: str) -> dict[str, object]:
    return {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def tar(path: Path, members: Mapping[str, bytes | str], *, outer_gzip: bool = False) -> Path:
    """An archive; a text is the target of a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(out.getvalue()) if outer_gzip else out.getvalue())
    return path


def docker_members(**changes: object) -> dict[str, bytes | str]:
    """What `docker save` wrote before version 25: config, a folder for each layer, manifest.json."""
    config = json.dumps(changes.get("config", config_of(DIFF_ID))).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["app:1.0"], "Layers": ["abc/layer.tar"], **changes.get("manifest", {})}]  # type: ignore[dict-item]
    layer = changes.get("layer", LAYER)
    assert isinstance(layer, bytes | str)
    return {name: config, "abc/layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}


def load_one(path: Path, store: Store) -> tuple[str, ...]:
    return load(path, store, scratch=store.root / "tmp")


def test_reads_what_docker_save_writes(store: Store, tmp_path: Path) -> None:
    assert load_one(tar(tmp_path / "x.tar", docker_members()), store) == ("app:1.0",)
    found = store.resolve("app:1.0")
    assert isinstance(found, Image)
    assert found.unpacked == len(LAYER)
    validate(found)


def test_reads_a_gzipped_file_and_leaves_nothing_in_scratch(store: Store, tmp_path: Path) -> None:
    assert load_one(tar(tmp_path / "x.tar.gz", docker_members(), outer_gzip=True), store) == ("app:1.0",)
    assert below(store.root / "tmp") == []


def test_follows_links_between_members_as_podman_writes_them(store: Store, tmp_path: Path) -> None:
    members = {**docker_members(layer="../real.tar"), "real.tar": LAYER}
    load_one(tar(tmp_path / "x.tar", members), store)
    validate(store.resolve("app:1.0"))


def test_reads_compressed_layers_of_a_docker_archive(store: Store, tmp_path: Path) -> None:
    load_one(tar(tmp_path / "x.tar", docker_members(layer=gzip.compress(LAYER))), store)
    found = store.resolve("app:1.0")
    assert isinstance(found, Image)
    assert found.layers[0].blob.descriptor.media_type.endswith("gzip")


@pytest.mark.parametrize("kind", [OciArchive, DockerArchive])
def test_reads_our_own(store: Store, tmp_path: Path, kind: type[OciArchive]) -> None:
    copy(image("a", "b"), kind(tmp_path / "x.tar"), "registry.example:5000/team/app:1.0")
    assert load_one(tmp_path / "x.tar", store) == ("registry.example:5000/team/app:1.0",)


def test_reads_several_images_of_one_file(store: Store, tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        write_archive([("a:1", image("a")), ("a:2", image("a")), ("b:1", image("a", "b"))], file)
    assert sorted(load_one(tmp_path / "x.tar", store)) == ["a:1", "a:2", "b:1"]


def test_reads_a_folder(store: Store, tmp_path: Path) -> None:
    copy(compose_index([image("a")]), OciLayout(tmp_path / "x"), "app:1.0")
    assert load_one(tmp_path / "x", store) == ("app:1.0",)
    validate(store.resolve("app:1.0"))


def test_never_links_files_of_a_folder_that_may_change(store: Store, tmp_path: Path) -> None:
    given = image("a")
    copy(given, OciLayout(tmp_path / "x"), "app:1.0")
    load_one(tmp_path / "x", store)
    assert OciLayout(tmp_path / "x").path(given.config.digest).stat().st_nlink == 1


@pytest.mark.parametrize(
    ("given", "loaded"),
    [("1.0", "my-app:1.0"), (None, "my-app:latest"), ("docker.io/library/x:2", "x:2"), ("localhost/x:2", "localhost/x:2")],
)
def test_an_image_without_a_full_name_is_named_after_the_file(
    store: Store, tmp_path: Path, given: str | None, loaded: str
) -> None:
    layout = OciLayout(tmp_path / "my_app")
    copy(image("a"), layout, "?")
    index = json.loads((layout.root / "index.json").read_text())
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": given} if given else {}
    (layout.root / "index.json").write_text(json.dumps(index))
    assert load_one(layout.root, store) == (loaded,)


MALFORMED: dict[str, tuple[dict[str, bytes | str], type[ShipwheelError]]] = {
    "nothing in it": ({"readme": b""}, ImageError),
    "a layer that is not there": (docker_members(manifest={"Layers": ["nowhere"]}), ImageError),
    "a layer outside": (docker_members(manifest={"Layers": ["../../../etc/passwd"]}), ImageError),
    "an absolute layer": (docker_members(manifest={"Layers": ["/etc/passwd"]}), ImageError),
    "a config outside": (docker_members(manifest={"Config": "../../etc/passwd"}), ImageError),
    "a link to outside": (docker_members(layer="/etc/passwd"), ImageError),
    "a link to outside by dots": (docker_members(layer="../../../../etc/passwd"), ImageError),
    "a link to itself": (docker_members(layer="layer.tar"), ImageError),
    "another diffID": (docker_members(config=config_of("sha256:" + "0" * 64)), IntegrityError),
    "no diffIDs": (docker_members(config={"os": "linux", "architecture": "amd64"}), ImageError),
    "a config that is a list": (docker_members(config=[1]), ImageError),
    "two diffIDs for a layer": (docker_members(config=config_of(DIFF_ID, DIFF_ID)), ImageError),
    "manifest.json that is no JSON": ({"manifest.json": b"{"}, ImageError),
    "manifest.json that is no list": ({"manifest.json": b"{}"}, ImageError),
    "manifest.json of numbers": ({"manifest.json": b"[1]"}, ImageError),
    "JSON that nests without end": ({"manifest.json": b"[" * 200_000}, ImageError),
    "huge JSON": ({"manifest.json": b" " * (MAX_JSON + 1)}, ImageError),
    "an index that is a list": ({"index.json": b"[]"}, ImageError),
    "an index of texts": ({"index.json": b'{"manifests": ["x"]}'}, ShipwheelError),
    "an index of another digest": (
        {"index.json": b'{"manifests": [{"mediaType": "x", "digest": "md5:1", "size": 1}]}'},
        IntegrityError,
    ),
    "an index that names no blob": (
        {"index.json": json.dumps({"manifests": [image("a").manifest.descriptor.as_json()]}).encode()},
        ImageError,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("members", "error"), MALFORMED.values(), ids=MALFORMED)
def test_refuses(members: dict[str, bytes | str], error: type[ShipwheelError], store: Store, tmp_path: Path) -> None:
    with pytest.raises((error, UsageError) if members.get("readme") is not None else error):
        load_one(tar(tmp_path / "x.tar", members), store)
    assert store.names() == ()


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
def test_refuses_blobs_that_are_not_their_digest(what: str, store: Store, tmp_path: Path) -> None:
    given, layout = image("a"), OciLayout(tmp_path / "x")
    copy(given, layout, "app:1.0")
    blob = {"manifest": given.manifest, "config": given.config, "layer": given.layers[0].blob}[what]
    path = layout.path(blob.digest)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises((IntegrityError, ImageError)):
        load_one(tmp_path / "x", store)
    assert store.names() == ()


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x1f\x8b", gzip.compress(b"hello", mtime=0)[:-3], gzip.compress(b"\0" * 10, mtime=0)]
)
def test_refuses_files_that_are_no_archive(data: bytes, store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises((UsageError, IntegrityError)):
        load_one(tmp_path / "x", store)


def test_refuses_an_archive_cut_anywhere(store: Store, tmp_path: Path) -> None:
    copy(image("a"), OciArchive(tmp_path / "x"), "app:1.0")
    data = (tmp_path / "x").read_bytes()
    for cut in range(0, len(data) - 1024, 700):
        (tmp_path / "y").write_bytes(data[:cut])
        with pytest.raises(ShipwheelError):
            load_one(tmp_path / "y", store)
    assert store.names() == ()


def test_a_file_that_is_not_there_is_a_clear_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_one(tmp_path / "x", store)
