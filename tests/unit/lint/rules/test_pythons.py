from pathlib import Path

import pytest

from support.linting import Twin

APT = "RUN apt-get update && apt-get install -y"
UBUNTU = "FROM ubuntu:22.04\n"

CHOSEN = "ARG KIND=cpu\nFROM nvidia/cuda:12.1.1-base-ubuntu22.04 AS base-gpu\nFROM python:3.11 AS base-cpu\n"

VENV = (
    "FROM ghcr.io/astral-sh/uv:python3.11-bookworm-slim AS builder\nRUN uv sync --frozen\nFROM {}\n"
    'COPY --from=builder /app/.venv /app/.venv\nENV PATH="/app/.venv/bin:$PATH"\nENTRYPOINT ["uvicorn", "app:app"]\n'
)
TWINS = [
    # a virtual environment is a link to its Python
    Twin(
        rule="python-mismatch",
        bad=VENV.format("nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        good=VENV.format("python:3.11-slim-bookworm"),
        says="no Python there",
    ),
    Twin(
        rule="python-mismatch",
        bad=VENV.format("registry.access.redhat.com/ubi9/python-311:latest"),
        good=VENV.format("registry.example.com/base/python:3.11"),
        line=4,
    ),
    Twin(
        rule="python-mismatch",
        bad=VENV.format("gcr.io/distroless/python3-debian12"),
        good=VENV.format("gcr.io/distroless/python3-debian12\nENV PYTHONPATH=/app/.venv/lib/python3.11/site-packages").replace(
            "uvicorn", "python3"
        ),
    ),
    Twin(rule="python-mismatch", good=VENV.format("debian:12\nCOPY --from=builder /usr/local /usr/local")),
    Twin(rule="python-mismatch", good=VENV.format("debian:12\nRUN ln -s /usr/bin/python3 /usr/local/bin/python3")),
    Twin(rule="python-mismatch", good=VENV.format("gcr.io/distroless/python3-debian12").replace("/app/.venv/bin:", "")),
    Twin(rule="python-mismatch", good=f"{CHOSEN}FROM base-$KIND AS base\nFROM base AS gpu\n{APT} python3.11 python3-pip\n"),
    Twin(
        rule="python-mismatch",
        bad=f"FROM python:3.11-slim\n{APT} git python3-pip python3-dev\n",
        good=f"FROM python:3.11-slim\n{APT} git build-essential libpython3-stdlib\n",
        line=2,
        says="python3-pip and python3-dev belong to Debian's Python",
    ),
    Twin(
        rule="python-mismatch",
        bad=f'{UBUNTU}{APT} python3.11 python3-pip\nRUN pip3 install torch==2.4.0\nCMD ["python3.11", "a.py"]\n',
        good=f"{UBUNTU}{APT} python3.11 python3-pip\nRUN python3.11 -m pip install torch==2.4.0\n",
        line=2,
        says="installs for Python 3.10, not for python3.11",
    ),
    Twin(
        rule="python-mismatch",
        bad=f"{UBUNTU}{APT} python3.9 python3-pip\nRUN ln -s /usr/bin/python3.9 /usr/bin/python\nRUN pip install torch\n",
        good=f"{UBUNTU}{APT} python3.9 python3-pip\nRUN ln -sf /usr/bin/python3.9 /usr/local/bin/python3\nRUN pip list\n",
        line=2,
    ),
    Twin(  # a package with tools for environments makes none
        rule="python-mismatch",
        bad=f"{UBUNTU}{APT} python3.11 python3.11-venv python3-pip\nRUN python3 -m pip install torch==2.4.0\n",
        good=f"{UBUNTU}{APT} python3.11 python3.11-venv python3-pip\nRUN pip install virtualenv && virtualenv /v\n",
    ),
    Twin(rule="python-mismatch", good=f"{UBUNTU}{APT} python3.10 python3-pip\nRUN pip install torch==2.4.0\n"),
    Twin(
        rule="python-mismatch",
        good=f"{UBUNTU}{APT} python3.11 python3.11-venv python3-pip\nRUN python3.11 -m venv /v && /v/bin/pip install torch\n",
    ),
    Twin(
        rule="python-mismatch",
        bad=f"FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04\n{APT} python3.11 && ln -sf /usr/bin/python3.11 /usr/bin/python3\n",
        good=f"FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04\n{APT} python3 && ln -sf /usr/bin/python3 /usr/bin/python\n",
        says="/usr/bin/python3 becomes 3.11",
    ),
    Twin(
        rule="python-mismatch",
        bad=f"{UBUNTU}RUN update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.9 1\n",
        good=(
            f"{UBUNTU}RUN update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.10 1\n"
            "RUN update-alternatives --install /usr/bin/python python /usr/bin/python3.11 1\n"
            "RUN ln -s /usr/bin/python3.11 /usr/local/bin/python3\n"
        ),
    ),
    Twin(
        rule="python-mismatch",
        bad="FROM python:3.11 AS b\nRUN python -m venv /venv\nFROM python:3.12-slim\nCOPY --from=b /venv /venv\n",
        good="FROM python:3.11 AS b\nRUN python -m venv /venv\nFROM python:3.11-slim\nCOPY --from=b /venv /venv\n",
        line=4,
    ),
    Twin(
        rule="python-mismatch",
        bad="FROM python:3.12 AS b\nFROM python:3.12-slim\nCOPY --from=b /usr/local/lib/python3.11/site-packages /x\n",
        says="Python 3.11 go into an image with Python 3.12",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twin(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
