"""Small images for tests of engines: a static busybox below, whatever the test wants above."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from shipwheel.oci.blob import Blob, Descriptor, Platform
from shipwheel.oci.image import Image, RuntimeConfig, compose
from shipwheel.oci.layer import MEDIA_TYPE, Layer, pack
from shipwheel.oci.tree import Entry, Tree

# fmt: off
APPLETS = (
    "sh", "httpd", "sleep", "cat", "echo", "id", "env", "ls", "kill", "true", "nc",
    "df", "hostname", "head", "wget", "touch", "dd", "tail", "pwd", "mount", "grep", "ip",
)
# fmt: on
"""What the tests call of busybox."""


def layer(entries: Iterable[Entry], created_by: str = "test") -> Layer:
    """A layer in memory."""
    sink = io.BytesIO()
    packed = pack(Tree.of(entries), sink)
    data = sink.getvalue()
    blob = Blob(
        descriptor=Descriptor(media_type=MEDIA_TYPE, digest=packed.digest, size=packed.size), open=lambda: io.BytesIO(data)
    )
    return Layer(blob=blob, diff_id=packed.diff_id, created_by=created_by, unpacked=packed.unpacked)


def busybox_layer() -> Layer:
    """A root file system with busybox, its applets, users and the usual folders."""
    found = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if Path(path).exists()), None)
    if not found or shutil.which("busybox") is None:
        pytest.skip("busybox-static is absent; tests/engines/install.sh installs it")
    binary = Path(found)
    return layer(
        [
            Entry.file("usr/bin/busybox", binary, binary.stat().st_size, 0o755),
            *(Entry.symlink(f"usr/bin/{applet}", "busybox") for applet in APPLETS),
            Entry.symlink("bin", "usr/bin"),
            Entry.directory("etc"),
            Entry.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/app:/bin/sh\n"),
            Entry.data("etc/group", b"root:x:0:\nworker:x:1000:\n"),
            *(Entry.directory(name) for name in ("proc", "sys", "dev", "app", "root")),
            Entry.directory("tmp", 0o1777),
            Entry.data("app/index.html", b"hello from the container\n"),
        ],
        "busybox",
    )


def image(
    *layers: Layer,
    cmd: tuple[str, ...] = ("httpd", "-f", "-v", "-p", "8000", "-h", "/app"),
    config: RuntimeConfig | None = None,
) -> Image:
    """Busybox plus `layers`; by default it serves /app on port 8000 as user 1000."""
    chosen = config or RuntimeConfig(
        cmd=cmd, ports=(8000,), user="1000:0", working_dir="/app", env={"PATH": "/usr/bin:/bin", "GREETING": "hello"}
    )
    return compose((busybox_layer(), *layers), chosen, Platform())
