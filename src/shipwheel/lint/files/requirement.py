"""One requirement as pip, conda, apt and their kin write it, as text."""

from __future__ import annotations

import re

from shipwheel.lint.packages.installs import Requested
from shipwheel.lint.source import Span
from shipwheel.project.folder import normalise

_PYTHON = re.compile(r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(.*)", re.DOTALL)
_CONDA = re.compile(r"(?:[\w./:-]*::)?([A-Za-z0-9_][\w.-]*)(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)
_SYSTEM = re.compile(r"([A-Za-z0-9.@_][\w.+@/${}-]*?)(?::\w+)?(?:([=<>~]=?.*)|/[\w-]+)?")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")
_WHEEL = re.compile(r"([A-Za-z0-9_.]+)-([^-/]+)-(?:[^-/]+-)?[^-/]+-[^-/]+-[^-/]+\.whl(?:[?#]|$)")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar|tgz|tar\.(?:gz|bz2|xz))$")

LONG = 2_000
"""Characters; what is longer is no requirement that a person or tool wrote."""


def python_requirement(text: str, span: Span, *, known: bool = True, path: bool = False) -> Requested:
    """PEP 508, a path or an address; `path` where it stands behind --editable."""
    if len(text) > LONG:
        return Requested(name="", span=span, known=False)
    wanted, _, marker = text.partition(";") if "://" not in text else text.partition(" ;")
    wanted, marker = wanted.strip(), marker.strip()
    name, extras, rest = _parts(wanted)
    if name and rest.startswith("@") and not path:
        address = rest[1:].strip()
        return Requested(name=name, span=span, extras=extras, marker=marker, url=address, known=known)
    if path or _is_address(wanted):
        return Requested(name=_name_in(wanted), span=span, extras=_extras(wanted), marker=marker, url=wanted, known=known)
    specifier = rest.strip("() ") if name else ""
    return Requested(name=name, span=span, specifier=specifier, extras=extras, marker=marker, known=known)


def _parts(text: str) -> tuple[str, tuple[str, ...], str]:
    match = _PYTHON.fullmatch(text)
    if not match or (match[3] and match[3][0] not in "=<>!~@(*$"):
        return "", (), text
    return normalise(match[1]), _split(match[2]), match[3]


def _bare(address: str) -> str:
    """An address or a path without `[extra]` behind it."""
    return address[: address.rfind("[")] if address.endswith("]") and "[" in address else address


def _extras(address: str) -> tuple[str, ...]:
    return _split(address[len(_bare(address)) :].strip("[]"))


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _is_address(text: str) -> bool:
    bare = _bare(text)
    return "://" in text or text.startswith((".", "/", "~", "file:", "git+")) or "/" in bare or bool(_ARCHIVE.search(bare))


def _name_in(address: str) -> str:
    """The package's name in `#egg=` or in a wheel's file name."""
    if match := _EGG.search(address):
        return normalise(match[1])
    match = _WHEEL.search(address.rpartition("/")[2])
    return normalise(match[1]) if match else ""


def conda_requirement(text: str, span: Span, *, known: bool = True) -> Requested:
    """A match specification of conda: `channel::name=1.2=build`."""
    match = _CONDA.fullmatch(text.strip()) if len(text) < LONG else None
    if not match or _is_path(text):
        return Requested(name="", span=span, url=text, known=known)
    return Requested(name=normalise(match[1]), span=span, specifier=match[2].strip(), known=known)


def _is_path(text: str) -> bool:
    return text.endswith((".conda", ".tar.bz2")) or ("://" in text and "::" not in text)


def system_requirement(text: str, span: Span, *, known: bool = True) -> Requested:
    """A package of apt, apk or dnf, or the file of one."""
    if text.startswith(("/", "./", "../", "~")) or "://" in text or text.endswith((".deb", ".rpm", ".apk")):
        return Requested(name="", span=span, url=text, known=known)
    match = _SYSTEM.fullmatch(text) if len(text) < LONG else None
    if not match:
        return Requested(name=text, span=span, known=known)
    return Requested(name=match[1], span=span, specifier=match[2] or "", known=known)
