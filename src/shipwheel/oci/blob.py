"""Digests, descriptors, platforms and blobs: the values that everything else in `oci` is made of."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from shipwheel.errors import IntegrityError, UsageError

CHUNK = 1 << 20
"""Bytes read at a time: large enough that Python's share of a copy is noise, small enough for any memory limit."""

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 content digest (OCI image-spec, descriptor.md, "Digests")."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """`sha256:` and 64 lower-case hexadecimal characters.

        Raises:
            IntegrityError: anything else, other algorithms included.
        """
        match = _DIGEST.fullmatch(text)
        if not match:
            raise IntegrityError(f"'{text}' is not a sha256 digest", hint="a digest reads sha256: and 64 hex characters")
        return cls(match[1])

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of these bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def short(self) -> str:
        """Twelve characters, as engines print them."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and architecture (OCI image-spec, image-index.md, "platform")."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """`linux/amd64`, `linux/arm64`, `linux/arm/v7`; the usual other names of an architecture are understood.

        Raises:
            UsageError: not of that form.
        """
        parts = text.strip().lower().split("/")
        if len(parts) == 1:
            parts = ["linux", *parts]
        if len(parts) not in (2, 3) or not all(parts):
            raise UsageError(f"'{text}' is not a platform", hint="write it as linux/amd64 or linux/arm64")
        os, architecture = parts[0], _ARCHITECTURES.get(parts[1], parts[1])
        variant = parts[2] if len(parts) == 3 else ""
        return cls(os, architecture, "" if (architecture, variant) == ("arm64", "v8") else variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def as_json(self) -> dict[str, str]:
        """As it stands in an index or a config."""
        pairs = {"architecture": self.architecture, "os": self.os, "variant": self.variant}
        return {key: value for key, value in pairs.items() if value}


_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64v8": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is, before its bytes are seen (OCI image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Descriptor:
        """Parse one descriptor of a manifest or an index.

        Raises:
            IntegrityError: a required field is missing or of another type.
        """
        try:
            size, platform, annotations = value["size"], value.get("platform"), value.get("annotations") or {}
            if not isinstance(size, int) or size < 0 or not isinstance(annotations, Mapping):
                raise TypeError("size")
            return cls(
                media_type=str(value["mediaType"]),
                digest=Digest.parse(str(value["digest"])),
                size=size,
                platform=Platform(str(platform["os"]), str(platform["architecture"]), str(platform.get("variant", "")))
                if isinstance(platform, Mapping)
                else None,
                annotations={str(key): str(text) for key, text in annotations.items()},
            )
        except (KeyError, TypeError) as error:
            raise IntegrityError(f"malformed descriptor: {error} in {dict(value)!r}") from None

    def as_json(self) -> dict[str, object]:
        """As it stands in a manifest or an index."""
        out: dict[str, object] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        if self.platform:
            out["platform"] = self.platform.as_json()
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A descriptor and a way to read its bytes, as often as wanted.

    `origins` are repositories that have it, as HOST[:PORT]/PATH, the likeliest first: a registry need not be sent what
    it has in another of its repositories, and what lies in one need not lie here.
    """

    descriptor: Descriptor
    open: Callable[[], BinaryIO]
    origins: tuple[str, ...] = ()

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str) -> Blob:
        """A small blob that lives in memory: a manifest, a config."""
        descriptor = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
        return cls(descriptor=descriptor, open=lambda: io.BytesIO(data))

    @classmethod
    def from_file(cls, path: Path, descriptor: Descriptor) -> Blob:
        """A blob that lies in a file; the descriptor is taken at its word until someone reads."""
        return cls(descriptor=descriptor, open=lambda: path.open("rb"))

    @property
    def digest(self) -> Digest:
        """Of the bytes."""
        return self.descriptor.digest

    @property
    def size(self) -> int:
        """In bytes."""
        return self.descriptor.size

    def read(self) -> bytes:
        """All the bytes, for manifests and configs."""
        with self.open() as stream:
            return stream.read()

    def chunks(self) -> Iterator[bytes]:
        """The bytes a piece at a time, checked: the last piece is followed by an error if they were not the promised ones.

        Raises:
            IntegrityError: another digest or size.
        """
        hasher, size = hashlib.sha256(), 0
        with self.open() as stream:
            while chunk := stream.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                yield chunk
        if size != self.size or hasher.hexdigest() != self.digest.hex:
            raise IntegrityError(
                f"blob {self.digest} is damaged: {size} bytes with sha256:{hasher.hexdigest()}, expected {self.size} bytes",
                hint="one of this machine goes with 'shipwheel prune --all', and is made again by the next build",
            )
