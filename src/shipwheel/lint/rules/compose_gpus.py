"""GPUs in compose files: how they are reserved, and which of them the program sees."""

from __future__ import annotations

from collections.abc import Iterator

from shipwheel.lint.files.compose import environment
from shipwheel.lint.files.subjects import Compose, Node
from shipwheel.lint.files.yaml import items, pairs
from shipwheel.lint.finding import Hit
from shipwheel.lint.rule import Rule
from shipwheel.lint.rules.scripts import CUDA_VISIBLE_WITH_DEVICE, gpus
from shipwheel.lint.serving.services import devices_of, gpus_of
from shipwheel.lint.serving.visible import beyond

GPU_RESERVATION_SYNTAX = Rule(
    key="gpu-reservation-syntax",
    severity="error",
    title="A reservation of GPUs is not as Compose takes it",
    why="Compose refuses the file, or starts the service without a GPU.",
    remedy="Write deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}",
    source="https://docs.docker.com/compose/how-tos/gpu-support/",
)

_KEYS = frozenset({"driver", "count", "device_ids", "capabilities", "options"})
_MISPLACED = (
    (("resources",), "resources stands in the service; Compose looks for it below deploy"),
    (("reservations",), "reservations stands in the service; Compose looks for it below deploy.resources"),
    (("deploy", "reservations"), "reservations stands in deploy; Compose looks for it below deploy.resources"),
    (("deploy", "devices"), "devices stands in deploy; Compose looks for it below deploy.resources.reservations"),
    (("deploy", "resources", "devices"), "devices stands in deploy.resources; Compose looks for it below reservations"),
    (("deploy", "resources", "limits", "devices"), "devices stands in limits; Compose takes it only below reservations"),
)


@GPU_RESERVATION_SYNTAX.check(Compose)
def gpu_reservation_syntax(compose: Compose) -> Iterator[Hit]:
    """What Compose refuses in `deploy.resources.reservations.devices`, `gpus` and `devices` of a service."""
    for service in compose.services.values():
        for path, message in _MISPLACED:
            misplaced = service.get(*path)
            if misplaced and _is_gpu(misplaced):
                yield Hit(span=misplaced.key_span, message=message)
        yield from _list_of_devices(service.get("deploy", "resources", "reservations", "devices"))
        for device in devices_of(service):
            yield from _device(device, capable=True)
        yield from _short(service.get("gpus"))
        yield from _host_devices(service.get("devices"))


def _is_gpu(node: Node) -> bool:
    """Whether a misplaced part is about GPUs: something in it is named nvidia or gpu."""
    texts = [node.text, *(key for key, _ in pairs(node))]
    inner = [*items(node), *(value for _, value in pairs(node))]
    return any(text in ("nvidia", "gpu") for text in texts) or any(map(_is_gpu, inner))


def _list_of_devices(devices: Node | None) -> Iterator[Hit]:
    if devices and isinstance(devices.value, dict):
        yield Hit(span=devices.key_span, message="devices is a mapping; Compose takes a list, `- driver: nvidia`")


def _device(device: Node, *, capable: bool) -> Iterator[Hit]:
    """One request. `capable`: capabilities must be there; `gpus` has its own."""
    if not isinstance(device.value, dict):
        if device.text:
            yield Hit(span=device.span, message=f"{device.text} is no request; Compose takes a mapping with capabilities")
        return
    capabilities, count, ids = device.get("capabilities"), device.get("count"), device.get("device_ids")
    if capabilities is None and capable:
        yield Hit(span=device.key_span, message="the device has no capabilities, which Compose requires: `capabilities: [gpu]`")
    elif capabilities and not all(item.text for item in items(capabilities)):
        yield Hit(span=capabilities.span, message="a capability is no text; Compose takes a list such as `[gpu]`")
    elif capabilities and not isinstance(capabilities.value, list):
        yield Hit(span=capabilities.span, message=f"capabilities is {capabilities.text}; Compose takes a list, `[gpu]`")
    if count and ids:
        yield Hit(span=count.key_span, message="count and device_ids stand together; Compose takes one of them")
    yield from _numbers(count, ids)
    for key, node in pairs(device):
        if key not in _KEYS and not key.startswith("x-"):
            yield Hit(span=node.key_span, message=f"Compose knows no key {key} of a device")


def _numbers(count: Node | None, ids: Node | None) -> Iterator[Hit]:
    text = count.text if count else ""
    if count and text != "all" and "$" not in text and not text.lstrip("-").isdigit():
        yield Hit(span=count.span, message=f"count is {text or 'no number'}; Compose takes a whole number or all")
    if ids and not isinstance(ids.value, list):
        yield Hit(span=ids.span, message=f"device_ids is {ids.text or 'no list'}; Compose takes a list of texts, such as ['0']")
    for item in items(ids):
        if isinstance(item.value, int):
            yield Hit(span=item.span, message=f"the device id {item.text} is a number; Compose takes texts: '{item.text}'")
            return


def _short(node: Node | None) -> Iterator[Hit]:
    """`gpus: all`, or a list of requests."""
    if node is None:
        return
    if isinstance(node.value, list):
        for device in items(node):
            yield from _device(device, capable=False)
    elif node.text != "all" and "$" not in node.text:
        what = node.text or "a mapping"
        yield Hit(span=node.span, message=f"gpus is {what}; Compose takes all, or a list such as `[{{count: 1}}]`")


def _host_devices(devices: Node | None) -> Iterator[Hit]:
    """A request for GPUs among the devices of the host."""
    for device in items(devices):
        if device.get("capabilities") or device.get("device_ids") or (device.get("driver") and not device.get("source")):
            message = "devices of a service are paths of the host; a GPU is reserved below deploy.resources.reservations"
            yield Hit(span=device.key_span, message=message)


@CUDA_VISIBLE_WITH_DEVICE.check(Compose)
def visible_in_service(compose: Compose) -> Iterator[Hit]:
    """A service gets some GPUs and asks for one behind them."""
    for service in compose.services.values():
        given = gpus_of(service)
        visible = dict(environment(service)).get("CUDA_VISIBLE_DEVICES")
        if visible and given:
            index = beyond(visible.text, given)
            if index:
                message = f"CUDA_VISIBLE_DEVICES asks for GPU {index}, and the service has {gpus(given)}"
                yield Hit(span=visible.span, message=message)
