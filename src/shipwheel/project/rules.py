"""What a value of the settings must satisfy: plain functions, and the markers through which pydantic calls them.

pydantic takes longer to import than the rest of a build that has nothing to do, so this file declares without it.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shipwheel.errors import ShipwheelError
from shipwheel.oci.blob import Platform
from shipwheel.oci.reference import Reference

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

COMPOSED = "debian"
"""The base that is composed from Debian packages, and no image."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_size(text: str) -> int:
    """`512m`, `2g`, `1.5GB`, `64 MiB` in bytes; as for Docker's flags, k, m and g are powers of 1024.

    Raises:
        ValueError: not of that form.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a size; write it as 512m or 2g")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def size_text(text: str) -> str:
    """A size, kept as it is written."""
    if not parse_size(text):
        raise ValueError("a size must be above 0")
    return text


def image_name(text: str) -> str:
    """A name that a registry takes, without tag and digest."""
    reference = Reference.parse(text)
    if reference.digest or text != str(reference).removesuffix(f":{reference.tag}"):
        raise ValueError(f"'{text}' holds a tag or digest; the tag is given to 'shipwheel build -t'")
    return text


def base_name(text: str) -> str:
    """`debian`, or an image that a registry holds, with its tag, its digest, or both."""
    reference = Reference.parse(text)
    if text != COMPOSED and not reference.digest and not text.endswith(f":{reference.tag}"):
        raise ValueError(f"'{text}' has neither tag nor digest; write {COMPOSED}, or an image as python:3.12-slim")
    return text


def registry_repository(text: str) -> str:
    """A repository with its registry, without tag and digest."""
    if not Reference.parse(image_name(text)).registry:
        raise ValueError(f"'{text}' names no registry; write REGISTRY/REPO, such as registry.example.com/team/layers")
    return text


def python_minor(text: str) -> str:
    """A minor version of Python 3, such as 3.11."""
    if not re.fullmatch(r"3\.\d{1,2}", text):
        raise ValueError(f"'{text}' is not a minor version of Python; write it as \"3.11\"")
    return text


def port_number(value: int) -> int:
    """A TCP port."""
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port; ports go from 1 to 65535")
    return value


def user_number(value: int) -> int:
    """A user id that Linux can hold; its largest one means "none"."""
    if not 0 <= value < 2**32 - 1:
        raise ValueError(f"{value} is not a user id")
    return value


def cpu_count(value: float) -> float:
    """A number of CPUs, fractions allowed."""
    if not 0 < value <= 4096:
        raise ValueError(f"{value} is not a number of CPUs")
    return value


def env_name(text: str) -> str:
    """A name of an environment variable that every shell can set (POSIX, 8.1)."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(f"'{text}' is not a name for an environment variable: letters, digits and _ only")
    return text


def env_value(text: str) -> str:
    """Any text but a NUL, which the kernel takes for the end."""
    if "\0" in text:
        raise ValueError("an environment variable cannot hold a NUL character")
    return text


def debian_package(text: str) -> str:
    """A name of a Debian package (Debian policy, 5.6.1)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", text):
        raise ValueError(f"'{text}' is not the name of a Debian package")
    return text


def port_mapping(text: str) -> str:
    """`HOST:CONTAINER`, or `ADDRESS:HOST:CONTAINER`."""
    match = re.fullmatch(r"(?:(?:\[[0-9a-fA-F:]+\]|[0-9.]+):)?(\d+):(\d+)", text)
    if not match:
        raise ValueError(f"'{text}' is not a port mapping; write HOST:CONTAINER, such as 8080:8000")
    for number in match.groups():
        port_number(int(number))
    return text


def volume_mapping(text: str) -> str:
    """`SOURCE:/target`, or `SOURCE:/target:ro`."""
    if not re.fullmatch(r"[^:]+:/[^:]*(?::r[ow])?", text):
        raise ValueError(f"'{text}' is not a volume; write SOURCE:/path or SOURCE:/path:ro")
    return text


_GPU = r"(?:\d+(?::\d+)?|(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
"""A GPU by its index, a MIG instance by the GPU's and its own (0:1), either by the UUID that `nvidia-smi -L` prints."""


def gpu_selection(text: str) -> str:
    """`all`, how many, `device=0,2`, `none`; a list may also stand alone, or in the quotes that Docker wants around it."""
    chosen = text.strip('"')
    names = chosen.removeprefix("device=").split(",")
    if chosen not in ("all", "none") and not (re.fullmatch(r"(?:device=)?[^=]+", chosen) and _are_gpus(names)):
        raise ValueError(f"'{text}' selects no GPUs; write all, none, how many, or which: device=0,2 or device=GPU-UUID")
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"'{text}' names GPU {twice} twice; name each once")
    if chosen.isdigit() and not int(chosen):
        raise ValueError("0 is how many, and no GPU; write device=0 for the first one, or none")
    return chosen


def _are_gpus(names: list[str]) -> bool:
    return all(re.fullmatch(_GPU, name) for name in names)


def web_address(text: str) -> str:
    """An address of a mirror, without credentials: those come from the environment or netrc."""
    if not re.fullmatch(r"https?://[^/\s]+\S*", text):
        raise ValueError(f"'{text}' is not an http:// or https:// address")
    if "@" in text.split("/")[2]:
        raise ValueError("an address in a file of the project must not hold credentials; use netrc or the environment")
    return text


def relative_path(text: str) -> str:
    """A path below the project's folder."""
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        raise ValueError(f"'{text}' is not a path below the project's folder")
    return text


_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""What both a package index and an address take as a name."""


def one_name(text: str) -> str:
    """A name of a dependency group or extra."""
    if not _PLAIN_NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name")
    return text


def some_text(text: str) -> str:
    """Anything but nothing."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def absolute_path(text: str) -> str:
    """A path in the container."""
    if not text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"'{text}' is not an absolute path in the container")
    return text


def model_name(text: str) -> str:
    """A name that stands in an address (`/v2/models/NAME`) as it is."""
    if not _PLAIN_NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name for a model: letters, digits, '.', '_' and '-'")
    return text


def model_source(text: str) -> str:
    """Where a model is downloaded from, without credentials: every owner of the image could read them."""
    if not re.fullmatch(r"(?:https?|s3|gs)://[^/\s]+/?\S*|file:/\S+", text):
        raise ValueError(f"'{text}' is not an address that starts with http://, https://, s3://, gs:// or file:")
    if "@" in text.partition("://")[2].partition("/")[0] or re.search(r"[?&](?:X-Amz-Signature|sig|token|Signature)=", text):
        raise ValueError("an address in a file of the project must not hold credentials; the container's environment has them")
    return text


def not_negative(value: float) -> float:
    """0 or more."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{value} must be 0 or more")
    return value


def positive(value: float) -> float:
    """More than 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{value} must be over 0")
    return value


def at_least_one(value: int) -> int:
    """A count of something that there must be."""
    if value < 1:
        raise ValueError(f"{value} must be 1 or more")
    return value


def split_command(value: object) -> tuple[str, ...]:
    """A command as one string in shell syntax (no shell runs it), or as a list."""
    parts = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a string or a list of strings")
    if not parts:
        raise ValueError("must not be empty")
    return tuple(parts)


def _as_value_error(apply: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            return apply(value)
        except ShipwheelError as error:
            raise ValueError(f"{error.message}; {error.hint}" if error.hint else error.message) from None

    return checked


@dataclass(frozen=True, slots=True)
class Rule:
    """Marks an annotation: after the type is right, `apply` must accept the value."""

    apply: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """pydantic's hook for annotations."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(_as_value_error(self.apply), handler(source))


@dataclass(frozen=True, slots=True)
class Convert:
    """Marks an annotation whose value is made by `apply` from the JSON that `schema` describes."""

    apply: Callable[[Any], Any]
    schema: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """pydantic's hook for annotations."""
        from pydantic_core import core_schema

        start = core_schema.str_schema(strict=True) if self.schema == "string" else core_schema.any_schema()
        return core_schema.no_info_after_validator_function(_as_value_error(self.apply), start)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """pydantic's hook for JSON Schema."""
        text = {"type": "string"}
        return text if self.schema == "string" else {"anyOf": [text, {"type": "array", "items": text}]}


PLATFORM = Convert(Platform.parse, "string")
COMMAND = Convert(split_command, "string or list")
