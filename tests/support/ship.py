"""`shipwheel` as a user calls it, with a home and an environment of its own, and what it said."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import shipwheel
from shipwheel.oci.image import Image, Index
from shipwheel.oci.store import Store
from shipwheel.oci.validate import validate

PROGRAM = (sys.executable, "-c", "from shipwheel.cli.main import main; main()")
"""Our own interpreter with the package that the tests import, wherever it is installed."""

KEPT = re.compile(r"PATH|SSL_CERT_\w+|GIT_SSL_CAINFO|(?i:https?_proxy|no_proxy)")
"""Of the machine's environment: what it takes to reach the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one command line came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as data."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """What follows `error: `, without the hint."""
        match = re.search(r"^error: (.*?)(?=^hint: |\Z)", self.err, re.MULTILINE | re.DOTALL)
        return match[1].strip() if match else ""

    @property
    def hint(self) -> str:
        """What follows `hint: `."""
        match = re.search(r"^hint: (.*)", self.err, re.MULTILINE)
        return match[1] if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """One user on one machine: `ship("build", ".")` runs it and wants success, `ship.fails(...)` wants an error.

    `inside` runs it in the tests' own process, which is faster and shows leaks; else each call is a process.
    """

    home: Path
    env: Mapping[str, str]
    program: tuple[str, ...] = PROGRAM
    inside: bool = False

    @classmethod
    def at(cls, folder: Path, **env: str) -> Ship:
        """With home folders below `folder` and nothing of the machine's user."""
        kept = {key: value for key, value in os.environ.items() if KEPT.fullmatch(key)}
        home = folder / "home"
        own = {"HOME": str(folder / "user"), "SHIPWHEEL_HOME": str(home), "UV_CACHE_DIR": str(folder / "uv")}
        own["PYTHONPATH"] = str(Path(shipwheel.__file__).parents[1])
        return cls(home=home, env={**kept, **own, **env})

    def having(self, **env: str) -> Ship:
        """The same with other variables."""
        return replace(self, env={**self.env, **env}, home=Path(env.get("SHIPWHEEL_HOME", self.home)))

    def with_a_copy_of_home(self, home: Path) -> Ship:
        """The same with a home of its own that has what this one's has now."""
        subprocess.run(["cp", "-a", "--reflink=auto", self.home, home], check=True)
        return self.having(SHIPWHEEL_HOME=str(home))

    def inside_this_process(self) -> Ship:
        """The same, faster."""
        return replace(self, inside=True)

    def as_a_process(self) -> Ship:
        """The same, each call a process of its own."""
        return replace(self, inside=False)

    def start(self, *words: object, cwd: Path | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start it and leave it running."""
        return subprocess.Popen(
            [*self.program, *map(str, words)], cwd=cwd, env=dict(self.env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def run(self, *words: object, cwd: Path | None = None, **options: Any) -> Said:
        """Run it to its end, whatever that is."""
        if self.inside and not options:
            return self._run_inside([str(word) for word in words], cwd)
        with self.start(*words, cwd=cwd, **options) as process:
            out, err = process.communicate(timeout=600)
        return Said(status=process.returncode, out=out, err=err)

    def __call__(self, *words: object, cwd: Path | None = None, **options: Any) -> Said:
        """Run it; it must succeed."""
        said = self.run(*words, cwd=cwd, **options)
        assert said.status == 0, f"shipwheel {' '.join(map(str, words))} ended with {said.status}\n{said.out}\n{said.err}"
        return said

    def fails(self, status: int, *words: object, cwd: Path | None = None, **options: Any) -> Said:
        """Run it; it must end with `status` and say `error:` and `hint:`, and nothing of Python's."""
        said = self.run(*words, cwd=cwd, **options)
        assert said.status == status, f"shipwheel {' '.join(map(str, words))} ended with {said.status}\n{said.out}\n{said.err}"
        assert "Traceback" not in said.err
        assert said.error, said.err
        assert said.hint, said.err
        return said

    def _run_inside(self, words: list[str], cwd: Path | None) -> Said:
        from shipwheel.cli.main import run

        out, err = io.StringIO(), io.StringIO()
        with ExitStack() as stack:
            for part in (_environment(self.env), chdir(cwd or "."), redirect_stdout(out), redirect_stderr(err)):
                stack.enter_context(part)
            status = run(words)
        return Said(status=status, out=out.getvalue(), err=err.getvalue())

    def build(self, project: Path, *flags: str) -> dict[str, Any]:
        """`build --json`: its data, once the image has passed every check."""
        data: dict[str, Any] = self("build", project, "--json", *flags).json
        image = self.image(data["name"])
        assert str(image.manifest.digest) == data["digest"]
        validate(image)
        return data

    def image(self, name: str) -> Image | Index:
        """An image of the store."""
        return Store(self.home).resolve(name)

    def check_store(self) -> None:
        """Every name in the store stands for a whole, valid image, and nothing half-made has a blob's name."""
        store = Store(self.home)
        for name in store.names():
            validate(store.resolve(name))


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
