"""`Hashes`: sha256 of local files, remembered for large ones, so that a model of gigabytes is not read at every build."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

LARGE = 1 << 20
"""Bytes from which a hash is remembered: below, reading the file costs no more than reading the note."""

SETTLED = 2.0
"""Seconds for which a file must have been left alone: one that is still being written could change within a clock tick."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """Notes in one folder, named by the file's path; each says what the file looked like when it was hashed."""

    folder: Path

    def sha256(self, path: Path) -> str:
        """The file's sha256 (hex)."""
        if path.stat().st_size < LARGE:
            return _hash(path)
        note = self.folder / hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
        now = looks(path)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(note.read_text())
            if known["looks"] == now:
                return str(known["sha256"])
        digest = _hash(path)
        if looks(path) == now and time.time() - path.stat().st_ctime > SETTLED:
            self._remember(note, {"looks": now, "sha256": digest})
        return digest

    def _remember(self, note: Path, value: object) -> None:
        """A folder that cannot be written just forgets."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = note.with_name(f"{note.name}.{os.getpid()}")
            fresh.write_text(json.dumps(value))
            fresh.replace(note)


def looks(path: Path) -> list[int]:
    """What changes whenever someone writes to a file or puts another one in its place."""
    stat = path.stat()
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
