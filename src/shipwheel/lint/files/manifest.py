"""Kubernetes manifests: every pod specification in them, whichever kind of object it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.files.subjects import Manifest, Node, Workload
from shipwheel.lint.files.yaml import items, pairs, read_yaml, walk
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace

_MARKS = (re.compile(r"^[ \t]*apiVersion[ \t]*:", re.MULTILINE), re.compile(r"^[ \t]*kind[ \t]*:", re.MULTILINE))
_NO_WORKLOADS = frozenset(
    {"CustomResourceDefinition", "ConfigMap", "Secret", "ClusterPolicy", "Policy", "Kustomization", "Kptfile"}
)
_KSERVE_PARTS = ("predictor", "transformer", "explainer")
_KSERVE_MODELS = frozenset(
    {"model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "lightgbm", "paddle", "pmml"}
)


def load_manifest(source: Source, workspace: Workspace) -> Manifest | None:
    """A file of Kubernetes objects, or a kustomization; None for any other YAML and for templates of charts."""
    kustomization = source.path.stem.lower() == "kustomization"
    if not kustomization and not all(mark.search(source.text) for mark in _MARKS):
        return None
    documents = read_yaml(source)
    objects = documents.roots if kustomization else tuple(one for root in documents.roots for one in _objects(root))
    if not objects and not documents.faults:
        return None
    workloads = tuple(workload for document in objects for workload in _workloads(document))
    return Manifest(source=source, workspace=workspace, documents=objects, workloads=workloads, faults=documents.faults)


def _objects(root: Node) -> Iterator[Node]:
    """A document, or the items of a List."""
    if not (root.text_at("apiVersion") and root.text_at("kind")):
        return
    if root.text_at("kind").endswith("List") and root.get("items"):
        yield from items(root.get("items"))
    else:
        yield root


def _workloads(document: Node) -> Iterator[Workload]:
    kind, name = document.text_at("kind"), document.text_at("metadata", "name") or document.text_at("metadata", "generateName")
    if kind in _NO_WORKLOADS:
        return
    spec = document.get("spec")
    for pod in walk(spec) if spec else ():
        containers = _containers(pod)
        if containers:
            yield Workload(kind=kind, name=name, document=document, pod=pod, containers=containers)
    if kind == "InferenceService":
        yield from _models(document, kind, name)


def _containers(pod: Node) -> tuple[Node, ...]:
    """The containers of what looks like a pod specification."""
    found = items(pod.get("containers"))
    return found if all(isinstance(one.value, dict) and (one.get("image") or one.get("name")) for one in found) else ()


def _models(document: Node, kind: str, name: str) -> Iterator[Workload]:
    """KServe's short form: a framework's key instead of containers."""
    for part in _KSERVE_PARTS:
        pod = document.get("spec", part)
        if pod is None or pod.get("containers"):
            continue
        models = tuple(node for key, node in pairs(pod) if key in _KSERVE_MODELS and isinstance(node.value, dict))
        if models:
            yield Workload(kind=kind, name=name, document=document, pod=pod, containers=models)
