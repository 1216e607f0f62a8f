"""Files of the right kind with values of the wrong shape: rules find something or nothing, and never end in a traceback."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipwheel.lint.files.compose import load_compose
from shipwheel.lint.files.manifest import load_manifest
from shipwheel.lint.files.scripts import load_script, load_workflow
from shipwheel.lint.rule import rules
from shipwheel.lint.source import Source
from shipwheel.lint.workspace import Workspace

WORDS = st.sampled_from(
    ["all", "nvidia", "0", "", "$X", "${A:-b}", "gpu", "db", "app", "Memory", "1Gi", "/dev/shm", "a:b:c", "train.py", "x=y"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(0, 9) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "condition", "disable", "count", "emptyDir", "limits"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SERVICE_KEYS = [
    *("build", "command", "entrypoint", "depends_on", "deploy", "devices", "environment", "extends", "gpus", "healthcheck"),
    *("ipc", "mem_limit", "ports", "runtime", "shm_size", "tmpfs", "volumes", "working_dir"),
]
CONTAINER_KEYS = [
    *("args", "command", "env", "imagePullPolicy", "livenessProbe", "ports", "readinessProbe", "resources", "volumeMounts"),
]
IMAGES = st.sampled_from(["postgres:16", "vllm/vllm-openai", "", "redis", "mlflow", "nvidia/cuda:12.4.1-runtime-ubuntu22.04"])
SERVICE = st.fixed_dictionaries({"image": IMAGES | VALUES}, optional=dict.fromkeys(SERVICE_KEYS, VALUES))
CONTAINER = st.fixed_dictionaries({"name": VALUES, "image": IMAGES | VALUES}, optional=dict.fromkeys(CONTAINER_KEYS, VALUES))
KINDS = st.sampled_from(["Deployment", "Job", "PyTorchJob", "InferenceService"])


def check(subject: object, workspace: Workspace) -> None:
    """Every rule looks at a file."""
    if subject is not None:
        workspace.subjects.append(subject)  # type: ignore[arg-type]
        for rule in rules().values():
            for hit in rule.hits(subject):
                assert hit.message


def source(data: object, name: str) -> Source:
    return Source(name=name, text=json.dumps(data, indent=1))


@settings(deadline=None)
@given(VALUES | st.dictionaries(st.sampled_from(["app", "db", "web"]), SERVICE | VALUES, max_size=3), VALUES)
def test_compose_files(services: object, version: object) -> None:
    workspace = Workspace()
    check(load_compose(source({"version": version, "services": services}, "compose.yaml"), workspace), workspace)


@settings(deadline=None)
@given(
    st.lists(CONTAINER | VALUES, max_size=2), VALUES, st.sampled_from(["Deployment", "Job", "PyTorchJob", "InferenceService"])
)
def test_manifests(containers: list[object], volumes: object, kind: str) -> None:
    pod: Mapping[str, object] = {"containers": containers, "volumes": volumes, "tolerations": volumes}
    spec = {"selector": {}, "template": {"spec": pod}, "predictor": volumes}
    document = {"apiVersion": "v1", "kind": kind, "metadata": volumes, "spec": spec}
    workspace = Workspace()
    check(load_manifest(source(document, "pod.yaml"), workspace), workspace)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_workflows(env: object, run: object) -> None:
    workspace = Workspace()
    written = source({"env": env, "jobs": {"a": {"steps": [{"run": run, "env": env}]}}}, "ci.yml")
    check(load_workflow(written, workspace), workspace)
    check(load_script(written, workspace, "workflow"), workspace)


@pytest.mark.parametrize("kind", ["shell", "document", "makefile"])
@given(text=st.text(alphabet="docker run-=build$ {}()`\"'\n\t#\\|&;<>*") | st.text())
@settings(deadline=None)
def test_scripts(kind: str, text: str) -> None:
    workspace = Workspace()
    check(load_script(Source(name="README.md", text=text), workspace, kind), workspace)  # type: ignore[arg-type]
