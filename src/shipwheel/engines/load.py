"""`EngineTarget`: an image into Docker or Podman through the load endpoint, sending only blobs that the engine lacks.

Both engines look a layer up by the chain of diff IDs (Docker) or by its digest (Podman) before they open its blob, so a
blob may be missing from the archive where the engine has it. Which layers it has is guessed from the images that it
lists; where the guess fails the engine says so, changes nothing, and everything is sent.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import docker
from docker.errors import APIError, NotFound

from shipwheel.engines.saying import engine_says
from shipwheel.errors import EngineError
from shipwheel.oci.archive import write_archive
from shipwheel.oci.blob import CHUNK, Blob, Descriptor, Digest, Platform
from shipwheel.oci.image import Image, Index
from shipwheel.oci.layer import Sink
from shipwheel.oci.reference import Reference

ASK_AT_MOST = 400
"""Images of the engine that are looked at for layers, the same repository's first: each costs one request."""

ASK_AT_ONCE = 8
"""Requests under way together."""


class EngineTarget:
    """Gathers blobs, which can be opened again, and streams them when the image is named; no temporary file, flat memory."""

    def __init__(self, client: docker.DockerClient, kind: str) -> None:
        self._client = client
        self._kind = kind
        self._gathered: dict[Digest, Blob] = {}

    def has(self, _descriptor: Descriptor) -> bool:
        """Never: what the engine has depends on the layers below, which only `tag` knows."""
        return False

    def write(self, blob: Blob) -> None:
        """Keep how to open it."""
        self._gathered[blob.digest] = blob

    def tag(self, name: str, image: Image | Index) -> None:
        """Load the image, of an index the one for the engine's platform, and name it.

        Raises:
            EngineError: the engine refused, vanished, or has another platform than the index offers.
        """
        with engine_says(self._kind):
            chosen = self._through_gathered(self._choose(image))
            if not self._is_there(chosen):
                self._send(chosen, name)
            self._name(chosen, name)

    def _choose(self, image: Image | Index) -> Image:
        if isinstance(image, Image):
            return image
        told = self._client.version()
        wanted = Platform.parse(f"{told.get('Os') or 'linux'}/{told.get('Arch') or 'unknown'}")
        for each in image.images:
            if (each.platform.os, each.platform.architecture) == (wanted.os, wanted.architecture):
                return each
        offered = ", ".join(str(each.platform) for each in image.images)
        raise EngineError(f"{self._kind} runs {wanted}, the image is for {offered}", hint=f"build with --platform {wanted}")

    def _through_gathered(self, image: Image) -> Image:
        """The image with the blobs that were written here, whose bytes `copy` counts as they are read."""
        layers = tuple(replace(layer, blob=self._gathered.get(layer.blob.digest, layer.blob)) for layer in image.layers)
        return replace(image, layers=layers)

    def _is_there(self, image: Image) -> bool:
        """Whether the very image is loaded: its id is the config's digest, or with containerd's store the manifest's."""
        return any(self._id_of(str(digest)) for digest in (image.config.digest, image.manifest.digest))

    def _id_of(self, name: str) -> str:
        try:
            return str(self._client.api.inspect_image(name)["Id"]).removeprefix("sha256:")
        except NotFound:
            return ""

    def _send(self, image: Image, name: str) -> None:
        known = shared_layers(image, self._layers_of_engine(Reference.parse(name)))
        omit = frozenset(layer.blob.digest for layer in image.layers[:known]) - {
            layer.blob.digest for layer in image.layers[known:]
        }
        refusal = self._load(image, name, omit)
        if refusal and omit:
            refusal = self._load(image, name, frozenset())
        if refusal:
            raise EngineError(f"{self._kind} refused the image: {refusal}")

    def _load(self, image: Image, name: str, omit: frozenset[Digest]) -> str:
        """Stream one archive; returns the engine's words where it refused."""
        body = streamed(lambda sink: write_archive([(name, image)], sink, omit=omit))
        try:
            for event in self._client.api.load_image(body, quiet=True):
                if event.get("error"):
                    return str(event["error"])
        except APIError as error:
            if not omit:
                raise
            return str(error.explanation or error)
        finally:
            body.close()
        return "" if self._is_there(image) else "it took the archive, but the image is not there"

    def _name(self, image: Image, name: str) -> None:
        ids = (image.config.digest.hex, image.manifest.digest.hex)
        if self._id_of(name) in ids:
            return
        reference = Reference.parse(name)
        repository = str(replace(reference, digest=None)).removesuffix(f":{reference.tag}")
        identity = next(each for each in ids if self._id_of(f"sha256:{each}"))
        self._client.api.tag(f"sha256:{identity}", repository, reference.tag, force=True)

    def _layers_of_engine(self, reference: Reference) -> Iterator[tuple[str, ...]]:
        """The diff IDs of each image that the engine lists, lowest first."""
        listed = self._client.api.images()
        listed.sort(key=lambda each: not any(f"{reference.repository}:" in tag for tag in each.get("RepoTags") or ()))
        with ThreadPoolExecutor(ASK_AT_ONCE) as pool:
            yield from pool.map(self._diff_ids, [each["Id"] for each in listed[:ASK_AT_MOST]])

    def _diff_ids(self, identity: str) -> tuple[str, ...]:
        try:
            return tuple(self._client.api.inspect_image(identity)["RootFS"].get("Layers") or ())
        except (NotFound, KeyError):
            return ()


def shared_layers(image: Image, known: Iterable[tuple[str, ...]]) -> int:
    """How many layers of `image`, from the lowest, stand in the same order at the bottom of one of `known`."""
    mine = tuple(str(layer.diff_id) for layer in image.layers)
    most = 0
    for theirs in known:
        while most < min(len(mine), len(theirs)) and mine[: most + 1] == theirs[: most + 1]:
            most += 1
    return most


def streamed(write: Callable[[Sink], object]) -> StreamedBody:
    """What `write` writes, as pieces to read: a thread writes into a pipe whose few kilobytes are all that is held."""
    return StreamedBody(write)


class StreamedBody:
    """An HTTP body without a length; an error of the writer comes out of the reader, so that the upload is broken off."""

    def __init__(self, write: Callable[[Sink], object]) -> None:
        self._read_end, write_end = os.pipe()
        with suppress(OSError, AttributeError):  # Linux only
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, CHUNK)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(write, write_end), name="archive-writer", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[bytes]:
        while piece := os.read(self._read_end, CHUNK):
            yield piece
        self._thread.join()
        if self._error:
            raise self._error

    def close(self) -> None:
        """Let go; a writer that is not done yet ends too."""
        if self._read_end >= 0:
            os.close(self._read_end)
            self._read_end = -1
            self._thread.join()

    def _run(self, write: Callable[[Sink], object], write_end: int) -> None:
        try:
            with os.fdopen(write_end, "wb", buffering=CHUNK) as sink:
                write(sink)
        except BrokenPipeError:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the reading thread, which raises it
            self._error = error
