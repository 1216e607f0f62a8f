"""From the environment to the registries: docker's and podman's login files, certificates, mirrors, insecure hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shipwheel.cli.context import Context
from shipwheel.registry.registries import Registries


@contextmanager
def open_registries(context: Context) -> Iterator[Registries]:
    """Connections to registries as this user reaches them."""
    del context
    with Registries() as registries:
        yield registries
