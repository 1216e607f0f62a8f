"""Kubernetes: images, probes, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile
from shipwheel.lint.files.subjects import Manifest, Node, Workload
from shipwheel.lint.files.yaml import items
from shipwheel.lint.finding import Hit
from shipwheel.lint.images.built import built_images
from shipwheel.lint.images.names import ImageName, parse_image
from shipwheel.lint.rule import Rule
from shipwheel.lint.serving.pods import (
    PLUMBING,
    accelerators,
    command_of,
    has_limit_range,
    limited_containers,
    name_of,
    place_of,
    renamed_images,
    resource,
    whole_containers,
)
from shipwheel.lint.serving.sharing import splits_model

LATEST_AND_ALWAYS = Rule(
    key="latest-and-always",
    severity="warning",
    title="The image is what stands behind latest at that moment",
    why="Each start of a pod may bring another image: replicas differ, and a rollback has nothing to go back to.",
    remedy="Name a version or, better, a digest: `image: NAME@sha256:...`",
    source="https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy",
)

PROBES_MISSING = Rule(
    key="probes-missing",
    severity="warning",
    title="A server has no readinessProbe",
    why="Without one a pod gets requests as soon as its process runs, while its model is still being loaded.",
    remedy="Add a readinessProbe that asks the path which answers once the model is loaded",
    source="https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
)

LIVENESS_KILLS_LOADING = Rule(
    key="liveness-kills-loading",
    severity="warning",
    title="A livenessProbe without a startupProbe",
    why="A model that takes longer to load than the probe waits is killed and loaded again, for ever.",
    remedy="Add a startupProbe with the same path, `periodSeconds: 10` and `failureThreshold: 60`",
    source="https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/#startup-probe",
)

LIMITS_MISSING = Rule(
    key="limits-missing",
    severity="warning",
    title="A container has no memory limit",
    why="A container that grows takes the memory of the whole node, and the kernel ends whatever it likes there.",
    remedy="Set `resources.limits.memory`, and requests to the same",
    source="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
)

HEALTHCHECK_ONLY = Rule(
    key="healthcheck-only",
    severity="warning",
    title="The image's HEALTHCHECK is the only check",
    why="Kubernetes does not look at HEALTHCHECK: a pod whose server hangs stays in service.",
    remedy="Write what HEALTHCHECK asks as readinessProbe and livenessProbe",
    source="https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
)

SERVING_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "ReplicationController"})
"""Kinds whose pods get requests and no probes from an operator."""

_METRICS = re.compile(r"metric|prom|admin|debug|webhook")
_MODEL = re.compile(
    r"model|infer|predict|serving|llm|embed|whisper|diffusion|triton|ollama|tgi|bert|gpt|llama|transformers|torch|tensorflow"
)
_NO_MODEL = re.compile(r"mlflow|postgres|redis|mysql|mongo|minio|prometheus|grafana|nginx|proxy|gateway|frontend|-ui\b")
_PATIENT, _PATIENT_WITH_GPU = 120, 240
"""Seconds that a livenessProbe may wait before it kills; models for GPUs are larger."""
_DEFAULTED_KINDS = frozenset({"InferenceService", "ServingRuntime", "ClusterServingRuntime"})
"""Kinds whose containers get limits from the configuration of KServe."""


@LATEST_AND_ALWAYS.check(Manifest)
def latest_and_always(manifest: Manifest) -> Iterator[Hit]:
    """`latest` or no tag, pulled at every start; an image that is never pulled, or that kustomize names, is not meant."""
    for _, container in whole_containers(manifest):
        node, policy = container.get("image"), container.text_at("imagePullPolicy")
        image = parse_image(node.text) if node else None
        if node is None or image is None or not image.known or not image.repository or policy == "Never":
            continue
        if image.digest or image.tag not in ("", "latest") or _kustomized(manifest, image):
            continue
        what = f"{node.text} has the tag latest" if image.tag else f"{node.text} has no tag, which means latest"
        how = "each node keeps the one that it pulled first" if policy == "IfNotPresent" else "it is pulled at every start"
        yield Hit(span=node.span, message=f"{what}: {how}")


def _kustomized(manifest: Manifest, image: ImageName) -> bool:
    """Whether a kustomization among the linted files puts another tag or digest in."""
    return image.repository in manifest.workspace.once(renamed_images)


@PROBES_MISSING.check(Manifest)
def probes_missing(manifest: Manifest) -> Iterator[Hit]:
    """A container with a port and no readinessProbe."""
    for workload, container in _servers(manifest):
        if container.get("readinessProbe") is None:
            yield Hit(span=place_of(container), message=f"{name_of(workload, container)} has no readinessProbe")


@LIVENESS_KILLS_LOADING.check(Manifest)
def liveness_kills_loading(manifest: Manifest) -> Iterator[Hit]:
    """A server of a model is killed when it takes longer to start than its livenessProbe waits."""
    for workload, container in whole_containers(manifest):
        probe = container.get("livenessProbe")
        if probe is None or container.get("startupProbe") or not _loads_model(workload, container):
            continue
        initial, period, failures = (_seconds(probe, name, default) for name, default in _DEFAULTS)
        wait = initial + period * failures
        if wait < (_PATIENT_WITH_GPU if accelerators(container, "limits") else _PATIENT):
            message = f"{name_of(workload, container)} is killed when it takes longer than {wait} s to start"
            yield Hit(span=probe.key_span, message=message)


_DEFAULTS = (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3))
"""Of a probe (Kubernetes API, Probe)."""


def _seconds(probe: Node, name: str, default: int) -> int:
    value = probe.text_at(name)
    return int(value) if value.isdigit() else default


def _loads_model(workload: Workload, container: Node) -> bool:
    """Whether it seems to hold a model: it has an accelerator, or its image, name or command speaks of one."""
    image = container.text_at("image")
    words = f"{image} {container.text_at('name')} {workload.name} {' '.join(command_of(container))}".lower()
    if accelerators(container, "limits") or splits_model(parse_image(image)) or workload.kind == "InferenceService":
        return True
    return bool(_MODEL.search(words)) and not _NO_MODEL.search(f"{image} {container.text_at('name')}".lower())


@LIMITS_MISSING.check(Manifest)
def limits_missing(manifest: Manifest) -> Iterator[Hit]:
    """A container without a memory limit, where no LimitRange and no patch among the linted files gives one."""
    if manifest.workspace.once(has_limit_range):
        return
    for workload, container in whole_containers(manifest):
        plumbing = PLUMBING.search(f"{container.text_at('image')} {workload.name}")
        if container.get("image") is None or plumbing or workload.kind in _DEFAULTED_KINDS:
            continue
        pod = workload.pod.get("resources", "limits", "memory")
        if resource(container, "limits", "memory") is None and pod is None and not _patched(manifest, workload, container):
            yield Hit(span=place_of(container), message=f"{name_of(workload, container)} has no memory limit")


def _patched(manifest: Manifest, workload: Workload, container: Node) -> bool:
    """Whether another file gives the same container a limit, as overlays of kustomize do."""
    return (workload.kind, workload.name, container.text_at("name")) in manifest.workspace.once(limited_containers)


@HEALTHCHECK_ONLY.check(Manifest)
def healthcheck_only(manifest: Manifest) -> Iterator[Hit]:
    """A container without probes, of an image that is built here with a HEALTHCHECK."""
    for workload, container in whole_containers(manifest):
        probes = any(container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe"))
        if workload.kind not in SERVING_KINDS or probes:
            continue
        built = _built_here(manifest, parse_image(container.text_at("image")))
        if built:
            message = f"{name_of(workload, container)} has no probe; Kubernetes ignores the HEALTHCHECK of {built.source.name}"
            yield Hit(span=place_of(container), message=message)


def _built_here(manifest: Manifest, image: ImageName) -> Dockerfile | None:
    """The Dockerfile of an image, where it is built here and has a HEALTHCHECK."""
    dockerfile = manifest.workspace.once(built_images).get(image.repository.rpartition("/")[2])
    check = dockerfile.final.last("HEALTHCHECK") if dockerfile and dockerfile.final else None
    return dockerfile if check and check.commands else None


def _servers(manifest: Manifest) -> Iterator[tuple[Workload, Node]]:
    """Containers that get requests: they have a port that is more than one for metrics."""
    for workload, container in whole_containers(manifest):
        ports = [port for port in items(container.get("ports")) if not _METRICS.search(port.text_at("name"))]
        if workload.kind in SERVING_KINDS and ports:
            yield workload, container
