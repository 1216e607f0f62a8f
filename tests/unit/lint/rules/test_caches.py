"""Caches of package managers."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

BASE = "FROM python:3.12-slim-bookworm\n"
PIP_MOUNT = "--mount=type=cache,target=/root/.cache/pip"
PIP_CACHE = [
    Twin(
        rule="pip-cache",
        bad=BASE + "RUN pip install -r requirements.txt\n",
        good=BASE + "RUN pip install --no-cache-dir -r requirements.txt\n",
        fixed=BASE + "RUN pip install --no-cache-dir -r requirements.txt\n",
    ),
    Twin(
        rule="pip-cache",
        bad=BASE + "RUN python3 -m pip install --upgrade pip && \\\r\n    pip3 -q install a\r\n",
        good=BASE + f"RUN {PIP_MOUNT} pip install a\n",
        fixed=BASE
        + "RUN python3 -m pip install --no-cache-dir --upgrade pip && \\\r\n    pip3 -q install --no-cache-dir a\r\n",
    ),
    Twin(rule="pip-cache", good=BASE + "ENV PIP_NO_CACHE_DIR=1\nRUN pip install a\n"),
    Twin(rule="pip-cache", good=BASE + "ENV PIP_NO_CACHE_DIR=off\nRUN pip install a\n"),
    Twin(rule="pip-cache", good=BASE + "ARG PIP_NO_CACHE_DIR=1\nRUN pip install a\n"),
    Twin(rule="pip-cache", good=BASE + "RUN export PIP_NO_CACHE_DIR=1 && pip install a\n"),
    Twin(rule="pip-cache", good=BASE + "RUN pip config set global.no-cache-dir true\nRUN pip install a\n"),
    Twin(rule="pip-cache", good=BASE + "RUN pip install a && rm -rf ~/.cache\nRUN pip install b && pip cache purge\n"),
    Twin(rule="pip-cache", good=BASE + "RUN pip install --no-index --find-links /wheels a\nRUN pip download a\n"),
    Twin(rule="pip-cache", good=BASE + "RUN pip install --no-cache a\n"),
    Twin(rule="pip-cache", good=BASE + "ARG PIP='pip install --no-cache-dir'\nRUN $PIP a\n"),
    Twin(  # a mount for another tool's cache takes nothing of pip's
        rule="pip-cache",
        bad=BASE + "RUN --mount=type=cache,target=/root/.cache/uv pip install uv && uv pip install --system a\n",
        good=BASE + "RUN --mount=type=cache,target=/root/.cache pip install uv && uv pip install --system a\n",
        fixed=BASE
        + "RUN --mount=type=cache,target=/root/.cache/uv pip install --no-cache-dir uv && uv pip install --system a\n",
    ),
    Twin(
        rule="pip-cache",
        bad=BASE + "RUN --mount=type=cache,target=/var/cache/apt/,sharing=locked apt-get install -y git && pip install a\n",
        good=BASE + "RUN --mount=type=cache,target=/cache pip install a\n",
    ),
    Twin(
        rule="pip-cache",
        bad="FROM python:3.12 AS a\nRUN pip install x\nFROM a\nCMD x\n",
        good="FROM python:3.12 AS a\nRUN pip install x\nFROM python:3.12\nCOPY --from=a /x /x\n",
        line=2,
    ),
    Twin(
        rule="pip-cache",
        bad=BASE + "RUN uv pip install --system a\n",
        good=BASE + "ENV UV_NO_CACHE=1\nRUN uv sync --locked\n",
        fixed=BASE + "RUN uv pip install --no-cache --system a\n",
    ),
    Twin(
        rule="pip-cache",
        bad=BASE + "ENV UV_NO_CACHE=0\nRUN uv sync --locked\n",
        good=BASE + "RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked\nRUN uv sync && rm -rf ~/.cache/uv\n",
        fixed=BASE + "ENV UV_NO_CACHE=0\nRUN uv sync --no-cache --locked\n",
    ),
    Twin(
        rule="pip-cache",
        bad="FROM continuumio/miniconda3\nRUN /opt/conda/bin/conda install -y numpy\n",
        good="FROM continuumio/miniconda3\nRUN mamba install -y numpy && conda clean -afy\n",
        fixed="FROM continuumio/miniconda3\nRUN /opt/conda/bin/conda install -y numpy && /opt/conda/bin/conda clean -afy\n",
    ),
    Twin(  # where it is not there, `fi && conda clean` would fail
        rule="pip-cache",
        bad="FROM ubuntu:24.04\nRUN if command -v conda; then conda install -y numpy; fi\n",
        fixed="FROM ubuntu:24.04\nRUN if command -v conda; then conda install -y numpy; fi\n",
    ),
    Twin(
        rule="pip-cache",
        bad="FROM mambaorg/micromamba:1\nRUN micromamba env create -f e.yml \\\n  && true\n",
        good="FROM mambaorg/micromamba:1\nRUN --mount=type=cache,target=/opt/conda/pkgs micromamba install -y x\n",
        fixed="FROM mambaorg/micromamba:1\nRUN micromamba env create -f e.yml \\\n  && true \\\n  && micromamba clean -afy\n",
    ),
    Twin(
        rule="pip-cache",
        bad=BASE + "RUN poetry install --no-root\n",
        good=BASE + "ENV POETRY_CACHE_DIR=/tmp/poetry\nRUN poetry install --no-root && rm -rf $POETRY_CACHE_DIR\n",
        says="poetry",
    ),
    Twin(rule="pip-cache", bad=BASE + "RUN pipenv install --system --deploy\n", says="pipenv"),
]
USELESS = [
    Twin(  # HOME lies elsewhere
        rule="cache-mount-useless",
        bad=BASE + "USER app\nENV HOME=/home/app\nRUN --mount=type=cache,target=/root/.cache/uv uv sync --locked\n",
        good=BASE + "ENV HOME=/root\nRUN --mount=type=cache,target=/root/.cache/uv uv sync --locked\n",
        says="app does not keep its cache in /root/.cache/uv",
    ),
    Twin(  # a mount with no place is no cache of uv
        rule="cache-mount-useless", good=BASE + "RUN --mount=type=cache,target uv sync --no-cache --frozen\n"
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "ENV HOME=/srv\nRUN --mount=type=cache,target=/root/.cache/pip pip install flask==3.1.0\n",
        good=BASE + "USER app\nENV HOME=/srv\nRUN --mount=type=cache,target=/srv/.cache/pip,uid=1 pip install flask==3.1.0\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"RUN {PIP_MOUNT} pip install --no-cache-dir a\n",
        good=BASE + f"RUN {PIP_MOUNT} pip install a\n",
        fixed=BASE + f"RUN {PIP_MOUNT} pip install a\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"RUN {PIP_MOUNT} \\\n    pip install \\\n    --no-cache-dir \\\n    a\n",
        good=BASE + f"RUN {PIP_MOUNT} pip install --no-cache-dir a && pip install b\n",
        fixed=BASE + f"RUN {PIP_MOUNT} \\\n    pip install \\\n    a\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"ENV PIP_NO_CACHE_DIR=1\nRUN {PIP_MOUNT} pip install a\n",
        good=BASE + f"ENV PIP_NO_CACHE_DIR=\nRUN {PIP_MOUNT} pip install a\n",
        says="PIP_NO_CACHE_DIR",
        fixed=BASE + f"ENV PIP_NO_CACHE_DIR=1\nRUN {PIP_MOUNT} pip install a\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "RUN --mount=type=cache,target=/root/.cache/uv uv sync --no-cache --locked\n",
        good=BASE + "RUN --mount=type=cache,target=/root/.cache/huggingface pip install --no-cache-dir a\n",
        fixed=BASE + "RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y a \\\n"
        "    && rm -rf /var/lib/apt/lists/*\n",
        good=BASE + "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y a && rm -rf /tmp/x\n",
        fixed=BASE + "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y a\n",
        line=3,
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"RUN {PIP_MOUNT} pip install a && rm -rf /root/.cache/pip /tmp/x && true\n",
        good=BASE + f"RUN {PIP_MOUNT} pip install a && rm -rf /root/.cache/torch\n",
        fixed=BASE + f"RUN {PIP_MOUNT} pip install a && rm -rf /root/.cache/pip /tmp/x && true\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"RUN {PIP_MOUNT} pip install a && pip cache purge && true\n",
        fixed=BASE + f"RUN {PIP_MOUNT} pip install a && true\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked apt-get update && apt-get install -y a\n",
        good=BASE
        + "RUN rm -f /etc/apt/apt.conf.d/docker-clean\n"
        + "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked apt-get update && apt-get install -y a\n",
        says="docker-clean",
    ),
    Twin(
        rule="cache-mount-useless",
        good="FROM mine/base:1\nRUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y a\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "RUN --mount=type=cache,target=~/.cache/pip pip install a\n",
        good=BASE + "RUN --mount=type=cache,target=/opt/cache PIP_CACHE_DIR=/opt/cache pip install a\n",
        fixed=BASE + "RUN --mount=type=cache,target=/root/.cache/pip pip install a\n",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + f"USER app\nRUN {PIP_MOUNT} pip install a\n",
        good=BASE + "USER app\nRUN --mount=type=cache,target=/home/app/.cache/pip,uid=1000 pip install a\n",
        says="app",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "USER app\nRUN --mount=type=cache,target=/home/app/.cache/pip pip install a\n",
        good=BASE + f"USER app\nENV PIP_CACHE_DIR=/root/.cache/pip\nRUN {PIP_MOUNT},mode=0777 pip install a\n",
        says="cannot write",
    ),
    Twin(
        rule="cache-mount-useless",
        bad=BASE + "RUN --mount=type=cache,target=/home/app/.cache/pip pip install a\n",
        good="FROM mine/base:1\nRUN --mount=type=cache,target=/home/app/.cache/pip pip install a\n",
    ),
]
TWINS = [*PIP_CACHE, *USELESS]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


@pytest.mark.parametrize(
    ("user", "command", "remedy"),
    [
        ("root", "pip install x", "Write `pip install --no-cache-dir`, or mount a cache: `RUN --mount"),
        ("app", "pip install x", "Write `pip install --no-cache-dir`"),
        ("app:app", "uv sync", "Write `--no-cache`"),
        ("1000", "poetry install", "Write `poetry --no-cache`"),
    ],
)
def test_only_root_is_told_to_mount_a_cache_below_root(tmp_path: Path, user: str, command: str, remedy: str) -> None:
    text = f"FROM python:3.12-slim\nUSER {user}\nRUN {command}\n"
    (found,) = findings(tmp_path, {"Dockerfile": text}, "pip-cache")
    assert found.remedy.startswith(remedy)
    assert ("--mount" in found.remedy) is (user == "root")
