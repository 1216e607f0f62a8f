"""Trees, layers and images for tests of `oci`, on disk or in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.image import Image, RuntimeConfig, compose
from shipwheel.oci.layer import MEDIA_TYPE, Layer, pack
from shipwheel.oci.tree import Entry, Tree

CONFIG = RuntimeConfig(entrypoint=("/usr/bin/python3",), cmd=("-m", "app"), env={"A": "1"}, ports=(8000,), user="1000:0")


def entries(name: str, count: int = 3) -> list[Entry]:
    """A folder of small files, a script and a link."""
    return [
        *(Entry.data(f"opt/{name}/{number}.txt", f"{name} {number}\n".encode() * 200) for number in range(count)),
        Entry.data(f"opt/{name}/run", b"#!/bin/sh\n", 0o755),
        Entry.symlink(f"opt/{name}/latest", f"{count - 1}.txt"),
    ]


def packed(tree: Tree) -> bytes:
    """The bytes of its layer."""
    sink = io.BytesIO()
    pack(tree, sink)
    return sink.getvalue()


def layer(contents: Iterable[Entry], created_by: str = "test") -> Layer:
    """A layer in memory."""
    sink = io.BytesIO()
    facts = pack(Tree.of(contents), sink)
    data = sink.getvalue()
    descriptor = Descriptor(media_type=MEDIA_TYPE, digest=facts.digest, size=facts.size)
    blob = Blob(descriptor=descriptor, open=lambda: io.BytesIO(data))
    return Layer(blob=blob, diff_id=facts.diff_id, created_by=created_by, unpacked=facts.unpacked)


def image(*names: str, platform: str = "linux/amd64") -> Image:
    """An image with a layer for each name."""
    return compose([layer(entries(name), name) for name in names or ("a", "b")], CONFIG, Platform.parse(platform))


def foreign(data: bytes, media_type: str = MEDIA_TYPE) -> Blob:
    """A blob that Shipwheel did not make."""
    return Blob.from_bytes(data, media_type)


def below(folder: Path) -> list[str]:
    """All files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
