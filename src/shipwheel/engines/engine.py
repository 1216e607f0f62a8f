"""What an engine and a container are to the rest: protocols of three methods, and the state of a container as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shipwheel.engines.spec import Port, RunSpec
from shipwheel.oci.copy import Target

STOP_WITHIN = 10.0
"""Seconds between SIGTERM and SIGKILL, as in every engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A container as it stood when it was looked at.

    `exit_code` is None while it runs; `out_of_memory` says that the kernel killed it for memory, `memory` what it may use
    in bytes (0: no limit); `gpus` are those that it was given, as `--gpus` takes them; `error` is the
    engine's own word on a start that failed; `ports` are the published ones with the host's numbers filled in,
    on the machine `host` as seen from here; `notes` are for whoever started it.
    """

    name: str
    image: str
    running: bool
    created: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    memory: int = 0
    gpus: str = ""
    error: str = ""
    ports: tuple[Port, ...] = ()
    host: str = "127.0.0.1"
    notes: tuple[str, ...] = ()


class Watched(Protocol):
    """A container to look at."""

    @property
    def name(self) -> str:
        """As `ps` prints it."""

    def state(self) -> State:
        """As it stands now."""

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """What it wrote to both outputs, in pieces; `follow` goes on until it ends, `tail` starts so many lines back."""


class Container(Watched, Protocol):
    """A container to act on."""

    def exec(self, command: Sequence[str], write: Callable[[bytes], object]) -> int:
        """Run `command` beside its own, its output to `write`; returns its exit status."""

    def stop(self, within: float = STOP_WITHIN) -> None:
        """SIGTERM (or the image's own stop signal), SIGKILL after `within` seconds; done when it has ended."""

    def remove(self) -> None:
        """Forget it, and kill it first where it runs."""


class Engine(Protocol):
    """Something that runs images."""

    @property
    def kind(self) -> str:
        """docker, podman or runc."""

    def target(self) -> Target:
        """Takes images: `copy(image, engine.target(), name)` loads one, sending only what the engine lacks."""

    def run(self, spec: RunSpec) -> Container:
        """Start a container, without waiting for it to answer."""

    def containers(self) -> list[Container]:
        """Those that Shipwheel started, ended ones included, by name."""

    def forget(self, image: str) -> None:
        """Drop an image's name, and what only it needs where the engine does so; nothing where there is none."""
