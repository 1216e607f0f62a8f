"""Copies out of object stores: `aws s3 cp`, `gsutil rsync`, `azcopy copy` ..."""

from __future__ import annotations

from shipwheel.lint.shell.command import Command
from shipwheel.lint.word import Word

STORES = ("aws", "gsutil", "gcloud", "s5cmd", "azcopy")
"""Programs of object stores."""
_COPIES = ("cp", "sync", "rsync", "copy", "mv")


def copied_from_store(command: Command) -> tuple[Word, ...]:
    """The address that is copied from, and where to as far as it is said; empty for what copies nothing out of a store."""
    words = [word for word in command.arguments if not word.text.startswith("-")]
    verb = next((at for at, word in enumerate(words) if word.text in _COPIES), None)
    places = tuple(words[verb + 1 : verb + 3]) if command.program in STORES and verb is not None else ()
    return places if places and "://" in places[0].text else ()
