"""`Origins`: which repositories of registries have a blob, so that it need not lie here, nor be sent where it is already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shipwheel.oci.blob import Digest
from shipwheel.oci.image import canonical_json

KEPT = 8
"""Repositories remembered of one blob: the newest are the likeliest to have it still."""


@dataclass(frozen=True, slots=True)
class Origins:
    """A folder with one file for each blob, by its hex digest: a list of HOST[:PORT]/PATH, the newest first."""

    folder: Path

    def path(self, digest: Digest) -> Path:
        """The file of a blob."""
        return self.folder / digest.hex

    def of(self, digest: Digest) -> tuple[str, ...]:
        """The repositories that have it; a file that cannot be read knows none."""
        with suppress(OSError, ValueError):
            found = json.loads(self.path(digest).read_bytes())
            if isinstance(found, list):
                return tuple(each for each in found if isinstance(each, str))
        return ()

    def all(self) -> Iterator[Path]:
        """Every file."""
        if self.folder.is_dir():
            yield from sorted(self.folder.iterdir())

    def without(self, origin: str) -> Iterator[tuple[Path, bytes]]:
        """The files that name a repository, and what they should hold without it; nothing where it is the only one."""
        for path in self.all():
            known = self.of(Digest(path.name))
            if origin in known:
                kept = [each for each in known if each != origin]
                yield path, canonical_json(kept) if kept else b""

    def with_new(self, digest: Digest, origins: tuple[str, ...]) -> bytes | None:
        """What the file of a blob should hold now that these have it too; None where it says so already."""
        known = self.of(digest)
        if set(origins) <= set(known):
            return None
        return canonical_json(list(dict.fromkeys((*origins, *known)))[:KEPT])
