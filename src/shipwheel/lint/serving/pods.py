"""What a container of a pod gets: GPUs, memory, probes, mounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.files.compose import environment, words_of
from shipwheel.lint.files.subjects import Manifest, Node, Workload
from shipwheel.lint.files.yaml import items, pairs
from shipwheel.lint.source import Span
from shipwheel.lint.workspace import Workspace

ACCELERATORS = re.compile(r"gpu|mig-|neuron|tpu|habana|dcu|npu|vgpu", re.IGNORECASE)
"""Names of extended resources that are accelerators, such as nvidia.com/mig-1g.10gb."""

PLUMBING = re.compile(
    r"device-plugin|dcgm|gpu-operator|container-toolkit|driver|gpu-feature-discovery|mig-manager|k8s-dra|node-feature-discovery"
)
"""Names of what the makers of GPUs bring into a cluster: it sees GPUs without asking for them, and is installed as it is."""

_UNITS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


_SELECTING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
"""Kinds that must have a selector; one without is a patch of kustomize, which says only what is other."""


def whole_workloads(manifest: Manifest) -> Iterator[Workload]:
    """Workloads that say everything, patches left out."""
    for workload in manifest.workloads:
        if workload.kind not in _SELECTING or workload.document.get("spec", "selector"):
            yield workload


def whole_containers(manifest: Manifest) -> Iterator[tuple[Workload, Node]]:
    """Their containers."""
    return ((workload, container) for workload in whole_workloads(manifest) for container in workload.containers)


def quantity(node: Node | None) -> float | None:
    """A quantity of Kubernetes, such as 512Mi, in bytes or pieces; None for none and for what is not known."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m|k|[KMGTP]i?)?", node.text) if node else None
    return float(found[1]) * _UNITS[found[2] or ""] if found else None


def resource(container: Node, kind: str, name: str) -> Node | None:
    """`resources.limits.memory` and the like."""
    return container.get("resources", kind, name)


def accelerators(container: Node, kind: str) -> tuple[tuple[str, Node], ...]:
    """Accelerators among limits or requests, those of which none are asked for left out."""
    named = pairs(container.get("resources", kind))
    return tuple((name, node) for name, node in named if ACCELERATORS.search(name) and node.text != "0")


def gpu_count(container: Node) -> int | None:
    """How many whole NVIDIA GPUs its limits ask for; None for what is not known."""
    node = resource(container, "limits", "nvidia.com/gpu")
    return int(node.text) if node and node.text.isdigit() else None


def command_of(container: Node) -> tuple[str, ...]:
    """Command and arguments as words."""
    return (*words_of(container.get("command")), *words_of(container.get("args")))


def memory_volumes(workload: Workload) -> dict[str, Node]:
    """Volumes in memory by name, each the node of its emptyDir."""
    found: dict[str, Node] = {}
    for volume in items(workload.pod.get("volumes")):
        name, medium = volume.get("name"), volume.get("emptyDir", "medium")
        empty = volume.get("emptyDir")
        if name and empty and medium and medium.text == "Memory":
            found[name.text] = empty
    return found


def mounts(container: Node) -> dict[str, Node]:
    """Where volumes are mounted: path -> the mount's node."""
    found = ((mount.get("mountPath"), mount) for mount in items(container.get("volumeMounts")))
    return {path.text.rstrip("/"): mount for path, mount in found if path}


def visible_devices(container: Node) -> Node | None:
    """The value of CUDA_VISIBLE_DEVICES."""
    return dict(environment(container)).get("CUDA_VISIBLE_DEVICES")


def name_of(workload: Workload, container: Node) -> str:
    """The container's name, or the workload's."""
    return container.text_at("name") or workload.name or workload.kind


def place_of(container: Node) -> Span:
    """The container's name, or where it begins."""
    name = container.get("name")
    return name.span if name else container.key_span


def renamed_images(workspace: Workspace) -> frozenset[str]:
    """Images whose tag or digest a kustomization puts in; for `Workspace.once`."""
    entries = (entry for file in workspace.all(Manifest) for root in file.documents for entry in items(root.get("images")))
    return frozenset(one.text_at("name") for one in entries if one.get("newTag") or one.get("digest"))


def limited_containers(workspace: Workspace) -> frozenset[tuple[str, str, str]]:
    """Kind, name and container of those with a memory limit; for `Workspace.once`."""
    return frozenset(
        (workload.kind, workload.name, container.text_at("name"))
        for file in workspace.all(Manifest)
        for workload in file.workloads
        for container in workload.containers
        if resource(container, "limits", "memory")
    )


def has_limit_range(workspace: Workspace) -> bool:
    """Whether the cluster gives limits to what has none; for `Workspace.once`."""
    return any(document.text_at("kind") == "LimitRange" for file in workspace.all(Manifest) for document in file.documents)
