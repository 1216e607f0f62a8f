"""`ImageNeeds`: what an image says that it needs of GPUs and shared memory, by the labels of a build and those of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from shipwheel.engines.gpus import AMD, Gpus
from shipwheel.engines.spec import Limits, parse_size
from shipwheel.errors import UsageError
from shipwheel.oci.image import Image, Index, images_of, read_json
from shipwheel.plan import LABELS, SHM_LABEL

CUDA_LABEL = f"{LABELS}cuda"
ROCM_LABEL = f"{LABELS}rocm"

_OTHERS = ("NVIDIA_REQUIRE_CUDA", "CUDA_VERSION")
"""Variables of images that others built with CUDA."""

_NARROWING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Variables by which a process narrows down the GPUs that it sees, by their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNeeds:
    """Versions of CUDA and ROCm in an image, bytes of /dev/shm that suit it (0: nothing said), and its variables."""

    cuda: str = ""
    rocm: str = ""
    shm_size: int = 0
    env: Mapping[str, str]

    @classmethod
    def of(cls, image: Image | Index) -> ImageNeeds:
        """Of an image, of an index the first (OCI image-spec, config.md, "Labels" and "Env")."""
        config = read_json(images_of(image)[0].config)
        said = (config.get("config") if isinstance(config, dict) else None) or {}
        labels = said.get("Labels") or {}
        size = 0
        with suppress(UsageError):
            size = parse_size(str(labels.get(SHM_LABEL, "")), SHM_LABEL)
        env = dict(pair.split("=", 1) for pair in said.get("Env") or () if "=" in pair)
        return cls(cuda=labels.get(CUDA_LABEL, ""), rocm=labels.get(ROCM_LABEL, ""), shm_size=size, env=env)

    def gpus(self, text: str | None, env: Mapping[str, str]) -> Gpus | None:
        """Those that `--gpus`, or the setting, asks for; `env` are the container's own variables.

        Raises:
            UsageError: not of its form; or a variable narrows down the same GPUs by other numbers.
        """
        found = Gpus.parse(text) if text else None
        narrowing = next((name for name in _NARROWING if name in {**self.env, **env}), "")
        if found and found.selects and narrowing:
            raise UsageError(
                f"{narrowing} and a selection of GPUs exclude each other: inside, the selected ones are numbered anew from 0",
                hint=f"leave out {narrowing}, or choose with it alone and run with --gpus all",
            )
        return replace(found, kind=AMD) if found and self.rocm else found

    def remarks(self, text: str | None) -> Iterator[str]:
        """On what was asked for, or was not."""
        holds = f"CUDA {self.cuda}" if self.cuda else f"ROCm {self.rocm}" if self.rocm else ""
        if holds and not text:
            yield f"it holds {holds}; --gpus all gives it the GPUs"
        if text and text != "none" and not holds and not any(name in self.env for name in _OTHERS):
            yield "it gets GPUs, but nothing in it is known to use them"

    def limits(self, limits: Limits) -> Limits:
        """With the /dev/shm that suits the image where nothing else is said: at most half of the memory, in which it counts."""
        if limits.shm_size or not self.shm_size:
            return limits
        return replace(limits, shm_size=min(self.shm_size, limits.memory // 2) if limits.memory else self.shm_size)
