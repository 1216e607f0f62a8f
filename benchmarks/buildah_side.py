"""The other side's faster pusher: buildah, with storage of its own that gets what docker built before any clock runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from docker_side import IMAGE
from engine import Engine
from measure import run


@dataclass(slots=True, kw_only=True)
class BuildahSide:
    """`folder` holds the storage, and with it the cache of what which registry has, as on a user's machine."""

    folder: Path
    engine: Engine
    _ids: dict[str, str] = field(default_factory=dict)
    _current: str = ""

    def bring(self) -> None:
        """Take the image that docker built last, unless it is here already."""
        docker_id = self.engine.docker("image", "inspect", "--format", "{{.Id}}", IMAGE).strip()
        if docker_id not in self._ids:
            self.folder.mkdir(parents=True, exist_ok=True)
            saved = self.folder / "saved.tar"
            self.engine.docker("save", "--output", saved, IMAGE)
            self._ids[docker_id] = run([*self._buildah(), "pull", "--quiet", f"docker-archive:{saved}"]).strip()
            saved.unlink()
        self._current = self._ids[docker_id]

    def push(self, address: str) -> Callable[[], object]:
        """What pushes the image that was brought last."""
        command = [*self._buildah(), "push", "--quiet", "--tls-verify=false", self._current, f"docker://{address}"]
        return partial(run, command)

    def reset(self) -> None:
        """Forget all images."""
        if self.folder.exists():
            run([*self._buildah(), "rmi", "--all", "--force"])
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ids.clear()

    def _buildah(self) -> list[str | Path]:
        storage: list[str | Path] = ["--root", self.folder / "root", "--runroot", self.folder / "run"]
        return ["buildah", *storage, "--storage-driver", "overlay"]
