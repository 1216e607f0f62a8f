"""eStargz layers in the programs that know the format and in those that do not."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipwheel.oci.archive import OciArchive
from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.copy import copy
from shipwheel.oci.estargz import CHUNK_SIZE, ESTARGZ, NO_PREFETCH, TOC_DIGEST, TOC_NAME
from shipwheel.oci.image import Image, RuntimeConfig, compose
from shipwheel.oci.layer import MEDIA_TYPE, Layer, pack
from shipwheel.oci.tree import Deflated, Entry, Kind, Tree
from shipwheel.oci.validate import validate
from support.engines import PrivateEngine, engine_folder, need, start_containerd
from support.stargz import read_stargz
from support.trees import entries

LARGE = random.Random(7).randbytes(CHUNK_SIZE // 4) * 9
WHEEL = random.Random(8).randbytes(100_000) * 3


def estargz_layer(contents: list[Entry], created_by: str) -> Layer:
    sink = io.BytesIO()
    facts = pack(Tree.of(contents), sink, form=ESTARGZ)
    descriptor = Descriptor(media_type=MEDIA_TYPE, digest=facts.digest, size=facts.size, annotations=facts.annotations)
    blob = Blob(descriptor=descriptor, open=lambda: io.BytesIO(sink.getvalue()))
    return Layer(blob=blob, diff_id=facts.diff_id, created_by=created_by, unpacked=facts.unpacked)


def from_wheel(path: str, data: bytes) -> Entry:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    stream = packer.compress(data) + packer.flush()
    deflated = Deflated(open=lambda: io.BytesIO(stream), size=len(stream), crc32=zlib.crc32(data))
    return Entry(path=path, kind=Kind.FILE, mode=0o644, size=len(data), open=lambda: io.BytesIO(data), deflated=deflated)


@pytest.fixture(scope="module")
def image() -> Image:
    """Small files, a file of several chunks, a deflate stream as it was in a wheel, links, odd names, busybox."""
    odd = [
        Entry.data("opt/" + "d" * 90 + "/" + "n" * 120, b"long"),
        Entry.data("opt/naïve 🚢 name.txt", b"x"),
        Entry.data("opt/empty", b""),
        Entry.directory("tmp", 0o1777),
        Entry.data("opt/large", LARGE),
        from_wheel("opt/wheel.so", WHEEL),
    ]
    need("busybox", "busybox")
    shell = Path("/bin/busybox").read_bytes()
    folders = [Entry.directory(name) for name in ("proc", "sys", "dev", "etc")]
    layers = [
        estargz_layer([Entry.data("usr/bin/busybox", shell, 0o755), *folders, *entries("a")], "files"),
        estargz_layer(odd, "odd"),
        estargz_layer([], "nothing"),
    ]
    made = compose(layers, RuntimeConfig(entrypoint=("busybox", "sh", "-c"), env={"PATH": "/usr/bin"}), Platform())
    validate(made)
    return made


@pytest.fixture(scope="module")
def containerd() -> Iterator[PrivateEngine]:
    need("ctr-remote", "ctr-remote", "containerd")
    engine = start_containerd(engine_folder())
    yield engine
    engine.stop()


def ctr(engine: PrivateEngine, *command: str | Path) -> str:
    environment = {**os.environ, **engine.environment}
    done = subprocess.run(["ctr-remote", *command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.docker
def test_the_reference_reads_the_tables_that_the_manifest_names(
    image: Image, containerd: PrivateEngine, tmp_path: Path
) -> None:
    copy(image, OciArchive(tmp_path / "app.tar"), "app:1.0")
    ctr(containerd, "images", "import", tmp_path / "app.tar")
    for layer in image.layers:
        digest, notes = str(layer.blob.digest), layer.blob.descriptor.annotations
        assert ctr(containerd, "images", "get-toc-digest", digest).strip() == notes[TOC_DIGEST]


def test_our_reader_finds_every_file(image: Image) -> None:
    files: dict[str, bytes] = {}
    for layer in image.layers:
        found = read_stargz(layer.blob.read())
        assert found.toc_digest == layer.blob.descriptor.annotations[TOC_DIGEST]
        files |= found.files
    assert files["opt/large"] == LARGE
    assert files["usr/bin/busybox"] == Path("/bin/busybox").read_bytes()


SCRIPT = f"cd /opt; busybox sha256sum large wheel.so; cd /; busybox ls {TOC_NAME} {NO_PREFETCH}; echo done; busybox sleep 60"


def test_engines_that_know_nothing_of_it_run_it(image: Image, yard: Any) -> None:
    container = yard.run(image, command=(SCRIPT,))
    deadline = time.monotonic() + 20
    while b"done" not in (said := b"".join(container.logs())):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    sums = [hashlib.sha256(data).hexdigest() for data in (LARGE, WHEEL)]
    assert said.decode().split() == [sums[0], "large", sums[1], "wheel.so", NO_PREFETCH, TOC_NAME, "done"]
