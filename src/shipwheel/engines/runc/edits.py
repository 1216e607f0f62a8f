"""The edits of CDI devices, made to a bundle's config.json (CNCF CDI, SPEC.md, "OCI Edits"; OCI runtime-spec 1.0)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from shipwheel.engines.runc.cdi import DeviceNode, Edits, Hook, Mount
from shipwheel.engines.runc.userns import is_mapped
from shipwheel.errors import EngineError

_TYPES = {stat.S_IFBLK: "b", stat.S_IFCHR: "c", stat.S_IFIFO: "p"}


def edit(config: dict[str, Any], edits: Edits, *, nested: bool) -> None:
    """Change `config` in place; `nested`: in a user namespace of ours, which lets nobody make device nodes.

    Raises:
        EngineError: a device that it names is not on this machine.
    """
    process, linux = config["process"], config["linux"]
    names = {pair.partition("=")[0] for pair in edits.env}
    process["env"] = [pair for pair in process["env"] if pair.partition("=")[0] not in names] + list(edits.env)
    for node in edits.device_nodes:
        if nested:
            _put(config["mounts"], "destination", _bound(node))
        else:
            made = _made(node, process["user"])
            _put(linux.setdefault("devices", []), "path", made)
            linux["resources"]["devices"] += _rules(node, made)
    for mount in edits.mounts:
        _put(config["mounts"], "destination", _mount(mount))
    for hook in edits.hooks:
        config.setdefault("hooks", {}).setdefault(hook.hook_name, []).append(_hook(hook))
    groups = [gid for gid in edits.additional_gids if gid and (not nested or is_mapped(gid))]
    if groups:
        process["user"]["additionalGids"] = groups
    if edits.intel_rdt:
        linux["intelRdt"] = edits.intel_rdt


def _put(entries: list[dict[str, Any]], key: str, entry: dict[str, Any]) -> None:
    """Behind the others, in place of one for the same path."""
    entries[:] = [each for each in entries if each[key] != entry[key]] + [entry]


def _made(node: DeviceNode, user: dict[str, int]) -> dict[str, Any]:
    """An entry of `linux.devices`; the container's own user owns it where the specification does not say who does."""
    source = Path(node.host_path or node.path)
    try:
        found = source.lstat()
    except OSError:
        found = None
    kind = node.type or (_TYPES.get(stat.S_IFMT(found.st_mode)) if found else None)
    if not kind or not (found or node.major or kind == "p"):
        raise _absent(source)
    made: dict[str, Any] = {"path": node.path, "type": kind}
    if kind != "p":
        device = found.st_rdev if found else 0
        made |= (
            {"major": node.major, "minor": node.minor} if node.major else {"major": os.major(device), "minor": os.minor(device)}
        )
    mode = node.file_mode if node.file_mode is not None else (stat.S_IMODE(found.st_mode) if found else None)
    owner = {"uid": user["uid"] if node.uid is None else node.uid, "gid": user["gid"] if node.gid is None else node.gid}
    return made | ({} if mode is None else {"fileMode": mode}) | owner


def _rules(node: DeviceNode, made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the control group must allow; of a node only block and character devices."""
    if made["type"] not in "bc":
        return []
    access = {"": "rwm", "none": ""}.get(node.permissions, node.permissions)
    return [{"allow": True, "type": made["type"], "major": made["major"], "minor": made["minor"], "access": access}]


def _bound(node: DeviceNode) -> dict[str, Any]:
    """The host's own node, for whoever may open it there."""
    source = node.host_path or node.path
    if not os.path.lexists(source):
        raise _absent(Path(source))
    return {
        "destination": node.path,
        "type": "bind",
        "source": source,
        "options": ["bind", "rprivate", "nosuid", "noexec", "rw"],
    }


def _absent(path: Path) -> EngineError:
    return EngineError(
        f"a CDI specification names {path}, which is no device of this machine",
        hint="the driver has changed, or is not loaded: run nvidia-smi, then 'nvidia-ctk cdi generate' again",
    )


def _mount(mount: Mount) -> dict[str, Any]:
    """A bind mount, where neither type nor options say otherwise."""
    bound = {"bind", "rbind"} & set(mount.options)
    options = list(mount.options) if bound or mount.type else ["rbind", *mount.options]
    return {
        "destination": mount.container_path,
        "type": mount.type or "bind",
        "source": mount.host_path,
        "options": options,
    }


def _hook(hook: Hook) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": hook.path, "args": list(hook.args), "env": list(hook.env), "timeout": hook.timeout}
    return {key: value for key, value in entry.items() if value}
