"""Secrets in variables."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim-bookworm\n"
GENERATED = "9f86d081884c7d659a2feaa0c55ad015"
SERVICE = "services:\n  api:\n    image: api:1\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: api}\nspec:\n  containers:\n  - name: api\n    image: api:1\n    env:\n"
STEP = "    - uses: docker/build-push-action@v6\n      with:\n        build-args: "
JOB = "on: push\njobs:\n  build:\n    runs-on: ubuntu-24.04\n    steps:\n"

ENV = [
    Twin(
        rule="secret-env",
        bad=BASE + "ENV A=1 \\\n    HF_TOKEN=hf_abcDEF1234567890\n",
        good=BASE + "ENV MAX_TOKENS=512 TOKENIZERS_PARALLELISM=false TOKEN_FILE=/run/secrets/token EOS_TOKEN=</s>\n",
        line=3,
        says="HF_TOKEN",
    ),
    Twin(
        rule="secret-env",
        bad=BASE + "ARG WANDB_API_KEY\nENV WANDB_API_KEY=$WANDB_API_KEY\n",
        good=BASE + 'ENV OPENAI_API_KEY="" VLLM_API_KEY=EMPTY HF_TOKEN=$HF_TOKEN POSTGRES_PASSWORD_FILE=/run/secrets/pw\n',
        line=3,
        says="from a build argument",
    ),
    Twin(
        rule="secret-env",
        bad=BASE + "ENV OPENAI_API_KEY your-key-here\n",
        good=BASE + "ENV OPENAI_API_BASE=https://api.openai.com/v1 GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305\n",
        says="a placeholder now",
    ),
    Twin(
        rule="secret-env",
        bad=BASE + "ENV DATABASE_URL=postgresql://svc:g0rd0n1!x@db:5432/app\n",
        good=BASE + "ENV DATABASE_URL=postgresql://svc:${PW}@db:5432/app\n",
        says="DATABASE_URL",
    ),
    Twin(rule="secret-env", bad=BASE + "ENV POSTGRES_PASSWORD=pass\n", good=BASE + "ENV MYSQL_ALLOW_EMPTY_PASSWORD=yes\n"),
    Twin(rule="secret-env", bad=BASE + f"ENV X=ghp_{GENERATED}\n", good=BASE + "ENV X=sha-9f86d081884c7d659\n"),
    Twin(
        rule="secret-env",
        name="compose.yaml",
        bad=SERVICE + f"    environment:\n      MODE: prod\n      API_KEY: {GENERATED}\n",
        good=SERVICE
        + "    environment:\n      API_KEY: ${API_KEY}\n      POSTGRES_PASSWORD: postgres\n      MINIO_ROOT_PASSWORD: minio1\n",
        line=6,
        says="service api has API_KEY written down",
    ),
    Twin(
        rule="secret-env",
        name="compose.yaml",
        bad=SERVICE + f"    environment:\n      - HF_TOKEN=hf_{GENERATED}\n",
        good=SERVICE
        + "    environment:\n      - HF_TOKEN\n      - HF_TOKEN2=${HF_TOKEN:-}\n      - PG_PASSWORD_FILE=/run/secrets/pg\n",
        line=5,
    ),
    Twin(
        rule="secret-env",
        name="pod.yaml",
        bad=POD + f"    - name: AWS_SECRET_ACCESS_KEY\n      value: {GENERATED}\n",
        good=POD
        + "    - name: HF_TOKEN\n      valueFrom: {secretKeyRef: {name: a}}\n    - {name: DB_PASSWORD, value: changeme}\n",
        says="AWS_SECRET_ACCESS_KEY",
        line=9,
    ),
    Twin(
        rule="secret-env",
        name=".github/workflows/ci.yml",
        bad=f"env:\n  HF_TOKEN: hf_{GENERATED}\n" + JOB + "    - run: make\n",
        good="env:\n  HF_TOKEN: ${{ secrets.HF_TOKEN }}\n  POSTGRES_PASSWORD: postgres\n" + JOB + "    - run: make\n",
        line=2,
    ),
]
ARG = [
    Twin(
        rule="secret-arg",
        bad=BASE + "ARG HF_TOKEN\nRUN hf download a/b\n",
        good=BASE + "ARG MAX_TOKENS=1\nRUN --mount=type=secret,id=hf,env=HF_TOKEN hf download a/b\n",
        line=2,
        says="HF_TOKEN",
    ),
    Twin(
        rule="secret-arg",
        bad="ARG GITHUB_TOKEN\nFROM a AS b\nARG GITHUB_TOKEN\nFROM c\nARG GITHUB_TOKEN=x\n",
        good=BASE + "ARG TOKENIZER_NAME\nARG USE_TOKEN=false\nARG SECRET_NAME\n",
        line=1,
    ),
    Twin(
        rule="secret-arg",
        bad=BASE + "ARG PIP_INDEX_URL=https://ci:k8sPullZ3cret@pypi.example.org/simple\n",
        good=BASE + "ARG PIP_INDEX_URL=https://pypi.example.org/simple\n",
    ),
]
BUILD_ARG = [
    Twin(
        rule="build-arg-secret",
        name="build.sh",
        bad="docker build --build-arg HF_TOKEN=$HF_TOKEN -t a .\n",
        good="docker build --secret id=hf,env=HF_TOKEN --build-arg MAX_TOKENS=5 -t a .\n",
        says="HF_TOKEN",
    ),
    Twin(
        rule="build-arg-secret",
        name="build.sh",
        bad="docker buildx build --build-arg=API_KEY=x . --push\n",
        good="docker run -e API_KEY a\n",
    ),
    Twin(
        rule="build-arg-secret",
        name="compose.yaml",
        bad="services:\n  a:\n    build:\n      context: .\n      args:\n        HF_TOKEN: ${HF_TOKEN}\n",
        good="services:\n  a:\n    build:\n      context: .\n      args:\n        PYTHON: '3.12'\n      secrets: [hf]\n",
        line=6,
    ),
    Twin(
        rule="build-arg-secret",
        name="compose.yaml",
        bad="services:\n  a:\n    build:\n      context: .\n      args:\n      - X=1\n      - HF_TOKEN\n",
        line=7,
    ),
    Twin(
        rule="build-arg-secret",
        name=".github/workflows/ci.yml",
        bad=JOB + STEP + "|\n          A=1\n          KEY=${{ secrets.HF_TOKEN }}\n",
        good=JOB + STEP + "A=1\n        secrets: hf=${{ secrets.HF_TOKEN }}\n",
        says="KEY",
    ),
    Twin(
        rule="build-arg-secret",
        name=".github/workflows/ci.yml",
        bad=JOB
        + "    - uses: docker/bake-action@v6\n      with:\n        set: |\n          *.args.HF_TOKEN=${{ secrets.HF_TOKEN }}\n",
        good=JOB + "    - uses: docker/bake-action@v6\n      with:\n        set: |\n          *.args.VERSION=${{ vars.V }}\n",
        says="HF_TOKEN",
        line=8,
    ),
]


TWINS = [*ENV, *ARG, *BUILD_ARG]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
