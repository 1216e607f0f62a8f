"""What a service of a compose file runs: its Dockerfile, its GPUs, its shared memory."""

from __future__ import annotations

from shipwheel.lint.dockerfile.stages import Stage
from shipwheel.lint.files.compose import environment, image_of, volumes_of, words_of
from shipwheel.lint.files.subjects import Compose, Node
from shipwheel.lint.files.yaml import items
from shipwheel.lint.images.built import dockerfile_of
from shipwheel.lint.images.names import parse_image
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.serving.sharing import has_torch, needs_none, splits_model, trains
from shipwheel.lint.serving.visible import devices_given


def is_whole(service: Node) -> bool:
    """Whether it says what runs; one that only adds to the service of another file does not."""
    return not service.get("extends") and bool(service.get("image") or service.get("build"))


def stage_of(compose: Compose, service: Node) -> Stage | None:
    """The stage that a service is built from, where its Dockerfile is linted too."""
    found = dockerfile_of(compose, service)
    target = service.text_at("build", "target")
    return (found.stage(target) if target else found.final) if found else None


def gpus_of(service: Node) -> int | None:
    """How many GPUs a service gets: 0 for none, None for all and for what is not known."""
    counts = [_reserved(device) for device in devices_of(service)]
    gpus = service.get("gpus")
    counts += [_reserved(device) for device in items(gpus)]
    if gpus and gpus.text:
        counts.append(None)
    if service.text_at("runtime") == "nvidia" and not counts:
        visible = dict(environment(service)).get("NVIDIA_VISIBLE_DEVICES")
        counts.append(devices_given(f"device={visible.text}") if visible and visible.text != "all" else None)
    return sum(count or 0 for count in counts) if None not in counts else None


def devices_of(service: Node) -> tuple[Node, ...]:
    """What `deploy.resources.reservations.devices` lists."""
    return items(service.get("deploy", "resources", "reservations", "devices"))


def _reserved(device: Node) -> int | None:
    ids = device.get("device_ids")
    if ids and isinstance(ids.value, list):
        return (
            None if any(item.text == "all" or "=" in item.text or "$" in item.text for item in items(ids)) else len(ids.value)
        )
    return devices_given(device.text_at("count"))


def command_of(service: Node) -> tuple[str, ...]:
    """Entrypoint and command as words."""
    return (*words_of(service.get("entrypoint")), *words_of(service.get("command")))


def shares_memory(compose: Compose, service: Node) -> bool:
    """Whether processes of a service pass tensors to each other: training, notebooks, a large model that is split over GPUs.

    A server that has torch is one process; it needs no more than what every container has.
    """
    image = parse_image(image_of(service))
    stage = stage_of(compose, service)
    words = command_of(service) or _own_command(stage)
    on_gpus = gpus_of(service) != 0
    if stage:
        packages = packages_of(stage).by_name
        torch = stage.facts.framework == "pytorch" or "torch" in packages
        other = not torch and bool(_THREADED & packages.keys())
    else:
        torch, other = has_torch(image), needs_none(image)
    if trains(words):
        return torch or (on_gpus and not other)
    return on_gpus and (splits_model(image) or (torch and not _serves(service, words)))


_THREADED = frozenset({"tensorflow", "jax", "scikit-learn", "xgboost", "lightgbm"})


def _serves(service: Node, words: tuple[str, ...]) -> bool:
    """Whether it has a port; notebooks have one and train all the same."""
    ports = service.get("ports") or service.get("expose")
    notebook = any("jupyter" in word for word in (*words, image_of(service), *(item.text for item in items(ports))))
    return ports is not None and not notebook and not any("8888" in item.text for item in items(ports))


def _own_command(stage: Stage | None) -> tuple[str, ...]:
    step = (stage.last("ENTRYPOINT") or stage.last("CMD")) if stage else None
    return tuple(word.text for command in step.commands for word in command.words) if step else ()


def has_room(service: Node) -> bool:
    """Whether /dev/shm is larger than the 64 MB of every container, or the host's."""
    ipc = service.text_at("ipc")
    mounted = any(volume.target.rstrip("/") == "/dev/shm" for volume in volumes_of(service))
    return bool(service.text_at("shm_size")) or ipc == "host" or ipc.startswith(("service:", "container:")) or mounted
