"""Names of images, and what is known of well-known ones without pulling them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """`python:3.11-slim@sha256:...` in parts. `repository` without docker.io/ and library/, with other registries, such as
    "nvcr.io/nvidia/pytorch". `tag` and `digest` are empty where not written; `known` is False where a variable is left in it."""

    repository: str
    tag: str = ""
    digest: str = ""
    known: bool = True


def parse_image(text: str, *, known: bool = True) -> ImageName:
    """The parts of a name; never raises."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a tag promises. Empty, None or unknown where nothing is known; never a guess.

    `distribution`: "debian", "ubuntu", "alpine", "ubi", "rockylinux", "amazonlinux" ...; `release`: its code name or number ("bookworm",
    "22.04"). `python`: "3.11", "" for none or unknown; `has_python`: None where unknown. `cuda`: "12.1.1", "" for none or unknown.
    `flavour`: "base", "runtime", "devel" of CUDA and PyTorch images. `framework`: "pytorch", "tensorflow", "jax" ... that it brings with
    its version in `framework_version`. `slim`: a Debian or Ubuntu without curl, wget, git and compilers. `programs` and `lacks` are
    names of programs known to be there and not to be there. `user`: its USER, "" for root or unknown.
    `gpu`: whether it is made for NVIDIA GPUs (None unknown). `serves`: it has its own CMD or ENTRYPOINT that serves.
    """

    distribution: str = ""
    release: str = ""
    python: str = ""
    has_python: bool | None = None
    cuda: str = ""
    flavour: str = ""
    framework: str = ""
    framework_version: str = ""
    slim: bool = False
    programs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    user: str = ""
    gpu: bool | None = None
    serves: bool = False


def facts_of(image: ImageName) -> ImageFacts:
    """What its repository and tag say, by data/lint/images.toml."""
    raise NotImplementedError
