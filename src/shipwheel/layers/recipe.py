"""`Recipe`: a layer before it is made: a key of everything that decides its bytes, and a way to its entries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shipwheel.layers.bytecode import Compiler
from shipwheel.oci.layer import FORMAT, MULTI_MEMBER, Form
from shipwheel.oci.tree import Entry

Files = Mapping[str, Path]
"""Verified local files by their sha256 (hex)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One layer to be.

    `created_by` says in a few words what it holds, `inputs` is everything that decides its bytes beside format and compressor,
    `files` the sha256 (hex) of what must be fetched to make it, `entries` makes it.
    `shared` layers hold nothing of the project's own, so that everyone who may read the layer index may have them.
    """

    created_by: str
    inputs: tuple[str, ...]
    files: tuple[str, ...]
    entries: Callable[[Files, Compiler | None], Iterable[Entry]]
    form: Form = MULTI_MEMBER
    shared: bool = False

    @property
    def key(self) -> str:
        """sha256 (hex) of all inputs: the same key is always the same layer."""
        return hashlib.sha256("\0".join((FORMAT, self.form.key, *self.inputs)).encode()).hexdigest()
