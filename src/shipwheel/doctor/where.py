"""`Where`: the machine that is looked at, as the checks see it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM_WITHIN = 4.0
"""Seconds for a program that only says its version or state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """`home` is SHIPWHEEL_HOME, `env` the environment, `uid` and `user` who asks; `root` is where the file system begins."""

    home: Path
    env: Mapping[str, str] = field(repr=False)
    uid: int
    user: str
    root: Path = Path("/")

    @property
    def is_root(self) -> bool:
        """Whether root asks, to whom much of what follows does not apply."""
        return self.uid == 0

    def path(self, name: str) -> Path:
        """A file of the machine by its absolute path."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str:
        """What a file says, without the end of the line; empty where it is absent or may not be read."""
        try:
            return self.path(name).read_text("utf-8", errors="replace").strip("\n\0 ")
        except OSError:
            return ""

    def number(self, name: str) -> int | None:
        """What a file says, as a number."""
        text = self.text(name)
        return int(text) if text.isdecimal() else None

    def program(self, name: str) -> str:
        """The path of a program, empty where there is none."""
        return shutil.which(name, path=self.env.get("PATH")) or ""

    def says(self, command: Sequence[str]) -> tuple[int, str, str]:
        """Status, stdout and stderr of a program that is not ours; 124 where it did not end in time."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PROGRAM_WITHIN,
                env=dict(self.env),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, "", f"it did not answer within {PROGRAM_WITHIN:g} seconds"
        except OSError as error:
            return 127, "", str(error.strerror)
        return done.returncode, done.stdout, done.stderr
