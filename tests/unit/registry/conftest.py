"""A registry in process, and connections to it that do not wait long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from shipwheel.http import Limits
from shipwheel.oci.reference import Reference
from shipwheel.registry.logins import Login, Logins
from shipwheel.registry.registries import Access, Registries
from shipwheel.registry.repository import Repository
from support.registry import Served, registry

FAST = Limits(connect=2, stall=1, attempts=3, backoff=0.01, longest_wait=0.05)

Connect = Callable[..., Repository]


@pytest.fixture
def served() -> Iterator[Served]:
    with registry() as running:
        yield running


@pytest.fixture
def connect(served: Served) -> Iterator[Connect]:
    """Opens a repository with connections of its own: as joe, unless told otherwise."""
    with ExitStack() as stack:

        def made(name: str = "team/app", login: Login | None = None, **access: object) -> Repository:
            login = login or Login(user="joe", password="secret")
            given = Access(logins=Logins(given={served.host: login}), limits=FAST, **access)  # type: ignore[arg-type]
            return stack.enter_context(Registries(given)).repository(Reference.parse(f"{served.host}/{name}"))

        yield made
