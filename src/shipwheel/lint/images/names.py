"""Names of images, and what is known of well-known ones without pulling them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from shipwheel.lint.tables import table

_MIRRORS = ("public.ecr.aws/docker/library/", "mirror.gcr.io/library/", "mirror.gcr.io/", "registry.hub.docker.com/library/")
"""Registries that hold copies of Docker Hub's images under names of their own."""

_ARCHITECTURES = frozenset(("amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "i386", "ppc64le", "riscv64", "s390x"))
"""Namespaces of Docker Hub in which the official images of one architecture lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """`python:3.11-slim@sha256:...` in parts. `repository` without docker.io/ and library/, with other registries, such as
    "nvcr.io/nvidia/pytorch". `tag` and `digest` are empty where not written; `known` is False where a variable is left in
    it."""

    repository: str
    tag: str = ""
    digest: str = ""
    known: bool = True

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_image(text: str, *, known: bool = True) -> ImageName:
    """The parts of a name; never raises."""
    rest, _, digest = text.partition("@")
    colon = _outside_variables(rest).rfind(":")
    tagged = colon > rest.rfind("/")
    repository, tag = (rest[:colon], rest[colon + 1 :]) if tagged else (rest, "")
    for prefix in ("docker.io/", "index.docker.io/", "registry-1.docker.io/"):
        repository = repository.removeprefix(prefix)
    return ImageName(
        repository=repository.removeprefix("library/"),
        tag=tag,
        digest=digest,
        known=known and "$" not in repository + tag + digest,
    )


def _outside_variables(text: str) -> str:
    """The text with what stands in ${...} blanked, so that `${TAG:-x}` holds no colon."""
    return re.sub(r"\$\{[^}]*\}?", lambda found: "_" * len(found[0]), text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a tag promises. Empty, None or unknown where nothing is known; never a guess.

    `distribution`: "debian", "ubuntu", "alpine", "ubi", "rockylinux", "amazonlinux" ...; `release`: its code name or number
    ("bookworm", "22.04"). `python`: "3.11", "" for none or unknown; `has_python`: None where unknown. `cuda`: "12.1.1", "" for
    none or unknown. `flavour`: "base", "runtime", "devel" of CUDA and PyTorch images. `framework`: "pytorch", "tensorflow",
    "jax" ... that it brings with its version in `framework_version`. `slim`: a Debian or Ubuntu without curl, wget, git and
    compilers. `programs` and `lacks` are names of programs known to be there and not to be there. `user`: its USER, "" for root
    or unknown. `gpu`: whether it is made for NVIDIA GPUs (None unknown). `serves`: it has its own CMD or ENTRYPOINT that
    serves. `floats`: what the tag leaves open ("the Debian release"), "" for nothing or unknown; `release` is then the one that
    the tag had on the date of the table.
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
    floats: str = ""


def facts_of(image: ImageName) -> ImageFacts:
    """What its repository and tag say, by data/lint/images.toml."""
    facts = _facts(well_known(image.repository), image.tag or ("" if image.digest else "latest"))
    if (not image.tag and image.digest) or image.tag.endswith("}") or re.search(r"\$\w+$", image.tag):
        return replace(facts, programs=frozenset(), lacks=frozenset(), slim=False)  # it may be a -slim or -alpine
    return replace(facts, release="") if image.digest and facts.floats else facts


def example_tag(image: ImageName) -> str:
    """A tag of the same image that names its version; "" where the table has none."""
    return str(table("images.toml")["example"].get(well_known(image.repository), ""))


def well_known(repository: str) -> str:
    """The name on Docker Hub of an official image that comes from a mirror or from the namespace of an architecture."""
    for mirror in _MIRRORS:
        if repository.startswith(mirror):
            return repository.removeprefix(mirror)
    owner, _, rest = repository.partition("/")
    return rest if owner in _ARCHITECTURES else repository


@lru_cache(maxsize=4096)
def _facts(repository: str, tag: str) -> ImageFacts:
    facts = ImageFacts()
    for entry in _table().entries:
        if (named := entry.repository.fullmatch(repository)) and (tagged := entry.tag.search(tag)):
            groups = {**named.groupdict(), **tagged.groupdict()}
            facts = _merged(facts, entry, {name: value for name, value in groups.items() if value})
    default = facts.distribution and not facts.release and _default_release(repository, tag, facts.distribution)
    return replace(facts, release=default) if default else facts


@dataclass(frozen=True, slots=True)
class _Entry:
    """Facts of tags: those of the table, and groups of `tag` that bear a fact's name."""

    repository: re.Pattern[str]
    tag: re.Pattern[str]
    values: Mapping[str, Any]
    programs: frozenset[str]
    lacks: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Table:
    entries: tuple[_Entry, ...]
    defaults: Mapping[str, Mapping[str, Any]]


def _merged(facts: ImageFacts, entry: _Entry, groups: Mapping[str, str]) -> ImageFacts:
    """What a later entry says of a program counts."""
    return replace(
        facts,
        **{**entry.values, **groups},
        programs=(facts.programs - entry.lacks) | entry.programs,
        lacks=(facts.lacks - entry.programs) | entry.lacks,
    )


def _default_release(repository: str, tag: str, distribution: str) -> str:
    """The release that tags without one have had since a patch version of the program they are named for."""
    found = re.match(r"(\d+(?:\.\d+)?)(?:\.(\d+))?(?=-|$)", tag)
    releases = _table().defaults.get(repository, {}).get(distribution, {}).get(found[1], {}) if found else {}
    reached = [patch for patch in sorted(map(int, releases)) if not found or not found[2] or patch <= int(found[2])]
    return str(releases[str(reached[-1])]) if reached else ""


@cache
def _table() -> _Table:
    data = table("images.toml")
    return _Table(tuple(_entry(raw, data["programs"]) for raw in data["image"]), data["default"])


def _entry(raw: dict[str, Any], programs: Mapping[str, list[str]]) -> _Entry:
    def names(key: str) -> frozenset[str]:
        return frozenset(name for word in raw.get(key, []) for name in programs.get(word, [word]))

    values = {key: value for key, value in raw.items() if key not in ("repositories", "tag", "programs", "lacks")}
    repositories = re.compile("|".join(raw["repositories"]))
    return _Entry(repositories, re.compile(raw.get("tag", "")), values, names("programs"), names("lacks"))
