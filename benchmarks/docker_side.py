"""The other side: Dockerfiles that good users write, built by buildx and pushed by what pushes fastest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import Engine
from measure import PeakMemory, Ran, run, seconds

IMAGE = "bench/service"
DOCKERFILES = Path(__file__).parent / "dockerfiles"

DOCKER_PUSH, SKOPEO, BUILDX_GZIP, BUILDX_ZSTD = (
    "docker push",
    "docker save + skopeo copy",
    "buildx --push",
    "buildx --push, zstd",
)
CLASSIC = (DOCKER_PUSH, SKOPEO)
"""Ways that push what the classic store holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSide:
    """One Dockerfile on one engine. `registries` has an address for each way to push, so that none profits from another."""

    dockerfile: str
    engine: Engine
    index: str
    registries: Mapping[str, str]

    def reset(self) -> None:
        """Forget images and all build caches, but for the bases."""
        self.engine.docker("buildx", "prune", "--all", "--force")
        names = self.engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        ours = [name for name in names if IMAGE in name and "<none>" not in name]
        if ours:
            self.engine.docker("image", "rm", "--force", *ours)
        self.engine.docker("image", "prune", "--force")

    def build(self, project: Path) -> Ran:
        """To an image that the engine can run."""
        return self._watched(*self._build(project), "--load", "--tag", IMAGE, project)

    def build_and_push(self, project: Path, way: str) -> Ran:
        """To an image in the registry by buildx alone, as the containerd store can."""
        output = f"type=image,name={self.registries[way]}/{IMAGE}:latest,push=true,unpack=false"
        output += ",compression=zstd" if way == BUILDX_ZSTD else ""
        return self._watched(*self._build(project), "--output", output, project)

    def push(self, way: str) -> Ran:
        """Push what was built last."""
        address = f"{self.registries[way]}/{IMAGE}:latest"
        if way == DOCKER_PUSH:
            self.engine.docker("tag", IMAGE, address)
            return self._watched("push", "--quiet", address)
        with PeakMemory(self.engine.pid) as memory:
            took = seconds(lambda: self.save_and_copy(address))
        return Ran(seconds=took, memory=memory.peak, output="")

    def save_and_copy(self, address: str) -> None:
        """What skopeo does for docker-daemon: too, save and copy; skopeo 1.9 itself speaks an API too old for Docker 26."""
        saved = self.engine.folder / "saved.tar"
        self.engine.docker("save", "--output", saved, IMAGE)
        skopeo = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"]
        run([*skopeo, f"docker-archive:{saved}", f"docker://{address}"])
        saved.unlink()

    def _watched(self, *words: str | Path) -> Ran:
        """Run docker; the memory is that of the engine and all below it, for they do the work."""
        with PeakMemory(self.engine.pid) as memory:
            took = seconds(lambda: self.engine.docker(*words))
        return Ran(seconds=took, memory=memory.peak, output="")

    def _build(self, project: Path) -> list[str | Path]:
        words: list[str | Path] = ["buildx", "build", "--quiet", "--network=host", "--provenance=false"]
        words += ["--build-arg", f"UV_DEFAULT_INDEX={self.index}", "--file", DOCKERFILES / f"{self.dockerfile}.Dockerfile"]
        return words
