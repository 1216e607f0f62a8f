"""`OciLayout`: an OCI image layout (image-layout.md), a folder that is a source and a target at once.

A file only ever appears under its name whole: it is written beside and renamed. index.json changes under a lock on the
oci-layout file. So processes may share a layout, and one that is killed leaves a valid one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from shipwheel.errors import StoreError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import INDEX_TYPE, MAX_JSON, Image, Index, canonical_json, manifests, parse

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation that names an entry of index.json (image-spec, annotations.md)."""

CONTAINERD_NAME = "io.containerd.image.name"
"""The annotation by which containerd, and Docker over it, name an entry: in full, with docker.io."""

PARTIAL = ".partial-"
"""What the name of a file in the making begins with."""

LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
"""The content of oci-layout (image-layout.md, "oci-layout file")."""

_HINTS = {
    errno.ENOSPC: "the disk is full: 'shipwheel prune' frees what no image needs",
    errno.EDQUOT: "your quota is used up: 'shipwheel prune' frees what no image needs",
    errno.EROFS: "the file system is mounted read-only; choose a folder that can be written",
    errno.EACCES: "this user may not write there; choose a folder that can be written",
    errno.EPERM: "this user may not write there; choose a folder that can be written",
    errno.ENOTDIR: "a file stands where a folder should be; choose another place",
    errno.ENOENT: "there is no such folder; make it, or choose another place",
    errno.EISDIR: "that is a folder; give the name of a file",
    errno.EFBIG: "the file system or a limit of this process (ulimit -f) allows no file of that size",
}


def refused(error: OSError, path: Path) -> StoreError:
    """What the system said no to, as an error that helps."""
    reason = error.strerror or str(error)
    return StoreError(f"cannot write {path}: {reason}", hint=_HINTS.get(error.errno or 0, ""), path=str(path))


class Partial:
    """A file in the making, a context manager: gone at its end unless `place` gave it its name.

    Raises:
        StoreError: the system refuses; nothing is left then.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{PARTIAL}{os.getpid()}-{os.urandom(8).hex()}"
        try:
            self._file: BinaryIO = self._path.open("xb")
        except OSError as error:
            raise refused(error, folder) from None

    def write(self, data: bytes, /) -> None:
        """The next bytes."""
        try:
            self._file.write(data)
        except OSError as error:
            raise refused(error, self._path.parent) from None

    def whole(self) -> Path:
        """End the file where it is: for one that is only needed for a while."""
        try:
            self._file.close()
        except OSError as error:
            raise refused(error, self._path.parent) from None
        return self._path

    def place(self, path: Path, *, durable: bool = False, replace: bool = True) -> None:
        """Give the file its name; `durable` asks the disk first, without `replace` a file that stands there stays."""
        try:
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            self._file.close()
            if replace or not _first(self._path, path):
                self._path.replace(path)
        except OSError as error:
            raise refused(error, path) from None

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError):  # a full disk refuses the flush in `close` once more; the file goes anyway
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class OciLayout:
    """The layout in the folder `root`, made at the first write.

    `partial` is where files in the making lie, on the same disk. `links` lets blob files be shared with the layout that
    they come from; without it every blob is read and checked.
    """

    root: Path
    partial: Path | None = None
    links: bool = True

    def names(self) -> tuple[str, ...]:
        """The names in it, sorted."""
        return tuple(sorted(name for entry in self.entries() if (name := _name(entry))))

    def resolve(self, name: str) -> Image | Index:
        """The image or index of this name; its raw manifest is kept.

        Raises:
            StoreError: no such name.
            ImageError, IntegrityError: it is damaged.
        """
        return parse(self.blob(self.find(name)), self.blob)

    def find(self, name: str) -> Descriptor:
        """The manifest of this name.

        Raises:
            StoreError: no such name.
        """
        entry = next((entry for entry in self.entries() if _name(entry) == name), None)
        if entry is None:
            near = _near(name, self.names())
            raise StoreError(f"no image '{name}' in {self.root}", hint=near, name=name)
        return Descriptor.from_json(entry)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob, unchecked.

        Raises:
            StoreError: it is not there.
        """
        try:
            return self.path(descriptor.digest).open("rb")
        except OSError as error:
            hint = "build or load the image again"
            raise StoreError(f"cannot read blob {descriptor.digest} in {self.root}: {error.strerror}", hint=hint) from None

    def blob(self, descriptor: Descriptor) -> Blob:
        """A blob by its descriptor."""
        return Blob(descriptor=descriptor, open=lambda: self.open(descriptor))

    def path(self, digest: Digest) -> Path:
        """Where a blob lies."""
        return self.root / "blobs" / "sha256" / digest.hex

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a file of that digest and size is there: after a power cut a file can be shorter than it was."""
        try:
            return self.path(descriptor.digest).stat().st_size == descriptor.size
        except OSError:
            return False

    def write(self, blob: Blob) -> None:
        """Take a blob: linked where it is a file of another layout on this disk, else copied and checked.

        Raises:
            IntegrityError: it is not what its descriptor promises.
            StoreError: the system refuses.
        """
        self.create()
        path = self.path(blob.digest)
        if self.has(blob.descriptor) or (self.links and _linked(blob, path)):
            return
        with self.making() as file:
            for chunk in blob.chunks():
                file.write(chunk)
            file.place(path)

    def tag(self, name: str, image: Image | Index) -> None:
        """Name an image whose blobs are here; the same name for the same image writes nothing."""
        for manifest in manifests(image):
            if not self.has(manifest.descriptor):
                self.write(manifest)
        descriptor = image.manifest.descriptor
        entry = Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            platform=image.platform if isinstance(image, Image) else None,
            annotations={REF_NAME: name},
        ).as_json()
        if entry not in self.entries():
            self._change(lambda entries: [*(other for other in entries if _name(other) != name), entry])

    def untag(self, name: str) -> None:
        """Forget a name; its blobs stay until someone prunes.

        Raises:
            StoreError: no such name.
        """
        if name not in self.names():
            raise StoreError(f"no image '{name}' in {self.root}", hint=_near(name, self.names()), name=name)
        self._change(lambda entries: [entry for entry in entries if _name(entry) != name])

    def entries(self) -> list[dict[str, Any]]:
        """The descriptors of index.json as they stand there; none where nothing was ever written.

        Raises:
            StoreError: index.json is damaged or of another format.
        """
        path = self.root / "index.json"
        try:
            with path.open("rb") as file:
                data = file.read(MAX_JSON + 1)
            entries = json.loads(data)["manifests"]
            if len(data) > MAX_JSON or not all(isinstance(entry, dict) for entry in entries):
                raise ValueError("too large, or not a list of objects")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}", path=str(path)) from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            hint = "move the folder away; what is in it can be built again"
            raise StoreError(f"{path} is no index of an OCI image layout: {error}", hint=hint, path=str(path)) from None
        return list(entries)

    def create(self) -> None:
        """Make the folder a layout if it is none; oci-layout comes last, so that a half-made one is none."""
        if (self.root / "oci-layout").exists():
            return
        try:
            (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
            if self.partial:
                self.partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, self.root) from None
        for name, data in (("index.json", _index([])), ("oci-layout", LAYOUT)):
            with self.making() as file:
                file.write(data)
                file.place(self.root / name, replace=False)

    def making(self) -> Partial:
        """A new file in the making, on the layout's disk."""
        return Partial(self.partial or self.root)

    def _change(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        self.create()
        with self._locked():
            entries = sorted(change(self.entries()), key=lambda entry: (_name(entry), str(entry.get("digest"))))
            with self.making() as file:
                file.write(_index(entries))
                file.place(self.root / "index.json", durable=True)  # the one file that nothing could make again

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.root / "oci-layout", os.O_RDWR)
        except OSError as error:
            raise refused(error, self.root) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _first(made: Path, path: Path) -> bool:
    """Give a file a second name unless that is taken; False where the file system knows no second names."""
    try:
        path.hardlink_to(made)
    except FileExistsError:
        return True
    except OSError:
        return path.exists()
    return True


def _index(entries: list[dict[str, Any]]) -> bytes:
    return canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def _name(entry: dict[str, Any]) -> str:
    annotations = entry.get("annotations")
    return str(annotations.get(REF_NAME, "")) if isinstance(annotations, dict) else ""


def _near(name: str, names: tuple[str, ...]) -> str:
    if not names:
        return "there are no images yet: 'shipwheel build' makes one"
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3, cutoff=0.5) or names[:5]
    return "there is " + ", ".join(near)


def _linked(blob: Blob, path: Path) -> bool:
    """Link the blob's own file instead of copying it; only a file named by its digest counts as one that nobody changes."""
    with blob.open() as stream:
        try:
            source = Path(f"/proc/self/fd/{stream.fileno()}").readlink()
            if source.name != blob.digest.hex or source.stat().st_size != blob.size:
                return False
            path.hardlink_to(source)
        except FileExistsError:
            return False
        except OSError:  # no file, no /proc, another disk, links not allowed: it is copied then
            return False
    return True
