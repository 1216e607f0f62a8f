"""`Progress`: what long work tells whoever shows it; the default shows nothing."""

from __future__ import annotations

from typing import Protocol


class Task(Protocol):
    """One bar. Called from any thread."""

    def advance(self, amount: int) -> None:
        """So many more of the units that `start` counted; bytes nearly everywhere."""

    def done(self) -> None:
        """It ended, well or not."""


class Progress(Protocol):
    """Hands out bars."""

    def start(self, name: str, total: int) -> Task:
        """A new bar; `total` 0 means that nobody knows how much it will be."""


class Silent:
    """Progress that nobody watches; its own only bar."""

    def start(self, name: str, total: int) -> Task:
        """The same silence for every name."""
        del name, total
        return self

    def advance(self, amount: int) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""


SILENT = Silent()
