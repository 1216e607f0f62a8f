"""Everything Shipwheel can refuse, in one tree; `cli` prints any of it as `error:` and `hint:` lines.

ShipwheelError                 exit 1
├── UsageError                 exit 2   a flag or argument that cannot mean anything
├── ConfigError                exit 2   mistakes in pyproject.toml / shipwheel.toml, all at once
├── ProjectError               exit 2   the folder does not say enough, or says two things
├── LockError                  exit 3   the lock is missing, stale, malformed
│   └── StaleLockError
├── ResolveError               exit 4   no version, no wheel, no package, an index that cannot be trusted
├── NetworkError               exit 5   a request that failed for good
├── IntegrityError             exit 6   bytes that are not what was promised
│   ├── WheelError                      a wheel that breaks its specification
│   ├── DebError                        a Debian package that breaks its format
│   └── TreeError                       paths that no layer may hold
├── ImageError                 exit 7   an image that no engine would take
├── StoreError                 exit 7   the local store cannot be read or written
├── VerificationError          exit 9   the model in an image does not give the answers of training
└── EngineError                exit 8   docker, podman or runc said no
    ├── EngineAbsentError
    └── ContainerError                  the container started and died, or never answered
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ShipwheelError(Exception):
    """Base of the tree: one sentence, an optional hint, and fields for `--json`."""

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file: where it stands and what is wrong with it."""

    message: str
    path: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (where, self.path, self.message) if part)


class ProblemsError(ShipwheelError):
    """Several mistakes reported together; `problems` holds each with its place."""

    def __init__(self, message: str, problems: Iterable[Problem] = (), *, hint: str = "", **fields: object) -> None:
        self.problems = tuple(problems)
        lines = [message, *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines), hint=hint, **fields)


class UsageError(ShipwheelError):
    """A flag or an argument that cannot mean anything."""

    exit_status = 2


class ConfigError(ProblemsError):
    """Mistakes in `[tool.shipwheel]` or shipwheel.toml."""

    exit_status = 2


class ProjectError(ProblemsError):
    """The folder does not say what to build, or says two things."""

    exit_status = 2


class LockError(ProblemsError):
    """shipwheel.lock is missing or malformed."""

    exit_status = 3


class StaleLockError(LockError):
    """shipwheel.lock was made from other requirements than the project has now."""


class ResolveError(ShipwheelError):
    """No version, wheel or package satisfies the request, or an index cannot be trusted."""

    exit_status = 4


class NetworkError(ShipwheelError):
    """A request failed for good; fields: method, url (redacted), status, retryable."""

    exit_status = 5


class IntegrityError(ProblemsError):
    """Bytes are not what was promised."""

    exit_status = 6


class WheelError(IntegrityError):
    """A wheel breaks the binary distribution format; all its faults at once."""


class DebError(IntegrityError):
    """A Debian package breaks deb(5)."""


class TreeError(IntegrityError):
    """Paths that no layer may hold: duplicates, escapes, entries below a file."""


class ImageError(ProblemsError):
    """An image that no engine would take."""

    exit_status = 7


class StoreError(ShipwheelError):
    """The local store cannot be read or written."""

    exit_status = 7


class VerificationError(ProblemsError):
    """A model that was built into an image would not become ready there; each reason is a problem."""

    exit_status = 9


class EngineError(ShipwheelError):
    """docker, podman or runc refused."""

    exit_status = 8


class EngineAbsentError(EngineError):
    """No engine of that kind answers on this machine."""


class ContainerError(EngineError):
    """A container started and died, or never answered."""
