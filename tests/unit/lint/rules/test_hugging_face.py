"""Variables of Hugging Face's libraries."""

from pathlib import Path

import pytest

from support.linting import Twin

BASE = "FROM python:3.12-slim-bookworm\n"

CACHE = [
    Twin(
        rule="transformers-cache",
        bad=BASE + "ENV A=1 \\\n    TRANSFORMERS_CACHE=/models # x\n",
        good=BASE + "ENV HF_HOME=/models\n",
        line=3,
        fixed=BASE + "ENV A=1 \\\n    HF_HUB_CACHE=/models # x\n",
    ),
    Twin(
        rule="transformers-cache",
        bad=BASE + 'ENV TRANSFORMERS_CACHE="/cache/hub"\r\n',
        fixed=BASE + 'ENV HF_HOME="/cache"\r\n',
    ),
    Twin(
        rule="transformers-cache",
        bad=BASE + "ENV TRANSFORMERS_CACHE=/m\nRUN mkdir $TRANSFORMERS_CACHE\n",
        fixed=BASE + "ENV TRANSFORMERS_CACHE=/m\nRUN mkdir $TRANSFORMERS_CACHE\n",
    ),
    Twin(
        rule="transformers-cache",
        bad=BASE + "ENV HF_HUB_CACHE=/m/hub TRANSFORMERS_CACHE=/m/hub\n",
        fixed=BASE + "ENV HF_HUB_CACHE=/m/hub TRANSFORMERS_CACHE=/m/hub\n",
    ),
    Twin(rule="transformers-cache", good=BASE + "RUN pip install transformers==4.18.0\nENV TRANSFORMERS_CACHE=/m\n"),
    Twin(
        rule="transformers-cache",
        name="compose.yaml",
        bad="services:\n  a:\n    image: a:1\n    environment:\n      - TRANSFORMERS_CACHE=/m\n",
        good="services:\n  a:\n    image: a:1\n    environment:\n      - HF_HOME=/m\n",
        fixed="services:\n  a:\n    image: a:1\n    environment:\n      - HF_HUB_CACHE=/m\n",
    ),
    Twin(
        rule="transformers-cache",
        name="compose.yaml",
        bad="services:\n  a:\n    image: a:1\n    environment:\n      TRANSFORMERS_CACHE: /m\n",
        line=5,
        fixed="services:\n  a:\n    image: a:1\n    environment:\n      HF_HUB_CACHE: /m\n",
    ),
]
POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    image: IMAGE\n    env:\n    - name: NAME\n"
POD += "      valueFrom: {secretKeyRef: {name: hf, key: token}}\n"
TOKEN = [
    Twin(
        rule="hf-token-name",
        bad=BASE + "# HUGGINGFACE_TOKEN\nRUN \\\n  export HUGGINGFACE_TOKEN=$(cat /run/secrets/t) && hf download b\n",
        good=BASE + "RUN --mount=type=secret,id=t,env=HF_TOKEN hf download a/b\n",
        fixed=BASE + "# HUGGINGFACE_TOKEN\nRUN \\\n  export HF_TOKEN=$(cat /run/secrets/t) && hf download b\n",
        line=4,
    ),
    Twin(  # used by that very name
        rule="hf-token-name",
        good=BASE + "ARG HUGGINGFACE_TOKEN\nRUN huggingface-cli download a/b --token $HUGGINGFACE_TOKEN\n",
    ),
    Twin(  # a name that was documented, and names of other libraries
        rule="hf-token-name",
        good=BASE + "ENV HUGGING_FACE_HUB_TOKEN=$T HUGGINGFACEHUB_API_TOKEN=$T HUGGINGFACE_API_KEY=$T\n",
    ),
    Twin(  # the app reads it
        rule="hf-token-name",
        bad=BASE + "ENV HUGGINGFACE_TOKEN=''\n",
        good=BASE + "ENV HUGGINGFACE_TOKEN=''\n",
        good_files={"app.py": "import os\nos.environ['HUGGINGFACE_TOKEN']\n"},
        fixed=BASE + "ENV HF_TOKEN=''\n",
    ),
    Twin(  # those who build give it by its name
        rule="hf-token-name",
        bad=BASE + "ARG HUGGINGFACE_TOKEN\nRUN hf download a/b\n",
        fixed=BASE + "ARG HUGGINGFACE_TOKEN\nRUN hf download a/b\n",
    ),
    Twin(
        rule="hf-token-name",
        name="pod.yaml",
        bad=POD.replace("IMAGE", "vllm/vllm-openai:v0.11.0").replace("NAME", "HUGGINGFACE_TOKEN"),
        good=POD.replace("IMAGE", "mine:1").replace("NAME", "HUGGINGFACE_TOKEN"),
        fixed=POD.replace("IMAGE", "vllm/vllm-openai:v0.11.0").replace("NAME", "HF_TOKEN"),
        line=8,
    ),
    Twin(
        rule="hf-token-name",
        name="compose.yaml",
        bad="services:\n  a:\n    image: vllm/vllm-openai:v0.11.0\n    environment:\n      - HF_API_TOKEN=${HF_API_TOKEN}\n",
        good="services:\n  a:\n    image: vllm/vllm-openai:v0.11.0\n    environment:\n      - HF_TOKEN=${HF_API_TOKEN}\n",
        fixed="services:\n  a:\n    image: vllm/vllm-openai:v0.11.0\n    environment:\n      - HF_TOKEN=${HF_API_TOKEN}\n",
    ),
]


TWINS = [*CACHE, *TOKEN]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
