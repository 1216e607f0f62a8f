"""GPUs and shared memory in Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.lint.files.compose import environment
from shipwheel.lint.files.subjects import Manifest, Node, Workload
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.names import facts_of, parse_image
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.scripts import CUDA_VISIBLE_WITH_DEVICE, gpus
from shipwheel.lint.serving.pods import (
    PLUMBING,
    accelerators,
    command_of,
    gpu_count,
    memory_volumes,
    mounts,
    name_of,
    place_of,
    quantity,
    resource,
    visible_devices,
    whole_workloads,
)
from shipwheel.lint.serving.sharing import has_torch, needs_none, splits_model, trains
from shipwheel.lint.serving.visible import beyond

SHM_EMPTYDIR_MISSING = Rule(
    key="shm-emptydir-missing",
    severity="warning",
    title="A pod shares tensors through 64 MB",
    why="Workers of a DataLoader and NCCL pass tensors through /dev/shm, 64 MB in a pod, and part of its memory.",
    remedy="Mount an emptyDir with `medium: Memory` and a sizeLimit at /dev/shm, and make limits.memory larger by that size",
    source="https://kubernetes.io/docs/concepts/storage/volumes/#emptydir",
)

GPU_LIMIT_MISSING = Rule(
    key="gpu-limit-missing",
    severity="warning",
    title="A container for GPUs asks for none",
    why="Only `resources.limits` gives a container a GPU; without it the program runs on the CPU, or the pod is refused.",
    remedy="Set `resources.limits: {nvidia.com/gpu: 1}` (requests are then the same)",
    source="https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
)

GPU_TOLERATION_MISSING = Rule(
    key="gpu-toleration-missing",
    severity="info",
    title="No toleration for the taint of GPU nodes",
    why="Clusters taint nodes with GPUs so that other pods stay away; a pod without the toleration waits for ever.",
    remedy="Add `tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]`",
    source="https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",
)

_TRAINING_KINDS = frozenset({"PyTorchJob", "MPIJob"})
_NO_DEVICES = frozenset({"", "-1", "none", "void", "NoDevFiles"})


@SHM_EMPTYDIR_MISSING.check(Manifest)
def shm_emptydir_missing(manifest: Manifest) -> Iterator[Hit]:
    """Training, or a model split over GPUs, without memory at /dev/shm; or memory there without a bound."""
    for workload in whole_workloads(manifest):
        volumes = memory_volumes(workload)
        for container in workload.containers:
            mount = mounts(container).get("/dev/shm")
            if mount is None:
                if _shares(workload, container) and workload.pod.text_at("hostIPC") != "true":
                    yield Hit(
                        span=place_of(container),
                        message=f"{name_of(workload, container)} has the 64 MB of /dev/shm of every pod",
                    )
            elif (volume := volumes.get(mount.text_at("name"))) is not None:
                yield from _bounded(workload, container, volume)


def _shares(workload: Workload, container: Node) -> bool:
    """Whether its processes pass tensors to each other."""
    image, words, count = parse_image(container.text_at("image")), command_of(container), len(accelerators(container, "limits"))
    if needs_none(image):
        return False
    if workload.kind in _TRAINING_KINDS or trains(words):
        return bool(count) or has_torch(image)
    return (bool(count) and splits_model(image)) or ((gpu_count(container) or 0) > 1 and has_torch(image))


def _bounded(workload: Workload, container: Node, volume: Node) -> Iterator[Hit]:
    """Memory at /dev/shm needs a size, and a limit of the container that is larger."""
    size, limit = volume.get("sizeLimit"), resource(container, "limits", "memory")
    name = name_of(workload, container)
    if size is None:
        yield Hit(
            span=volume.key_span, message=f"/dev/shm of {name} has no sizeLimit; what it holds counts as memory of the pod"
        )
        return
    asked, given = quantity(size), quantity(limit)
    if asked and given and asked >= given:
        message = f"/dev/shm of {name} may take {size.text}, and the container's limit is {limit.text if limit else ''} with it"
        yield Hit(span=size.span, message=message)


@GPU_LIMIT_MISSING.check(Manifest)
def gpu_limit_missing(manifest: Manifest) -> Iterator[Hit]:
    """A request for GPUs without a limit, another number in both, or a container for GPUs that gets none."""
    for workload in whole_workloads(manifest):
        for container in workload.containers:
            requests, limits = dict(accelerators(container, "requests")), dict(accelerators(container, "limits"))
            unequal = next(((name, node) for name, node in requests.items() if _differs(node, limits.get(name))), None)
            if unequal:
                name, node = unequal
                why = "in no limit" if name not in limits else f"another number in limits, {limits[name].text}"
                yield Hit(span=node.key_span, message=f"{name} stands in requests and {why}; Kubernetes refuses the pod")
            elif not limits and (sign := _meant_for_gpus(workload, container)):
                yield Hit(
                    span=place_of(container), message=f"{name_of(workload, container)} {sign}, and no limit asks for a GPU"
                )


def _differs(request: Node, limit: Node | None) -> bool:
    return limit is None or (limit.text != request.text and "$" not in limit.text + request.text)


def _meant_for_gpus(workload: Workload, container: Node) -> str:
    """What says that a container is for GPUs; "" for nothing, for drivers, and where a claim gives them."""
    image = container.text_at("image")
    plumbing = workload.kind == "DaemonSet" or PLUMBING.search(f"{image} {workload.name}")
    if plumbing or workload.pod.get("resourceClaims") or container.get("resources", "claims"):
        return ""
    variables = {name: node.text for name, node in environment(container)}
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        if name in variables:
            return "" if variables[name] in _NO_DEVICES else f"sets {name}"
    facts = facts_of(parse_image(image))
    return f"runs {image}, made for GPUs" if facts.gpu and facts.cuda else ""


@GPU_TOLERATION_MISSING.check(Manifest)
def gpu_toleration_missing(manifest: Manifest) -> Iterator[Hit]:
    """A pod with GPUs that tolerates nothing."""
    for workload in whole_workloads(manifest):
        asked = next((limit for container in workload.containers for limit in accelerators(container, "limits")), None)
        if asked and not workload.pod.get("tolerations"):
            message = f"{workload.name or workload.kind} asks for {asked[0]} and tolerates no taint"
            yield Hit(span=asked[1].key_span, message=message)


@CUDA_VISIBLE_WITH_DEVICE.check(Manifest)
def visible_in_pod(manifest: Manifest) -> Iterator[Hit]:
    """A container asks for a GPU behind those that it gets."""
    for workload in whole_workloads(manifest):
        for container in workload.containers:
            visible, given = visible_devices(container), gpu_count(container)
            index = beyond(visible.text, given) if visible else ""
            if visible and index and given:
                message = f"CUDA_VISIBLE_DEVICES asks for GPU {index}, and the container has {gpus(given)}"
                yield Hit(span=visible.span, message=message)
