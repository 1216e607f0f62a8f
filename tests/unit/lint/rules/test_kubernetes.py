from pathlib import Path

import pytest

from support.linting import Twin

PROBE = "readinessProbe: {httpGet: {path: /ready, port: 8000}}"
LIVE = "livenessProbe: {httpGet: {path: /health, port: 8000}, initialDelaySeconds: 30}"
MEMORY = "resources: {limits: {memory: 2Gi}}"
ONE_GPU = "resources: {limits: {nvidia.com/gpu: 1, memory: 8Gi}}"
TWO_GPUS = "resources: {limits: {nvidia.com/gpu: 2, memory: 8Gi}}"
SHM = "volumeMounts: [{name: shm, mountPath: /dev/shm}]"
TORCH = "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"


def pod(*lines: str, image: str = "app:1", kind: str = "Deployment", more: str = "") -> str:
    """A manifest with one container; `more` stands in the pod."""
    container = "".join(f"          {line}\n" for line in (f"image: {image}", *lines))
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: app}}\nspec:\n"
        f"  selector: {{matchLabels: {{app: a}}}}\n  template:\n    spec:\n{more}"
        f"      containers:\n        - name: main\n{container}"
    )


def memory(size: str) -> str:
    return f"      volumes: [{{name: shm, emptyDir: {{medium: Memory{size}}}}}]\n"


def twin(rule: str, **fields: object) -> Twin:
    return Twin(rule=rule, name="deploy.yaml", **fields)  # type: ignore[arg-type]


CHECKED = "FROM python:3.11-slim\nHEALTHCHECK CMD python check.py\nCMD python app.py\n"
KSERVE = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: m}\nspec:\n  predictor:\n"

TWINS = [
    twin(
        "latest-and-always",
        bad=pod("imagePullPolicy: Always", image="registry.example.com/ml:latest"),
        good=pod("imagePullPolicy: Always", image="registry.example.com/ml:1.2"),
        line=10,
        says="pulled at every start",
    ),
    twin("latest-and-always", bad=pod(image="ml"), good=pod("imagePullPolicy: Never", image="ml:latest"), says="no tag"),
    twin("latest-and-always", bad=pod("imagePullPolicy: IfNotPresent", image="ml:latest"), says="pulled first"),
    twin("latest-and-always", good=pod(image=f"ml@sha256:{'0' * 64}")),
    twin("latest-and-always", good=pod(image="$REGISTRY/ml")),
    twin(
        "latest-and-always",
        bad=pod(image="ml"),
        good=pod(image="ml"),
        good_files={"overlay/kustomization.yaml": "images:\n  - name: ml\n    newTag: '3'\n"},
    ),
    twin(
        "latest-and-always",
        bad="apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec:\n  jobTemplate:\n    spec:\n      template:\n"
        "        spec:\n          containers:\n            - {name: a, image: a}\n",
        line=10,
    ),
    twin(
        "probes-missing", bad=pod("ports: [{containerPort: 8000}]"), good=pod("ports: [{containerPort: 8000}]", PROBE), line=9
    ),
    twin("probes-missing", good=pod()),
    twin("probes-missing", good=pod("ports: [{containerPort: 8000}]", kind="Job")),
    twin("probes-missing", good=pod("ports: [{containerPort: 9090, name: metrics}]")),
    twin(
        "liveness-kills-loading",
        bad=pod(LIVE, ONE_GPU),
        good=pod(LIVE, ONE_GPU, "startupProbe: {httpGet: {path: /health, port: 8000}, failureThreshold: 60}"),
        says="60 s",
    ),
    twin(
        "liveness-kills-loading",
        bad=pod(LIVE, image="model-server:1"),
        good=pod(LIVE.replace("30", "600"), image="model-server:1"),
        line=11,
    ),
    twin("liveness-kills-loading", bad=pod(LIVE, image="vllm/vllm-openai:v0.6.3"), good=pod(LIVE, image="nginx:1.27")),
    twin(
        "shm-emptydir-missing",
        bad=pod("command: [torchrun, --nproc_per_node=2, main.py]", TWO_GPUS, kind="Job"),
        good=pod("command: [torchrun, main.py]", TWO_GPUS, SHM, kind="Job", more=memory(", sizeLimit: 2Gi")),
        line=9,
        says="64 MB",
    ),
    twin(
        "shm-emptydir-missing",
        bad=pod(TWO_GPUS, image="vllm/vllm-openai:v0.6.3"),
        good=pod(MEMORY, image="vllm/vllm-openai:v0.6.3"),
    ),
    twin(
        "shm-emptydir-missing",
        bad=pod("command: [python, train.py]", ONE_GPU, image=TORCH, kind="Job"),
        good=pod("command: [python, train.py]", ONE_GPU, image=TORCH, kind="Job", more="      hostIPC: true\n"),
    ),
    twin("shm-emptydir-missing", good=pod("command: [python, train.py]", TWO_GPUS, image="tensorflow/tensorflow:2.15.0-gpu")),
    twin("shm-emptydir-missing", bad=pod(ONE_GPU, SHM, more=memory("")), says="no sizeLimit"),
    twin(
        "shm-emptydir-missing",
        bad=pod(ONE_GPU, SHM, more=memory(", sizeLimit: 8Gi")),
        good=pod(ONE_GPU, SHM, more=memory(", sizeLimit: 4096Mi")),
        says="may take 8Gi",
    ),
    twin(
        "shm-emptydir-missing",
        bad="apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nmetadata: {name: a}\nspec:\n  pytorchReplicaSpecs:\n    Master:\n"
        "      template:\n        spec:\n          containers:\n            - name: pytorch\n              image: a:1\n"
        "              resources: {limits: {nvidia.com/gpu: 1}}\n",
        line=10,
    ),
    twin(
        "gpu-limit-missing",
        bad=pod("resources: {requests: {nvidia.com/gpu: 1}, limits: {memory: 2Gi}}"),
        good=pod("resources: {requests: {nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: 1}}"),
        says="in no limit",
    ),
    twin(
        "gpu-limit-missing",
        bad=pod("resources: {requests: {nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: 2}}"),
        good=pod("resources: {limits: {nvidia.com/mig-1g.10gb: 1}}", image="nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        says="another number",
    ),
    twin(
        "gpu-limit-missing",
        bad=pod(image="nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        good=pod(image="python:3.11"),
        says="made for",
    ),
    twin(
        "gpu-limit-missing",
        bad=pod("env: [{name: CUDA_VISIBLE_DEVICES, value: '0'}]"),
        good=pod("env: [{name: CUDA_VISIBLE_DEVICES, value: ''}]", image="nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        says="sets CUDA_VISIBLE_DEVICES",
    ),
    twin("gpu-limit-missing", good=pod(image="nvcr.io/nvidia/k8s-device-plugin:v0.17.0", kind="DaemonSet")),
    twin("gpu-limit-missing", good=pod(image=TORCH, more="      resourceClaims: [{name: gpu}]\n")),
    twin(
        "gpu-toleration-missing",
        bad=pod(ONE_GPU),
        good=pod(ONE_GPU, more="      tolerations: [{key: nvidia.com/gpu, operator: Exists}]\n"),
        line=11,
    ),
    twin("gpu-toleration-missing", good=pod(MEMORY)),
    twin("limits-missing", bad=pod("resources: {requests: {memory: 1Gi}}"), good=pod(MEMORY), line=9),
    twin(
        "limits-missing",
        bad=pod(),
        good=pod(),
        good_files={"limits.yaml": "apiVersion: v1\nkind: LimitRange\nmetadata: {name: x}\n"},
    ),
    twin("limits-missing", bad=pod(), good=pod(), good_files={"overlay/patch.yaml": pod(MEMORY)}),
    twin("limits-missing", good=pod().replace("          image: app:1\n", "          env: [{name: A, value: b}]\n")),
    twin("limits-missing", good=pod().replace("  selector: {matchLabels: {app: a}}\n", "")),
    twin("limits-missing", good=KSERVE + "    model: {modelFormat: {name: sklearn}, storageUri: gs://a/b}\n"),
    twin(
        "healthcheck-only",
        bad=pod(image="registry.example.com/team/app:1"),
        good=pod(PROBE, image="registry.example.com/team/app:1"),
        files={"Dockerfile": CHECKED, "build.sh": "docker build -t team/app:1 .\n"},
        says="ignores the HEALTHCHECK of Dockerfile",
    ),
    twin(
        "healthcheck-only",
        bad=pod(image="registry.example.com/api:1"),
        files={"api/Dockerfile": CHECKED, "web/Dockerfile": "FROM nginx:1.27\n"},
        says="api/Dockerfile",
    ),
    twin(
        "healthcheck-only",
        bad=pod(image="api:1"),
        good=pod(image="web:1"),
        files={
            "docker/api.Dockerfile": CHECKED,
            "docker/web.Dockerfile": "FROM nginx:1.27\n",
            "compose.yaml": "services:\n  api:\n    build: {context: ., dockerfile: docker/api.Dockerfile}\n",
        },
        says="api.Dockerfile",
    ),
    twin("healthcheck-only", good=pod(image="redis:7"), files={"Dockerfile": CHECKED, "build.sh": "docker build -t app .\n"}),
    twin(
        "healthcheck-only",
        good=pod(),
        files={"Dockerfile": CHECKED.replace("CMD python check.py", "NONE"), "build.sh": "docker build -t app .\n"},
    ),
    twin("healthcheck-only", good=pod(kind="Job"), files={"Dockerfile": CHECKED, "build.sh": "docker build -t app .\n"}),
    twin(
        "cuda-visible-with-device",
        bad=pod("env: [{name: CUDA_VISIBLE_DEVICES, value: '1'}]", ONE_GPU),
        good=pod("env: [{name: CUDA_VISIBLE_DEVICES, value: '0,1'}]", TWO_GPUS),
        line=11,
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
