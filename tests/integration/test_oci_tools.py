"""Others' tools read what Shipwheel writes: skopeo, umoci, oci-image-tool, GNU tar, gzip, and OCI's own JSON schemas."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipwheel.oci.archive import DockerArchive, OciArchive, OciLayout
from shipwheel.oci.blob import Platform
from shipwheel.oci.copy import Target, copy
from shipwheel.oci.image import Image, RuntimeConfig, compose, compose_index
from shipwheel.oci.load import load
from shipwheel.oci.store import Store
from shipwheel.oci.tree import Entry
from shipwheel.oci.unpack import unpack_layer
from shipwheel.oci.validate import validate
from support.engines import tool
from support.trees import below, entries, image, layer

SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
CONFIG = RuntimeConfig(
    entrypoint=("/usr/bin/app",), env={"PATH": "/usr/bin"}, ports=(8000,), user="1000:0", labels={"a": "b"}, working_dir="/app"
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def real(platform: str = "linux/amd64") -> Image:
    """Names of every kind: long, foreign, with spaces; links, empty files and folders, odd modes."""
    odd = [
        Entry.data("opt/" + "d" * 90 + "/" + "n" * 120, b"long"),
        Entry.data("opt/naïve 🚢 name.txt", "häh".encode()),
        Entry.data("opt/ß" * 40, b"deep"),
        Entry.symlink("opt/far", "/usr/share/" + "é" * 60),
        Entry.data("opt/empty", b""),
        Entry.directory("tmp", 0o1777),
        Entry.directory("opt/hollow", 0o700),
        Entry.data("opt/large", bytes(range(256)) * 20_000),
    ]
    return compose(
        [layer(entries("a"), "files"), layer(odd, "odd"), layer(entries("b"), "b")], CONFIG, Platform.parse(platform)
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    copy(real(), made, "app:1.0")
    return made


MEDIA: dict[str, tuple[Callable[[Path], Target], str]] = {
    "store": (Store, "oci:{}/oci:app:1.0"),
    "layout": (OciLayout, "oci:{}:app:1.0"),
    "oci-archive": (OciArchive, "oci-archive:{}:app:1.0"),
    "docker-archive": (DockerArchive, "docker-archive:{}:app:1.0"),
    "docker-archive read as oci-archive": (DockerArchive, "oci-archive:{}:app:1.0"),
}


@pytest.mark.parametrize("medium", MEDIA)
def test_skopeo_copies_every_medium(medium: str, tmp_path: Path) -> None:
    skopeo, (make, name) = tool("skopeo"), MEDIA[medium]
    given = real()
    copy(given, make(tmp_path / "x"), "app:1.0")
    run(skopeo, "copy", "-q", name.format(tmp_path / "x"), f"oci:{tmp_path / 'copy'}:app:1.0")
    found = OciLayout(tmp_path / "copy").resolve("app:1.0")
    assert isinstance(found, Image)
    assert [each.diff_id for each in found.layers] == [each.diff_id for each in given.layers]
    if not name.startswith("docker"):  # skopeo writes config and manifest anew where it turns Docker's form into OCI's
        assert found.config.read() == given.config.read()
        assert found.manifest.digest == given.manifest.digest


def test_skopeo_reads_the_store_in_place(store: Store) -> None:
    found = json.loads(run(tool("skopeo"), "inspect", f"oci:{store.root / 'oci'}:app:1.0"))
    assert found["Digest"] == str(store.resolve("app:1.0").manifest.digest)
    assert len(found["Layers"]) == 3


def test_skopeo_copies_all_platforms_of_an_index(tmp_path: Path) -> None:
    given = compose_index([real(), real("linux/arm64")])
    copy(given, OciArchive(tmp_path / "x"), "app:1.0")
    run(tool("skopeo"), "copy", "-q", "--all", f"oci-archive:{tmp_path / 'x'}:app:1.0", f"oci:{tmp_path / 'copy'}:app:1.0")
    assert OciLayout(tmp_path / "copy").resolve("app:1.0").manifest.digest == given.manifest.digest


@pytest.mark.parametrize("medium", ["docker-archive", "oci-archive", "oci"])
def test_shipwheel_loads_what_skopeo_writes(medium: str, store: Store, tmp_path: Path) -> None:
    run(tool("skopeo"), "copy", "-q", f"oci:{store.root / 'oci'}:app:1.0", f"{medium}:{tmp_path / 'x'}:other:2.0")
    assert load(tmp_path / "x", store, scratch=tmp_path) == ("other:2.0",)
    found = store.resolve("other:2.0")
    validate(found)
    assert isinstance(found, Image)
    assert found.config.digest == real().config.digest


def test_umoci_unpacks_to_the_same_files_as_we_do(store: Store, tmp_path: Path) -> None:
    umoci, layout = tool("umoci"), OciLayout(tmp_path / "layout")
    copy(store.resolve("app:1.0"), layout, "latest")
    run(umoci, "unpack", "--rootless", "--image", f"{layout.root}:latest", tmp_path / "bundle")
    found = store.resolve("app:1.0")
    assert isinstance(found, Image)
    theirs, ours = tmp_path / "bundle" / "rootfs", {}
    for number, each in enumerate(found.layers):
        folder = tmp_path / f"layer{number}"
        unpack_layer(each.blob, folder)
        ours.update({name: folder / name for name in below(folder)})
    assert below(theirs) == sorted(ours)
    for name, path in ours.items():
        assert (theirs / name).read_bytes() == path.read_bytes()
        assert (theirs / name).stat().st_mode == path.stat().st_mode


def test_oci_image_tool_finds_nothing_wrong(store: Store, tmp_path: Path) -> None:
    checker, layout = tool("oci-image-tool"), OciLayout(tmp_path / "layout")
    copy(store.resolve("app:1.0"), layout, "latest")
    run(checker, "validate", "--type", "image", "--ref", "name=latest", layout.root)
    run(checker, "validate", "--type", "image", "--ref", "name=app:1.0", store.root / "oci")


def test_gzip_and_gnu_tar_read_every_layer(tmp_path: Path) -> None:
    gzip_tool, tar = tool("gzip"), tool("tar")
    for number, each in enumerate(real().layers):
        path, out = tmp_path / f"{number}.tar.gz", tmp_path / str(number)
        path.write_bytes(each.blob.read())
        run(gzip_tool, "-t", path)
        out.mkdir()
        run(tar, "--warning=all", "-xzpf", path, "-C", out)
        unpack_layer(each.blob, tmp_path / f"ours{number}")
        assert below(out) == below(tmp_path / f"ours{number}")


def test_gnu_tar_reads_an_archive(tmp_path: Path) -> None:
    copy(real(), DockerArchive(tmp_path / "x.tar"), "app:1.0")
    names = run(tool("tar"), "--warning=all", "-tf", tmp_path / "x.tar").split()
    assert names[:3] == ["oci-layout", "index.json", "manifest.json"]
    assert not any(name.startswith("./") for name in names)


def _schema_errors(name: str, value: Any) -> list[str]:
    """What OCI's schema says; its files refer to each other by name."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is absent")
    if not SCHEMAS.is_dir():
        pytest.skip("golang-github-opencontainers-image-spec-dev is absent; tests/engines/install.sh installs it")
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    resources = []
    for path in SCHEMAS.glob("*.json"):
        schema = _without_ids(json.loads(path.read_text()))
        resources.append((f"https://schemas.test/{path.name}", Resource.from_contents(schema, default_specification=DRAFT4)))
    registry = Registry().with_resources(resources)
    validator = jsonschema.Draft4Validator({"$ref": f"https://schemas.test/{name}"}, registry=registry)
    return [error.message for error in validator.iter_errors(value)]


def _without_ids(value: Any) -> Any:
    """A schema without the addresses that would become the base of its relative references."""
    if isinstance(value, dict):
        return {
            key: _without_ids(each) for key, each in value.items() if not (key in ("id", "$schema") and isinstance(each, str))
        }
    return [_without_ids(each) for each in value] if isinstance(value, list) else value


def test_documents_fit_the_schemas_of_the_specification(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "x")
    given, index = real(), compose_index([real(), real("linux/arm64")])
    copy(given, layout, "app:1.0")
    copy(index, layout, "all:1.0")
    for name, data in {
        "image-manifest-schema.json": given.manifest.read(),
        "config-schema.json": given.config.read(),
        "image-index-schema.json": index.manifest.read(),
        "image-layout-schema.json": (layout.root / "oci-layout").read_bytes(),
    }.items():
        assert _schema_errors(name, json.loads(data)) == []
    assert _schema_errors("image-index-schema.json", json.loads((layout.root / "index.json").read_bytes())) == []
    assert _schema_errors("image-manifest-schema.json", {"schemaVersion": 1})


def test_python_reads_every_layer_with_its_own_gzip() -> None:
    for each in image("a", "b").layers:
        assert len(gzip.decompress(each.blob.read())) == each.unpacked
