"""What BuildKit refuses in a `--mount` of RUN."""

from __future__ import annotations

import re

from shipwheel.lint.wording import did_you_mean

_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_SHARING = ("shared", "private", "locked")
_KEYS = frozenset(
    {"type", "from", "source", "target", "readonly", "id", "sharing", "required", "size", "mode", "uid", "gid"}
) | {
    *("src", "dst", "destination", "ro", "rw", "readwrite", "env"),
}
_BARE = frozenset({"readonly", "ro", "readwrite", "rw", "required"})
_OCTAL = re.compile("[0-7]+")


def mount_refusal(value: str) -> str:
    """Why BuildKit would refuse these options; "" where it would not, and where quotes make them more than a list at commas."""
    if '"' in value:
        return ""
    options: dict[str, str] = {}
    for each in value.split(","):
        name, equals, text = each.partition("=")
        name = name.lower()
        if not equals and name not in _BARE:
            return f"{each[:40]} in --mount must be NAME=value" if name in _KEYS else _unknown(name)
        if name not in _KEYS:
            return _unknown(name)
        options[name] = text
    return _type_refusal(options)


def _unknown(name: str) -> str:
    return f"--mount has no option {name[:40]}{did_you_mean(name, sorted(_KEYS))}"


def _type_refusal(options: dict[str, str]) -> str:
    kind = options.get("type", "bind").lower()
    if "$" in kind:
        return ""
    if kind not in _TYPES:
        return f"--mount=type={kind[:40]} is none of {', '.join(_TYPES)}"
    if (sharing := options.get("sharing")) is not None:
        if kind != "cache":
            return f"sharing is no option of a {kind} mount"
        if sharing.lower() not in _SHARING and "$" not in sharing:
            return f"sharing is one of {', '.join(_SHARING)}"
    if "required" in options and kind not in ("secret", "ssh"):
        return f"required is no option of a {kind} mount"
    if "size" in options and kind != "tmpfs":
        return f"size is no option of a {kind} mount"
    return _owner_refusal(kind, options) or (_secret_refusal(options) if kind == "secret" else "")


def _owner_refusal(kind: str, options: dict[str, str]) -> str:
    for name in ("mode", "uid", "gid"):
        if name not in options:
            continue
        if kind not in ("secret", "ssh", "cache"):
            return f"{name} is no option of a {kind} mount"
        value = options[name]
        fits = _OCTAL.fullmatch(value) if name == "mode" else value.isascii() and value.isdigit()
        if not fits and "$" not in value:
            return f"{name} in --mount must be {'an octal' if name == 'mode' else 'a'} number"
    return ""


def _secret_refusal(options: dict[str, str]) -> str:
    if options.get("from"):
        return "a secret mount takes no from"
    if not options.keys() & {"source", "src", "target", "dst", "destination", "id"}:
        return "a secret mount needs an id or a target"
    if options.keys() & {"source", "src"} and "id" in options:
        return "a secret mount takes id or source, not both"
    return ""
