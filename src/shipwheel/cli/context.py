"""What every verb gets: where things lie, the environment as a value, and how to talk."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from shipwheel.cli.home import user_home
from shipwheel.errors import UsageError
from shipwheel.progress import SILENT, Progress

if TYPE_CHECKING:
    from shipwheel.oci.blob import Descriptor
    from shipwheel.oci.reference import Reference
    from shipwheel.oci.store import Store
    from shipwheel.registry.registries import Registries
    from shipwheel.registry.repository import Repository


class Opened:
    """What a verb opens once and shares."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._registries: Registries | None = None

    def registries(self, env: Mapping[str, str]) -> Registries:
        """The connections, safe to ask for from several threads."""
        with self._lock:
            if self._registries is None:
                from shipwheel.cli.registries import access
                from shipwheel.registry.registries import Registries

                self._registries = self._stack.enter_context(Registries(access(env)))
            return self._registries

    def close(self) -> None:
        """Close everything."""
        self._stack.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Read once from the environment; verbs pass on what the stages below need."""

    home: Path
    env: Mapping[str, str]
    quiet: bool = False
    opened: Opened = field(default_factory=Opened, repr=False, compare=False)

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, quiet: bool = False) -> Context:
        """`SHIPWHEEL_HOME`, else `XDG_CACHE_HOME/shipwheel`, else `~/.cache/shipwheel`."""
        home = env.get("SHIPWHEEL_HOME") or (env.get("XDG_CACHE_HOME") or str(user_home(env) / ".cache")) + "/shipwheel"
        return cls(home=Path(home).expanduser().absolute(), env=dict(env), quiet=quiet)

    @property
    def store(self) -> Store:
        """The local image store; what only registries have it gets from there."""
        from shipwheel.oci.store import Store

        return Store(self.home, fetch=self._from_registry)

    def _from_registry(self, origin: str, descriptor: Descriptor) -> BinaryIO:
        from shipwheel.oci.reference import Reference

        return self.repository(Reference.parse(origin)).open(descriptor)

    def repository(self, reference: Reference) -> Repository:
        """The repository of a reference, at the registry that its name means."""
        return self.registries().repository(reference)

    def registries(self) -> Registries:
        """The connections to registries, opened at the first call and closed with the verb."""
        return self.opened.registries(self.env)

    def close(self) -> None:
        """Close what was opened on the way."""
        self.opened.close()

    def say(self, text: str, *, style: str | None = None) -> None:
        """Talk, on stderr; stdout is for data."""
        if not self.quiet:
            click.secho(text, fg=style, err=True)

    def progress(self) -> Progress:
        """Bars on a terminal, silence elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            return SILENT
        from shipwheel.cli.progress import Bars

        return Bars()


def folder(text: str) -> Path:
    """A project folder that exists.

    Raises:
        UsageError: it does not, or is no folder.
    """
    path = Path(text)
    if not path.is_dir():
        what = "is a file" if path.is_file() else "does not exist"
        raise UsageError(f"'{text}' {what}", hint="give the folder of the project")
    return path


def local_name(text: str) -> str:
    """An image name as the store keeps it, with its tag."""
    from shipwheel.oci.reference import Reference

    return str(Reference.parse(text))


def emit(value: object) -> None:
    """Data on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def human(size: float) -> str:
    """Bytes for people: 512 B, 1.4 kB, 120 MB (powers of 1000, as docker prints)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def known(size: int) -> str:
    """Bytes for people, of what is only known once it was here."""
    return human(size) if size else "?"


def table(rows: Sequence[tuple[str, ...]], header: tuple[str, ...], right: frozenset[int] = frozenset()) -> str:
    """Columns of text; the columns in `right` (from 0) are numbers."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = (
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (header, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)
