"""`Memos`: which blob is the layer of a key, so that no layer is made twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipwheel.errors import IntegrityError
from shipwheel.oci.blob import Blob, Descriptor, Digest
from shipwheel.oci.image import canonical_json
from shipwheel.oci.layer import MEDIA_TYPE, Layer, Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """A layer's facts: of its blob digest, size (bytes) and annotations, of its tar the digest and size (bytes)."""

    digest: Digest
    size: int
    diff_id: Digest
    unpacked: int
    created_by: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, packed: Packed, created_by: str) -> Memo:
        """What packing found out."""
        return cls(
            digest=packed.digest,
            size=packed.size,
            diff_id=packed.diff_id,
            unpacked=packed.unpacked,
            created_by=created_by,
            annotations=packed.annotations,
        )

    @classmethod
    def of_layer(cls, layer: Layer) -> Memo:
        """What is known of a layer that others made."""
        blob = layer.blob
        return cls(
            digest=blob.digest,
            size=blob.size,
            diff_id=layer.diff_id,
            unpacked=layer.unpacked,
            created_by=layer.created_by,
        )

    @property
    def descriptor(self) -> Descriptor:
        """The blob's."""
        return Descriptor(media_type=MEDIA_TYPE, digest=self.digest, size=self.size, annotations=self.annotations)

    def layer(self, blob: Blob) -> Layer:
        """The layer, its bytes being `blob`."""
        return Layer(blob=blob, diff_id=self.diff_id, created_by=self.created_by, unpacked=self.unpacked)

    def encoded(self) -> bytes:
        """A memo's file."""
        value = {"digest": str(self.digest), "diff_id": str(self.diff_id), "created_by": self.created_by}
        extra = {"annotations": dict(self.annotations)} if self.annotations else {}
        return canonical_json({**value, "size": self.size, "unpacked": self.unpacked, **extra})


@dataclass(frozen=True, slots=True)
class Memos:
    """A folder with one KEY.json for each key."""

    folder: Path

    def path(self, key: str) -> Path:
        """The file of a key, which is letters, digits, `-` and `_`."""
        if not key.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{key!r} is no layer key")
        return self.folder / f"{key}.json"

    def get(self, key: str) -> Memo | None:
        """What is known of a key."""
        return _read(self.path(key))

    def all(self) -> Iterator[tuple[Path, Memo | None]]:
        """Every file and what it says; None where it is damaged."""
        if self.folder.is_dir():
            yield from ((path, _read(path)) for path in sorted(self.folder.iterdir()))


def _read(path: Path) -> Memo | None:
    """A memo is a cache: one that cannot be read is as good as none."""
    try:
        value = json.loads(path.read_bytes())
        return Memo(
            digest=Digest.parse(value["digest"]),
            size=int(value["size"]),
            diff_id=Digest.parse(value["diff_id"]),
            unpacked=int(value["unpacked"]),
            created_by=str(value["created_by"]),
            annotations={str(key): str(text) for key, text in value.get("annotations", {}).items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None
