"""Our side: `shipwheel build` and `push`, as a user types them, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from measure import Ran, log, run, watch
from projects import BIN, CHANGES, FIRST, Project

SHIPWHEEL = BIN / "shipwheel"
NAME = "bench/shipwheel"
LOCK = "shipwheel.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipwheelSide:
    """`home` is shipwheel's data, `url` serves wheels and Debian packages, `docker_host` is the engine of `--to docker`."""

    home: Path
    url: str
    docker_host: str

    def lock(self, project: Project, kept: Path) -> None:
        """Lock the project as it is after each change, before any clock runs: the Dockerfiles' requirements are locked too."""
        kept.mkdir(parents=True, exist_ok=True)
        for change in (FIRST, *CHANGES):
            project.apply(change, 0)
            log(f"locking {project.name}: {change}")
            (project.folder / LOCK).unlink(missing_ok=True)
            run([SHIPWHEEL, "-q", "lock", project.folder], env=self._env())
            shutil.copy(project.folder / LOCK, kept / f"{change.replace(' ', '-')}.lock")

    def apply(self, project: Project, change: str, kept: Path) -> None:
        """Put the lock of a change into the folder."""
        shutil.copy(kept / f"{change.replace(' ', '-')}.lock", project.folder / LOCK)

    def reset(self, *folders: Path) -> None:
        """Forget everything: layers, images, downloads."""
        for folder in (self.home, *folders):
            shutil.rmtree(folder, ignore_errors=True)

    def build(self, project: Path, to: str, *flags: str) -> Ran:
        """Build and give the image to `to`; to the store alone where that is empty."""
        places = ["--to", to] if to else []
        return watch([SHIPWHEEL, "-q", "build", project, "-t", NAME, *places, *flags], env=self._env())

    def push(self, source: str | Path, address: str) -> Callable[[], object]:
        """What pushes an image of the store, or a project's folder, built first."""
        return partial(run, [SHIPWHEEL, "-q", "push", source, address], env=self._env())

    def describe(self, project: Path, *flags: str) -> dict[str, Any]:
        """What `build --json` says of the image."""
        return dict(json.loads(run([SHIPWHEEL, "-q", "build", project, "-t", NAME, "--json", *flags], env=self._env())))

    def _env(self) -> Mapping[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))},
            "SHIPWHEEL_HOME": str(self.home),
            "UV_DEFAULT_INDEX": f"{self.url}/simple/",
            "SHIPWHEEL_DEBIAN_MIRROR": f"{self.url}/debian",
            "SHIPWHEEL_DEBIAN_SECURITY_MIRROR": f"{self.url}/debian-security",
            "DOCKER_HOST": self.docker_host,
        }
