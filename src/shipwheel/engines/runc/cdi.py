"""Container Device Interface: the devices that this machine's specifications offer (CNCF CDI, SPEC.md, 0.3.0 to 1.1.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from shipwheel.engines.gpus import AMD, NVIDIA, SPECIFY, Gpus
from shipwheel.errors import EngineError
from shipwheel.project.rules import Rule

FOLDERS = ("/etc/cdi", "/var/run/cdi")
"""Where specifications lie, those of a later folder before those of an earlier one ("Overview"; the reference's defaults)."""

_TOOLKITS = {NVIDIA: "the NVIDIA Container Toolkit", AMD: "the AMD Container Toolkit"}

_VERSION = re.compile(r"v?(?:0\.[3-8]|1\.[01])\.\d+")
_KIND = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?/[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_INDEX = re.compile(r"\d+(?::\d+)?")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


_FORM: dict[str, Any] = {"extra": "forbid", "strict": True, "alias_generator": _camel}
"""Unknown fields are an error: what is not understood might be what the device needs ("Released versions", note)."""


def _variable(text: str) -> str:
    if text.find("=") <= 0:
        raise ValueError(f"'{text}' is not NAME=VALUE")
    return text


def _permissions(text: str) -> str:
    if text != "none" and set(text) - set("rwm"):
        raise ValueError(f"'{text}' are no permissions")
    return text


Variables = tuple[Annotated[str, Rule(_variable)], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device file; what it lacks is the host's."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    path: str
    host_path: str = ""
    type: Literal["", "b", "c", "u", "p"] = ""
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    permissions: Annotated[str, Rule(_permissions)] = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or folder of the host."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    host_path: str
    container_path: str
    type: str = ""
    options: tuple[str, ...] = ()


HookName = Literal["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A program of the host that is called as the container comes or goes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    hook_name: HookName
    path: str
    args: tuple[str, ...] = ()
    env: Variables = ()
    timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What changes in a container's config.json ("OCI Edits")."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    env: Variables = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[Mount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    additional_gids: tuple[int, ...] = ()
    intel_rdt: dict[str, Any] | None = None

    def __add__(self, other: Edits) -> Edits:
        lists = [each.name for each in fields(Edits) if each.name != "intel_rdt"]
        joined = {name: getattr(self, name) + getattr(other, name) for name in lists}
        return Edits(**joined, intel_rdt=other.intel_rdt or self.intel_rdt)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    container_edits: Edits = field(default_factory=Edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Specification:
    __pydantic_config__: ClassVar[dict[str, Any]] = _FORM

    cdi_version: str
    kind: str
    devices: tuple[_Device, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    container_edits: Edits = field(default_factory=Edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One that can be asked for by `name` (nvidia.com/gpu=0): its own edits, and those of its `file` for any of its devices."""

    name: str
    file: Path
    own: Edits
    shared: Edits


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What specifications in `folders` offer, by name; `problems` says which could not be used, and why."""

    folders: tuple[Path, ...]
    devices: Mapping[str, Device]
    problems: tuple[str, ...] = ()


def read_offer(folders: Sequence[Path]) -> Offer:
    """The devices of all specifications; of a name in two folders the later one's, in two files of one folder neither's."""
    devices: dict[str, Device] = {}
    problems: list[str] = []
    for folder in folders:
        mine: dict[str, list[Device]] = {}
        for path in _files(folder):
            try:
                for device in tuple(_devices(path)):
                    mine.setdefault(device.name, []).append(device)
            except (OSError, ValueError) as error:
                problems.append(f"{path}: {error}")
        for name, found in mine.items():
            devices.pop(name, None)
            if len(found) == 1:
                devices[name] = found[0]
            else:
                problems.append(f"{name} is in {' and in '.join(str(each.file) for each in found)}")
    return Offer(folders=tuple(folders), devices=devices, problems=tuple(problems))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".yaml") and path.is_file())


def _devices(path: Path) -> Iterator[Device]:
    """Of one file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a specification that we understand.
    """
    import yaml

    try:
        read = _specification(yaml.safe_load(path.read_bytes()))  # JSON is YAML
    except yaml.YAMLError as error:
        raise ValueError(f"neither YAML nor JSON: {str(error).splitlines()[0]}") from None
    if not _VERSION.fullmatch(read.cdi_version):
        raise ValueError(f"its version {read.cdi_version} of the interface is not known here")
    if not _KIND.fullmatch(read.kind):
        raise ValueError(f"'{read.kind}' is not a kind of devices, such as vendor.com/gpu")
    for each in read.devices:
        yield Device(name=f"{read.kind}={each.name}", file=path, own=each.container_edits, shared=read.container_edits)


def _specification(value: object) -> _Specification:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_Specification).validate_json(_json(value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}") from None


def edits_from_json(data: bytes) -> Edits:
    """What `edits_to_json` wrote."""
    from pydantic import TypeAdapter

    return TypeAdapter(Edits).validate_json(data)


def edits_to_json(edits: Edits) -> bytes:
    """For the supervisor, which runs in a process of its own."""
    from pydantic import TypeAdapter

    return TypeAdapter(Edits).dump_json(edits, by_alias=True)


def _json(value: object) -> str:
    """For pydantic, to which lists are tuples only in JSON; YAML's dates stay what no field takes."""
    import json

    return json.dumps(value, default=lambda other: {"value": str(other)})


def merged(devices: Iterable[Device]) -> Edits:
    """Of several devices together: what is for any device of a file is done once."""
    found, seen = Edits(), set()
    for device in devices:
        if device.file not in seen:
            seen.add(device.file)
            found += device.shared
        found += device.own
    return found


def choose(offer: Offer, gpus: Gpus) -> tuple[Device, ...]:
    """The devices that were asked for: of a count the first ones, for all the one that is called so, else every one.

    Raises:
        EngineError: there is none of the kind, or not these.
    """
    prefix = f"{gpus.kind}="
    mine = {name.removeprefix(prefix): device for name, device in offer.devices.items() if name.startswith(prefix)}
    if not mine:
        raise _nothing(offer, gpus.kind)
    each = sorted((name for name in mine if _INDEX.fullmatch(name)), key=lambda name: [*map(int, name.split(":"))])
    each = each or [name for name in mine if name != "all"] or list(mine)
    if gpus.count > len(each):
        raise EngineError(f"{gpus.count} GPUs were asked for, and this machine offers {len(each)}", hint=_known(mine))
    wanted = gpus.devices or (each[: gpus.count] if gpus.count else ["all"] if "all" in mine else each)
    unknown = [name for name in wanted if name not in mine]
    if unknown:
        raise EngineError(f"this machine offers no GPU '{unknown[0]}'", hint=_known(mine))
    return tuple(mine[name] for name in wanted)


def _known(names: Iterable[str]) -> str:
    return f"its CDI specifications name {', '.join(sorted(names))}; 'nvidia-ctk cdi generate' brings them up to date"


def _nothing(offer: Offer, kind: str) -> EngineError:
    said = f" ({'; '.join(offer.problems)})" if offer.problems else ""
    maker = kind if kind in _TOOLKITS else NVIDIA
    return EngineError(
        f"this machine offers no GPUs to containers: no CDI specification of {kind} in "
        f"{' or '.join(map(str, offer.folders))}{said}",
        hint=f"install the GPU's driver and {_TOOLKITS[maker]}, then: {SPECIFY[maker]}; without a GPU leave out --gpus",
    )
