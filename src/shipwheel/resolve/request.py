"""`WheelRequest`: what is to be resolved, and what should stay as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shipwheel.lock import PlatformLock
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.target import Target

RUNTIME = "runtime"
"""The kind of requirements that are the runtime's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """Which packages may move: all, those named, or (by default) none that still satisfies the requirements."""

    all: bool = False
    names: frozenset[str] = frozenset()


STAY = Upgrade()
"""Nothing moves."""


def silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelRequest:
    """What to resolve: a project's requirements for one interpreter and platform.

    `root` is the project's folder, `host` the platform that sources can be built on, `previous` the lock that the new one
    should stay near to, `env` the environment for uv (its settings, proxies, certificates, PATH). `extras` are those of the
    runtime, which is then added; None: it is not. `trained` are versions to prefer, because a model was trained with them,
    before those of `previous` if it was `retrained` since. `accelerator` is the setting of that name; `say` is told what was
    decided, in lines for people.
    """

    root: Path
    requirements: Requirements
    target: Target
    host: Platform
    indexes: Indexes
    env: Mapping[str, str] = field(repr=False)
    previous: PlatformLock | None = None
    upgrade: Upgrade = STAY
    extras: tuple[str, ...] | None = None
    trained: Mapping[str, str] = field(default_factory=dict)
    retrained: bool = True
    accelerator: Literal["auto", "cpu", "cuda", "rocm"] = "auto"
    say: Callable[[str], object] = field(default=silent, repr=False)
