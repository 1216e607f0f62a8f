"""How much of an eStargz image a service reads until it is ready: what a lazy node must fetch first, at most.

    shipwheel build examples/tabular --estargz --no-verify --to oci:.work/lazy
    .venv/bin/python benchmarks/lazy.py .work/lazy

As root on Linux, with a temporary folder whose file system keeps access times (relatime will do). Files count whole, though
a node fetches only those chunks of large ones that are touched.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from shipwheel.oci.image import Image, read_json
from shipwheel.oci.layout import OciLayout
from support.stargz import FOOTER_SIZE, read_toc, toc_offset

WITHIN = 60.0
"""Seconds until ready."""


def unpack(image: Image, root: Path) -> None:
    """All layers in one folder, no file of which was ever read."""
    for layer in image.layers:
        with layer.blob.open() as stream, tarfile.open(fileobj=stream, mode="r:gz") as tar:
            tar.extractall(root)
    for path in files_below(root):
        os.utime(path, (0, path.stat().st_mtime))


def files_below(root: Path) -> Iterator[Path]:
    """Regular files."""
    for folder, _, names in os.walk(root):
        yield from (path for name in names if stat.S_ISREG((path := Path(folder, name)).lstat().st_mode))


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """With /proc and /dev."""
    points = [root / name for name in ("proc", "dev")]
    for point in points:
        subprocess.run(["mount", "--rbind", f"/{point.name}", point], check=True)
    try:
        yield
    finally:
        for point in points:
            subprocess.run(["umount", "--lazy", point], check=True)


def start(image: Image, root: Path) -> None:
    """Run the image's command in `root` until it is ready."""
    value: Any = read_json(image.config)
    config = value["config"]

    env = dict(text.split("=", 1) for text in config["Env"])
    user, group = config["User"].split(":")
    inside = ("unshare", f"--root={root}", f"--wd={config['WorkingDir']}", f"--setgid={group}", f"--setuid={user}")
    (port,) = config["ExposedPorts"]
    ready = f"http://127.0.0.1:{port.removesuffix('/tcp')}/ready"
    with subprocess.Popen([*inside, *config["Cmd"]], env=env, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + WITHIN
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                sys.exit("it was never ready")
            time.sleep(0.1)
        process.terminate()


def answers(url: str) -> bool:
    """Whether it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def needed(image: Image, read: set[str]) -> tuple[int, int]:
    """Files and compressed bytes that hold what was read."""
    files = size = 0
    for layer in image.layers:
        blob = layer.blob.read()
        rows = [row for row in read_toc(blob)[1] if "offset" in row]
        ends = dict(pairwise([*(row["offset"] for row in rows), toc_offset(blob[-FOOTER_SIZE:])]))
        wanted = [row for row in rows if row["name"] in read]
        files += sum(row["type"] == "reg" for row in wanted)
        size += sum(ends[row["offset"]] - row["offset"] for row in wanted)
    return files, size


def main() -> None:
    """One image, in two lines."""
    layout = OciLayout(Path(sys.argv[1]))
    image = layout.resolve(layout.names()[0])
    assert isinstance(image, Image)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        unpack(image, root)
        with mounted(root):
            start(image, root)
        there = list(files_below(root))
        read = {str(path.relative_to(root)) for path in there if path.stat().st_atime}
    files, size = needed(image, read)
    tables = sum(len(blob) - toc_offset(blob[-FOOTER_SIZE:]) for blob in (layer.blob.read() for layer in image.layers))
    print(f"{files:,} of {len(there):,} files are read until it is ready,")
    print(f"at most {size / 1e6:.0f} of {image.size / 1e6:.0f} MB")
    print(f"{len(image.layers)} tables of contents: {tables / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
