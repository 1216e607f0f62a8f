from pathlib import Path

import pytest

from support.linting import Twin, findings

GPU = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}"
TORCH = 'FROM python:3.11\nRUN pip install torch==2.4.0\nCMD ["python", "main.py"]\n'


def service(text: str, *, name: str = "app", more: str = "") -> str:
    """A compose file with one service."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"services:\n  {name}:\n{lines}{more}"


def twin(rule: str, **fields: object) -> Twin:
    return Twin(rule=rule, name="compose.yaml", **fields)  # type: ignore[arg-type]


def devices(request: str) -> str:
    return service(f"image: app:1\ndeploy:\n  resources:\n    reservations:\n      devices:\n        - {request}")


def depends(text: str, *, image: str = "postgres:16", check: str = "", app: str = "image: app:1") -> str:
    return service(f"{app}\ndepends_on: {text}", more=f"  db:\n    image: {image}\n{check}")


CHECK = "    healthcheck:\n      test: pg_isready\n"

TWINS = [
    twin(  # they try again until somebody answers
        "depends-without-health",
        bad=depends("[db]", app="image: app:1"),
        good=depends("[db]", app="image: logstash:9.1.4", image="elasticsearch:9.1.4"),
    ),
    twin(  # latest is 18, which keeps its data one folder higher
        "db-path-outside-volume",
        bad=service("image: postgres\nvolumes: [pg:/var/lib/postgresql/data]", name="db"),
        good=service("image: postgres\nvolumes: [pg:/var/lib/postgresql]", name="db"),
        says="in /var/lib/postgresql, which no named volume holds; its volume is mounted at /var/lib/postgresql/data",
    ),
    twin("db-path-outside-volume", good=service("image: postgres:$TAG\nvolumes: [pg:/var/lib/postgresql/data]", name="db")),
    twin(
        "yaml-syntax", bad="services:\n  app:\n\timage: x:1\n", good="services:\n  app:\n    image: x:1\n", line=3, says="a tab"
    ),
    twin(
        "yaml-syntax",
        bad="services:\n  app:\n    image: a:1\n    image: b:1\n",
        good=service("image: a:1"),
        says="twice",
        line=4,
    ),
    twin("yaml-syntax", bad="services:\n  app: [1\n", good="services:\n  app: &a {image: x:1}\n  b: *a\n", says="no YAML"),
    Twin(
        rule="yaml-syntax",
        name="deploy.yaml",
        bad="apiVersion: v1\nkind: Pod\nspec:\n  a: b: c\n",
        good="apiVersion: v1\nkind: Pod\nspec:\n{{- if .Values.x }}\n  a: b: c\n{{- end }}\n",
        line=4,
    ),
    Twin(rule="yaml-syntax", name=".github/workflows/ci.yml", bad="jobs:\n  a: [\n", good="on: push\njobs:\n  a: ${{ b }}\n"),
    twin(
        "compose-version-key",
        bad="version: '3.8'\n\nservices:\n  app:\n    image: x:1\n",
        good="services:\n  app:\n    image: x:1\n",
        line=1,
        fixed="services:\n  app:\n    image: x:1\n",
    ),
    twin(
        "compose-version-key",
        bad='# ours\r\nversion: "3"\r\nservices:\r\n  app:\r\n    image: x:1\r\n',
        fixed="# ours\r\nservices:\r\n  app:\r\n    image: x:1\r\n",
    ),
    twin(
        "compose-version-key",
        bad="services:\n  app:\n    image: x:1\nversion: '3' # why\n",
        fixed="services:\n  app:\n    image: x:1\nversion: '3' # why\n",
    ),
    Twin(rule="compose-version-key", name="docker-compose.stack.yml", good="version: '3'\nservices:\n  app:\n    image: x:1\n"),
    twin(
        "gpu-reservation-syntax",
        bad=devices("{driver: nvidia, count: 1}"),
        good=devices("{capabilities: [gpu]}"),
        says="no cap",
        line=8,
    ),
    twin(
        "gpu-reservation-syntax",
        bad=devices("{capabilities: gpu}"),
        good=devices("{count: all, capabilities: ['gpu']}"),
        says="list",
    ),
    twin(
        "gpu-reservation-syntax",
        bad=devices("{capabilities: [[gpu]]}"),
        good=devices("{count: '2', capabilities: [gpu]}"),
        says="no text",
    ),
    twin(
        "gpu-reservation-syntax",
        bad=devices("{driver: nvidia, count: 1, device_ids: ['0'], capabilities: [gpu]}"),
        good=devices("{driver: nvidia, device_ids: ['0', '3'], capabilities: [gpu, utility]}"),
        says="together",
    ),
    twin("gpu-reservation-syntax", bad=devices("{device_ids: [0], capabilities: [gpu]}"), says="a number"),
    twin("gpu-reservation-syntax", bad=devices("{device_ids: '0', capabilities: [gpu]}"), says="device_ids is 0"),
    twin(
        "gpu-reservation-syntax",
        bad=devices("{count: many, capabilities: [gpu]}"),
        good=devices("{count: ${GPUS:-1}, capabilities: [gpu]}").replace("${GPUS:-1}", '"${GPUS:-1}"'),
        says="count is many",
    ),
    twin("gpu-reservation-syntax", bad=devices("{capability: [gpu]}"), count=2, says="no capabilities"),
    twin("gpu-reservation-syntax", bad=devices("nvidia"), says="no request"),
    twin(
        "gpu-reservation-syntax",
        bad=service(
            "image: app:1\ndeploy:\n  resources:\n    reservations:\n      devices:\n        driver: nvidia\n        count: 1"
        ),
        good=service(f"image: app:1\n{GPU}"),
        line=7,
        says="a mapping",
    ),
    twin(
        "gpu-reservation-syntax",
        bad=service("image: app:1\nresources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu]}]}}"),
        good=service("image: app:1\ndeploy: {resources: {limits: {memory: 1g}}}"),
        says="below deploy",
    ),
    twin(
        "gpu-reservation-syntax",
        bad=service("image: app:1\ndeploy: {resources: {limits: {devices: [{driver: nvidia, capabilities: [gpu]}]}}}"),
        says="limits",
    ),
    twin(
        "gpu-reservation-syntax",
        bad=service("image: app:1\ngpus: 1"),
        good=service("image: app:1\ngpus: all"),
        says="gpus is 1",
    ),
    twin("gpu-reservation-syntax", good=service("image: app:1\ngpus:\n  - driver: nvidia\n    count: 2")),
    twin(
        "gpu-reservation-syntax",
        bad=service("image: app:1\ndevices:\n  - driver: nvidia\n    capabilities: [gpu]"),
        good=service("image: app:1\ndevices:\n  - /dev/nvidia0:/dev/nvidia0\n  - nvidia.com/gpu=all"),
        says="paths of the host",
    ),
    twin(
        "cuda-visible-with-device",
        bad=service("image: app:1\nenvironment:\n  - CUDA_VISIBLE_DEVICES=1\n" + GPU),
        good=service("image: app:1\nenvironment:\n  - CUDA_VISIBLE_DEVICES=0\n" + GPU),
        line=5,
        says="one GPU",
    ),
    twin(
        "cuda-visible-with-device",
        bad=service(
            f"image: app:1\nenvironment: {{CUDA_VISIBLE_DEVICES: 3}}\n{GPU.replace('count: 1', 'device_ids: [a2, a3]')}"
        ),
        good=service(f"image: app:1\nenvironment: {{CUDA_VISIBLE_DEVICES: 3}}\n{GPU.replace('count: 1', 'count: all')}"),
    ),
    twin("cuda-visible-with-device", good=service("image: app:1\nenvironment: {CUDA_VISIBLE_DEVICES: ''}")),
    twin(
        "cuda-visible-with-device",
        bad=service("image: app:1\nruntime: nvidia\nenvironment: {NVIDIA_VISIBLE_DEVICES: 2, CUDA_VISIBLE_DEVICES: 2}"),
        good=service("image: app:1\nruntime: nvidia\nenvironment: {NVIDIA_VISIBLE_DEVICES: 2, CUDA_VISIBLE_DEVICES: 0}"),
    ),
    twin("cuda-visible-with-device", good=service("image: app:1\nruntime: nvidia\nenvironment: {CUDA_VISIBLE_DEVICES: 1}")),
    twin(
        "depends-without-health",
        bad=depends("[db]"),
        good=depends("{db: {condition: service_healthy}}", check=CHECK),
        line=4,
        says="db",
    ),
    twin("depends-without-health", bad=depends("{db: {condition: service_started}}"), good=depends("[db]", image="other:1")),
    twin(
        "depends-without-health", bad=depends("[db]", image="own-api:1", check=CHECK), good=depends("[db]", image="own-api:1")
    ),
    twin(
        "depends-without-health",
        bad=depends("[db]", image="ghcr.io/mlflow/mlflow:v2.9.2"),
        good=depends("[db]", app="image: adminer:4"),
    ),
    twin("depends-without-health", bad=depends("[db]", image="own:1\n    command: mlflow server --host 0.0.0.0")),
    twin(
        "depends-without-health", good=depends("[db]", app="image: app:1\ncommand: ./wait-for-it.sh db:5432 -- python app.py")
    ),
    twin("depends-without-health", good=depends("[db]", image="own:1", check=CHECK, app="image: prom/prometheus:v3.0.0")),
    twin("depends-without-health", good=depends("{db: {condition: service_completed_successfully}}")),
    twin(
        "depends-without-health",
        bad=depends("{db: {condition: service_healthy}}"),
        good=depends("{db: {condition: service_healthy}}", image="own:1"),
        says="without a healthcheck",
    ),
    twin(
        "depends-without-health",
        bad="x-app: &app\n  image: app:1\n  depends_on: [db]\nservices:\n  a:\n    <<: *app\n  db:\n    image: redis:7\n",
        line=3,
    ),
    twin(
        "shm-missing",
        bad=service(f"image: pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime\ncommand: python train.py\n{GPU}"),
        good=service(f"image: pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime\ncommand: python train.py\nshm_size: 8gb\n{GPU}"),
        line=2,
    ),
    twin(
        "shm-missing",
        bad=service(f"build: .\n{GPU}"),
        good=service(f"build: .\nipc: host\n{GPU}"),
        files={"Dockerfile": TORCH},
    ),
    twin("shm-missing", good=service(f'build: .\nports: ["8000:8000"]\n{GPU}'), files={"Dockerfile": TORCH}),
    twin("shm-missing", bad=service(f'build: .\nports: ["8888:8888"]\n{GPU}'), files={"Dockerfile": TORCH}),
    twin(
        "shm-missing",
        bad=service(f"image: vllm/vllm-openai:v0.6.3\n{GPU}"),
        good=service(f"image: vllm/vllm-openai:v0.6.3\ntmpfs: /dev/shm:size=8g\n{GPU}"),
    ),
    twin("shm-missing", bad=service("image: app:1\ngpus: all\ncommand: [torchrun, --nproc_per_node=2, main.py]")),
    twin("shm-missing", good=service(f"image: tensorflow/tensorflow:2.15.0-gpu\ncommand: python train.py\n{GPU}")),
    twin("shm-missing", good=service("image: own-trainer:1\ncommand: python train.py")),
    twin(
        "no-limits",
        bad=service("image: app:1", more="  b:\n    image: b:1\n"),
        good=service(
            "image: app:1\ndeploy: {resources: {limits: {memory: 2g}}}", more="  b:\n    image: b:1\n    mem_limit: 1g\n"
        ),
        line=2,
        says="app and b have",
    ),
    twin("no-limits", good=service("environment: {A: 1}")),
    twin(
        "db-path-outside-volume",
        bad=service("image: postgres:16"),
        good=service("image: postgres:16\nvolumes: [data:/var/lib/postgresql/data]"),
        says="which no named volume holds",
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: postgres:16\nvolumes: [data:/var/lib/postgres]"),
        good=service("image: postgres:16\nvolumes: [data:/var/lib/postgresql]"),
        line=4,
        says="mounted at /var/lib/postgres",
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: postgres:18\nvolumes: [data:/var/lib/postgresql/data]"),
        good=service("image: postgres:18\nvolumes: [data:/var/lib/postgresql]"),
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: postgres:16\nenvironment: {PGDATA: /pg}\nvolumes: [data:/var/lib/postgresql/data]"),
        good=service("image: postgres:16\nenvironment: [PGDATA=/pg/data]\nvolumes: [data:/pg]"),
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: redis:7\ncommand: redis-server --appendonly yes"),
        good=service("image: redis:7\ncommand: redis-server"),
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: minio/minio:RELEASE.2024-01-01T00-00-00Z\ncommand: server /data --console-address :9001"),
        good=service("image: minio/minio\ncommand: server /data\nvolumes:\n  - {type: bind, source: ./s3, target: /data}"),
    ),
    twin(
        "db-path-outside-volume",
        bad=service("build: .\ncommand: mlflow server --backend-store-uri sqlite:////mlflow/mlflow.db"),
        good=service(
            "build: .\ncommand: mlflow server --backend-store-uri sqlite:////mlflow/mlflow.db\nvolumes: [runs:/mlflow]"
        ),
        says="/mlflow",
    ),
    twin(
        "db-path-outside-volume",
        bad=service("image: ghcr.io/mlflow/mlflow:v2.9.2\ncommand: mlflow server --host 0.0.0.0"),
        good=service("image: ghcr.io/mlflow/mlflow:v2.9.2\ncommand: mlflow server --backend-store-uri postgresql://db/x"),
        says="mlruns",
    ),
    twin("db-path-outside-volume", good=service("image: mongo:7\nvolumes: ['${DATA}']")),
    twin("db-path-outside-volume", good=service("image: postgres:16\nvolumes: [d:/var/lib/postgresql/data/pg]")),
    twin(
        "db-path-outside-volume",
        bad=service("image: influxdb:3-core\ncommand: influxdb3 serve --data-dir=/d"),
        good=service("image: influxdb:3-core\ncommand: influxdb3 serve --data-dir=/d\nvolumes: [d:/d]"),
    ),
    twin("db-path-outside-volume", good=service("image: mysql:8\ntmpfs: /var/lib/mysql")),
    Twin(rule="db-path-outside-volume", name="docker-compose.test.yml", good=service("image: postgres:16")),
    twin(
        "db-path-outside-volume",
        good="services:\n  base:\n    image: qdrant/qdrant:v1.9\n    volumes: [q:/qdrant/storage]\n  q:\n    extends: base\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_a_template_of_a_chart_is_no_broken_yaml(tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: Pod\nspec:\n  {{- toYaml .Values.spec | nindent 2 }}\n"
    assert findings(tmp_path, {"templates/pod.yaml": template}) == ()
