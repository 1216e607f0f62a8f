"""What is in an image from a registry: its Python and its C library, told by config and history alone, no layer fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import basename
from typing import Any

from shipwheel.errors import ProjectError

ASSUMED_GLIBC = 28
"""glibc 2.N of an image that does not show its distribution: what current wheels ask for at least (manylinux_2_28)."""

GLIBC = {
    **{"buster": 28, "bullseye": 31, "bookworm": 36, "trixie": 41},
    **{"ubuntu-18.04": 27, "ubuntu-20.04": 31, "ubuntu-22.04": 35, "ubuntu-24.04": 39},
    **{"rhel-7": 17, "rhel-8": 28, "rhel-9": 34, "rhel-10": 39, "amazon-2": 26, "amazon-2023": 34},
}
"""glibc 2.N of each distribution: which manylinux wheels run on it (PEP 600)."""

_SUITES = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}

_SHOWN = (
    (r"debian\.sh\b.*'(buster|bullseye|bookworm|trixie)'", ""),  # debuerreotype, which makes Debian's official images
    (r"OS_FLAVOUR=debian-(\d+)", "debian"),
    (r"org\.opencontainers\.image\.ref\.name=ubuntu\b[\s\S]*?org\.opencontainers\.image\.version=(\d\d\.\d\d)\b", "ubuntu"),
    (r"com\.redhat\.component=\"?ubi(\d+)|\bname=\"?(?:ubi|rhel)(\d+)|enterprise_linux:(\d+)", "rhel"),
)
"""What history, labels and environment say of the distribution; the group is its version."""

_NAMED = (
    (r"\b(buster|bullseye|bookworm|trixie)\b", ""),
    (r"debian-?(\d\d)", "debian"),
    (r"ubuntu[:-]?(\d\d\.\d\d)", "ubuntu"),
    (r"\b(?:ubi|rockylinux|almalinux|rocky|alma)[:/-]?(\d+)", "rhel"),
    (r"amazonlinux:(2023|2)\b", "amazon"),
)
"""The same of its name and tag, which anyone may have chosen: believed where nothing else speaks."""

_MUSL = r"alpine-minirootfs|alpinelinux\.org|ref\.name=alpine\b"
_MUSL_NAME = r"\balpine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What was found. `python` is 3.12.7, or 3.12; `glibc` the N of 2.N; `distribution` such as bookworm or ubuntu-22.04,
    empty where nothing shows it and `glibc` is assumed."""

    python: str
    interpreter: str
    glibc: int
    distribution: str


def look_inside(config: Mapping[str, Any], base: str, python: str = "", interpreter: str = "") -> Inside:
    """Find Python and the C library of the image `base` in its config (OCI image-spec, config.md).

    `python` (a minor version) and `interpreter` (a path) are what the user says of them.

    Raises:
        ProjectError: no CPython on glibc, or not known where it is, or which.
    """
    facts = _Facts.of(config, base)
    distribution = _distribution(facts)
    folder, version = _python(facts)
    if interpreter:
        named = re.fullmatch(r"python(3\.\d+)", basename(interpreter))
        said = python or (named[1] if named else "")
        version = version if minor(version) == said or not said else said
    elif not folder:
        raise ProjectError(
            f"nothing in the config of {base} says where its Python is",
            hint='name it, as base-python = "/usr/bin/python3.11" under [tool.shipwheel]',
        )
    version = version or python
    if not version:
        raise ProjectError(
            f"nothing in the config of {base} says which Python it has",
            hint='name it, as python = "3.11" under [tool.shipwheel]',
        )
    return Inside(
        python=version,
        interpreter=interpreter or f"{folder}/python{minor(version)}",
        glibc=GLIBC.get(distribution, ASSUMED_GLIBC),
        distribution=distribution,
    )


def minor(version: str) -> str:
    """3.12 of 3.12.7."""
    return ".".join(version.split(".")[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """An image's words for itself: `history` and `labels` one a line."""

    base: str
    env: Mapping[str, str]
    history: str
    labels: str

    @classmethod
    def of(cls, config: Mapping[str, Any], base: str) -> _Facts:
        run, history = config.get("config") or {}, config.get("history") or []
        return cls(
            base=base,
            env=dict(text.partition("=")[::2] for text in run.get("Env") or []),
            history="\n".join(str(entry.get("created_by", "")) for entry in history),
            labels="\n".join(f"{key}={value}" for key, value in sorted((run.get("Labels") or {}).items())),
        )

    @property
    def shown(self) -> str:
        """History first: labels of an image that others build on are often replaced."""
        return "\n".join((self.history, self.labels, *(f"{key}={value}" for key, value in self.env.items())))

    @property
    def path(self) -> list[str]:
        return self.env.get("PATH", "").split(":")


def _distribution(facts: _Facts) -> str:
    found = next(_matches(_SHOWN, facts.shown), "")
    if not found and (re.search(_MUSL, facts.shown) or re.search(_MUSL_NAME, facts.base)):
        raise ProjectError(
            f"{facts.base} is made of Alpine, whose C library (musl) few wheels are made for",
            hint="take its variant on Debian, such as python:3.12-slim, or the debian base",
        )
    return found or next(_matches(_NAMED, facts.base), "")


def _matches(patterns: tuple[tuple[str, str], ...], text: str) -> Iterator[str]:
    """Names of distributions, as `GLIBC` has them."""
    for pattern, kind in patterns:
        if match := re.search(pattern, text):
            version = next(group for group in match.groups() if group)
            name = _SUITES.get(version, version) if kind == "debian" else f"{kind}-{version}" if kind else version
            if name in GLIBC:
                yield name


def _python(facts: _Facts) -> tuple[str, str]:
    """The folder of the interpreter and its version; each empty where it is not known."""
    if "PYPY_VERSION" in facts.env:
        raise ProjectError(
            f"{facts.base} holds PyPy, and images are made for CPython", hint="take python:3.12-slim, or the like"
        )
    version = facts.env.get("PYTHON_VERSION", "")
    version = version if re.fullmatch(r"3\.\d+(\.\d+)?", version) else ""
    if folder := _conda(facts):
        installer = re.search(r"(?:Mini|Ana)conda3-py3(\d+)_", facts.history)
        asked = re.search(r"\bPYTHON_VERSION=[\"']?(3\.\d+(?:\.\d+)?)", facts.history)
        return folder, f"3.{installer[1]}" if installer else version or (asked[1] if asked else "")
    if "/opt/bitnami/python/bin" in facts.path:
        return "/opt/bitnami/python/bin", version or _release(facts.env.get("APP_VERSION", ""))
    if "/var/lang/bin" in facts.path:  # AWS Lambda
        return "/var/lang/bin", version or _release(facts.base.rpartition(":")[2])
    if version:
        return ("/usr/bin" if "/opt/app-root/bin" in facts.path else "/usr/local/bin"), version  # Red Hat's; Docker's own
    return "", ""


def _conda(facts: _Facts) -> str:
    """Where the base environment of a conda image has its programs."""
    if facts.env.get("CONDA_DIR"):
        return f"{facts.env['CONDA_DIR']}/bin"
    return next((folder for folder in facts.path if re.fullmatch(r"/\S*(?:conda|mamba|miniforge)[^/]*/bin", folder)), "")


def _release(text: str) -> str:
    match = re.match(r"3\.\d+(\.\d+)?", text)
    return match[0] if match else ""
