"""`Store`: the local home of images and layers, an OCI image layout with memos beside it.

    ROOT/oci/              a valid OCI image layout: `skopeo inspect oci:ROOT/oci:app:1.0` reads it in place
    ROOT/layers/KEY.json   memo: the layer of this key is that blob, so it need not be made again
    ROOT/sizes/HEX         a layer's unpacked bytes
    ROOT/origins/HEX       the repositories that have a blob: one that a registry has need not lie here, until it is opened
    ROOT/notes/HEX         how an image was made, as who made it wrote it down
    ROOT/tmp/              files in the making
    ROOT/lock              held by whoever builds, so that nobody prunes meanwhile

Blobs are not forced to the disk: after a power cut one may be short, which its size tells, and it is made again. Only
index.json is, for nothing could make the names again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from shipwheel.errors import NetworkError, StoreError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.hold import Hold
from shipwheel.oci.image import Image, Index, images_of, parse
from shipwheel.oci.layer import Layer, Packed, Sink
from shipwheel.oci.layout import OciLayout, refused
from shipwheel.oci.memo import Memo, Memos
from shipwheel.oci.origins import Origins
from shipwheel.oci.prune import Places, Pruned, Usage, unneeded, usage
from shipwheel.progress import SILENT, Progress

CACHE_TAG = """\
Signature: 8a477f597d28d172789f06886806bc55
# Made by shipwheel; all of it can be made again. https://bford.info/cachedir/
"""
"""Backups and builds leave a folder out that holds this as CACHEDIR.TAG."""

Fetch = Callable[[str, Descriptor], BinaryIO]
"""Opens a blob of a repository, HOST[:PORT]/PATH."""

GONE = (404, 410)
"""What a registry answers that has a blob no more."""

DOWNLOADS = 4
"""Blobs that are brought at a time: more does not make a network faster."""


class Store:
    """The store in `root`, made at the first write.

    From the first `layer`, `has` or write until `tag` nobody else can prune it. `downloads` and `unpacked` are folders that
    others fill, counted in `usage`; in ROOT where not given. `fetch` gets blobs that only registries have.
    """

    def __init__(
        self, root: Path, *, downloads: Path | None = None, unpacked: Path | None = None, fetch: Fetch | None = None
    ) -> None:
        self._places = Places(root=root, downloads=downloads or root / "downloads", unpacked=unpacked or root / "unpacked")
        self._layout = OciLayout(self._places.layout, partial=self._places.partial, links=False)
        self._memos = Memos(self._places.memos)
        self._origins = Origins(self._places.origins)
        self._fetch = fetch
        self._hold = Hold(root / "lock")

    @property
    def root(self) -> Path:
        """The folder."""
        return self._places.root

    def names(self) -> tuple[str, ...]:
        """The names of all images, sorted."""
        return self._layout.names()

    def resolve(self, name: str) -> Image | Index:
        """The image or index of this name, its raw manifest kept; unpacked sizes are 0 where they are not known.

        Raises:
            StoreError: no such name.
            ImageError, IntegrityError: it is damaged.
        """
        found = parse(self.blob(self._layout.find(name)), self.blob)
        if isinstance(found, Index):
            return replace(found, images=tuple(self._sized(image) for image in found.images))
        return self._sized(found)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes of a blob, unchecked; one that only registries have is brought first, and stays.

        Raises:
            StoreError: it is nowhere, or no registry has it any more.
            NetworkError: the registry that has it cannot be asked.
        """
        if self._fetch and not self._layout.has(descriptor):
            self._download(descriptor, self._fetch)
        return self._layout.open(descriptor)

    def _download(self, descriptor: Descriptor, fetch: Fetch) -> None:
        """From the first repository that has it; one that lost it is not asked for others either, until it is seen again."""
        origins = self._origins.of(descriptor.digest)
        failure = None
        for origin in origins:
            self.begin()
            try:
                self._layout.write(Blob(descriptor=descriptor, open=partial(fetch, origin, descriptor)))
            except NetworkError as error:
                if error.fields.get("status") in GONE:
                    self._forget(origin)
                else:
                    failure = error
            else:
                return
        if failure:
            failure.hint = f"only {', '.join(origins)} has this layer; 'rmi', 'prune --all' and a build make it anew"
            raise failure
        if origins:
            hint = "build or pull the image again"
            raise StoreError(f"{origins[0]} has no blob {descriptor.digest} any more", hint=hint, digest=str(descriptor.digest))

    def _forget(self, origin: str) -> None:
        for path, data in self._origins.without(origin):
            if data:
                self._place(path, data)
            else:
                path.unlink(missing_ok=True)

    def blob(self, descriptor: Descriptor) -> Blob:
        """A blob by its descriptor, with the repositories that are known to have it."""
        return Blob(descriptor=descriptor, open=partial(self.open, descriptor), origins=self._origins.of(descriptor.digest))

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there, whole."""
        self._hold.share()
        return self._layout.has(descriptor)

    def write(self, blob: Blob) -> None:
        """Take a blob, checked; of one that has origins, only these: `bring` gets its bytes.

        Raises:
            IntegrityError: it is not what its descriptor promises.
            StoreError: the system refuses: disk full, read-only.
        """
        self.begin()
        if blob.origins:
            self._note(blob.digest, blob.origins)
        else:
            self._layout.write(blob)

    def bring(self, blobs: Iterable[Blob], progress: Progress = SILENT) -> None:
        """Get the bytes of blobs that only registries have, several at a time.

        Raises:
            NetworkError, IntegrityError: one of them cannot be had, or is not what was promised; the others stay.
        """
        missing = [blob for blob in blobs if not self._layout.has(blob.descriptor)]
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for done in [pool.submit(self._bring, blob, progress) for blob in missing]:
                done.result()

    def _bring(self, blob: Blob, progress: Progress) -> None:
        task = progress.start(f"fetch {blob.digest.short}", blob.size)
        try:
            with self.open(blob.descriptor):
                task.advance(blob.size)
        finally:
            task.done()

    def note_origin(self, image: Image | Index, origin: str) -> None:
        """Remember that a repository has all blobs of an image, so that its registry need not be sent them again."""
        self.begin()
        for each in images_of(image):
            for blob in each.blobs:
                self._note(blob.digest, (origin,))

    def _note(self, digest: Digest, origins: tuple[str, ...]) -> None:
        if data := self._origins.with_new(digest, origins):
            self._place(self._origins.path(digest), data)

    def _is_known(self, descriptor: Descriptor) -> bool:
        """Whether the blob lies here or can be brought."""
        return self._layout.has(descriptor) or bool(self._origins.of(descriptor.digest))

    def tag(self, name: str, image: Image | Index) -> None:
        """Name an image whose blobs are here; an image that had the name before loses it.

        Raises:
            StoreError: a blob is missing, or the system refuses.
        """
        self.begin()
        images = images_of(image)
        for blob in (blob for each in images for blob in each.blobs):
            if not self._is_known(blob.descriptor):
                raise StoreError(f"'{name}' lacks blob {blob.digest}", hint="build it again", digest=str(blob.digest))
        for layer in (layer for each in images for layer in each.layers):
            self._keep_size(layer)
        self._layout.tag(name, image)
        self._hold.release()

    def untag(self, name: str) -> None:
        """Forget a name; what it held stays until `prune`.

        Raises:
            StoreError: no such name, or the system refuses.
        """
        self._hold.share()
        self._layout.untag(name)
        self._hold.release()

    def layer(self, key: str) -> Layer | None:
        """The layer that was made for `key`, if it is still there, or known to be in a registry."""
        self._hold.share()
        memo = self._memos.get(key)
        if memo is None or not self._is_known(memo.descriptor):
            return None
        return memo.layer(self.blob(memo.descriptor))

    def keep(self, key: str, layer: Layer) -> Layer:
        """Remember a layer that a registry has as the one of `key`, without its bytes; the same, opened through the store.

        Raises:
            StoreError: the system refuses.
        """
        taken = self.take(layer)
        self._place(self._memos.path(key), Memo.of_layer(layer).encoded())
        return taken

    def take(self, layer: Layer) -> Layer:
        """Remember where a layer of a registry lies; the same layer, opened through the store.

        Raises:
            StoreError: the system refuses.
        """
        self.write(layer.blob)
        self._keep_size(layer)
        return replace(layer, blob=self.blob(layer.blob.descriptor))

    def put_layer(self, key: str, created_by: str, write: Callable[[Sink], Packed]) -> Layer:
        """Make the layer of `key` with `write` and remember it; several processes that make the same do no harm.

        Raises:
            StoreError: the system refuses: disk full, read-only; nothing is left then.
        """
        self.begin()
        with self._layout.making() as file:
            memo = Memo.of(write(file), created_by)
            if not self._layout.has(memo.descriptor):
                file.place(self._layout.path(memo.digest))
        self._place(self._memos.path(key), memo.encoded())
        return memo.layer(self.blob(memo.descriptor))

    def keep_note(self, digest: Digest, note: bytes) -> None:
        """Remember something of the image or index whose manifest has this digest, until it is pruned.

        Raises:
            StoreError: the system refuses.
        """
        if self.note(digest) != note:
            self.begin()
            self._place(self._places.notes / digest.hex, note)

    def note(self, digest: Digest) -> bytes | None:
        """What was remembered; None of an image that was not made here."""
        try:
            return (self._places.notes / digest.hex).read_bytes()
        except OSError:
            return None

    def usage(self) -> Usage:
        """What lies here, for `df`."""
        return usage(self._layout, self._places)

    def prune(self, *, all: bool = False, dry_run: bool = False) -> Pruned:
        """Remove what nothing needs (`oci.prune` says what that is); a dry run only finds it.

        Raises:
            StoreError: another process builds, or the system refuses.
        """
        if dry_run or not self.root.is_dir():
            return unneeded(self._layout, self._places, all=all)
        with self._hold.alone():
            pruned = unneeded(self._layout, self._places, all=all)
            pruned.remove()
        return pruned

    def begin(self) -> None:
        """Keep pruners away until `tag`, also before the first write, and make the folders if they are not there.

        Raises:
            StoreError: the system refuses: disk full, read-only.
        """
        self._hold.share()
        if (self._places.layout / "oci-layout").exists():
            return
        try:
            self._places.partial.mkdir(parents=True, exist_ok=True)
            (self.root / "CACHEDIR.TAG").write_text(CACHE_TAG)
        except OSError as error:
            raise refused(error, self.root) from None
        self._hold.share()
        self._layout.create()

    def _place(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise refused(error, path) from None
        with self._layout.making() as file:
            file.write(data)
            file.place(path)

    def _sized(self, image: Image) -> Image:
        return replace(image, layers=tuple(replace(layer, unpacked=self._size(layer.blob.digest)) for layer in image.layers))

    def _size(self, digest: Digest) -> int:
        try:
            return int((self._places.sizes / digest.hex).read_text())
        except (OSError, ValueError):
            return 0

    def _keep_size(self, layer: Layer) -> None:
        path = self._places.sizes / layer.blob.digest.hex
        if layer.unpacked and not path.exists():
            self._place(path, str(layer.unpacked).encode())
