"""`Source`, `Target` and `copy`: push, pull, save and load are all this one function."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from shipwheel.oci.blob import Blob, Descriptor
from shipwheel.oci.image import Image, Index, images_of
from shipwheel.progress import SILENT, Progress, Task


class Source(Protocol):
    """Where images come from."""

    def resolve(self, name: str) -> Image | Index:
        """The image or index of this name."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob, unchecked."""


class Target(Protocol):
    """Where images go."""

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob need not be written."""

    def write(self, blob: Blob) -> None:
        """Take a blob, checking that it is what its descriptor promises; nothing is kept of one that is not."""

    def tag(self, name: str, image: Image | Index) -> None:
        """Take the manifests and give the image this name; all its blobs are there by now."""


def copy(image: Image | Index, target: Target, name: str, *, progress: Progress = SILENT, workers: int = 1) -> None:
    """Give `target` the blobs that it lacks, in order, then the name; nothing is named whose blobs are not all there.

    `workers` blobs travel at a time, for targets behind a network.

    Raises:
        IntegrityError: a blob is not what its descriptor promises.
    """
    sender = _Sender(target=target, progress=progress)
    if workers == 1:
        for title, blob in _distinct(image):
            sender.send(title, blob)
    else:
        _in_parallel(sender, list(_distinct(image)), workers)
    target.tag(name, image)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """Sends one blob at a time."""

    target: Target
    progress: Progress

    def send(self, title: str, blob: Blob) -> None:
        if not self.target.has(blob.descriptor):
            start = partial(self.progress.start, title, blob.size)
            self.target.write(replace(blob, open=lambda: cast(BinaryIO, _Told(blob.open(), start))))


class _Told(io.RawIOBase):
    """A stream with a bar from its first read to its close: a target may keep the blob and read it only in `tag`.

    `fileno` stays that of the file, so that a target may link it.
    """

    def __init__(self, stream: BinaryIO, start: Callable[[], Task]) -> None:
        super().__init__()
        self._stream, self._start = stream, start
        self._task: Task | None = None

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._task = self._task or self._start()
        self._task.advance(len(data))
        return data

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        if not self.closed and self._task:
            self._task.done()
        self._stream.close()
        super().close()


def _distinct(image: Image | Index) -> Iterator[tuple[str, Blob]]:
    """Every blob below the manifests once, with a title for people."""
    seen = set()
    for each in images_of(image):
        titles = [layer.created_by for layer in each.layers]
        for title, blob in zip([*titles, "config"], each.blobs, strict=True):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield title or blob.digest.short, blob


def _in_parallel(sender: _Sender, blobs: list[tuple[str, Blob]], workers: int) -> None:
    """Send `blobs` by `workers` threads; the first failure stops what has not begun."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        try:
            for done in [pool.submit(sender.send, title, blob) for title, blob in blobs]:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


if TYPE_CHECKING:  # that they fit is checked here, for they stand below and do not know the protocols
    from shipwheel.oci.archive import DockerArchive, OciArchive
    from shipwheel.oci.layout import OciLayout
    from shipwheel.oci.store import Store

    _sources: tuple[Source, ...] = (Store(Path()), OciLayout(Path()))
    _targets: tuple[Target, ...] = (Store(Path()), OciLayout(Path()), OciArchive(Path()), DockerArchive(Path()))
