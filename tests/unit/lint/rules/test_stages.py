"""Rules on what stages leave in the image that is shipped."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

APT = "RUN apt-get update && apt-get install -y --no-install-recommends "
SLIM = "FROM python:3.12-slim-bookworm\n"
APP = 'COPY app.py .\nCMD ["python", "app.py"]\n'
SERVE = 'COPY . .\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
CUDA = "nvidia/cuda:12.4.1-cudnn-{}-ubuntu22.04"

TWINS = [
    Twin(
        rule="base-devel-final",
        bad=f"FROM {CUDA.format('devel')}\n{APP}",
        good=f"FROM {CUDA.format('devel')} AS build\nRUN make\nFROM {CUDA.format('runtime')}\nCOPY --from=build /a /a\n{APP}",
        line=1,
        says="-devel-",
    ),
    Twin(
        rule="base-devel-final",
        bad=f"ARG T=devel\nFROM nvidia/cuda:12.4.1-${{T}}-ubuntu22.04 AS base\nFROM base\n{APP}",
        good=f"FROM {CUDA.format('devel')} AS dev\n{APP}",
        line=3,
    ),
    Twin(
        rule="base-devel-final",
        bad="FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-devel\nRUN pip install transformers==4.44.0\n",
        good="FROM nvcr.io/nvidia/pytorch:24.05-py3\nRUN pip install transformers==4.44.0\n",
    ),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\nRUN pip install deepspeed==0.14.0\n{APP}"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\n{APP}", name="Dockerfile.dev"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\n{APP}", name=".devcontainer/Dockerfile"),
    Twin(rule="base-devel-final", bad=f"FROM paddlepaddle/serving:0.5.0-devel\n{APP}", name="vertex_sdk_and/Dockerfile"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\nENV LANG=C.UTF-8\n{APT}git\n"),
    Twin(
        rule="build-tools-final",
        bad=f"{SLIM}{APT}curl build-essential cmake libpq-dev\n{APP}",
        good=f"{SLIM}{APT}curl libpq5 libgomp1\n{APP}",
        line=2,
        says="build-essential, cmake and libpq-dev stay",
    ),
    Twin(
        rule="build-tools-final",
        bad=f"FROM python:3.12-slim-bookworm AS base\n{APT}gcc\nFROM base AS build\nRUN pip wheel .\nFROM base\n{APP}",
        good=f"FROM python:3.12-slim-bookworm AS build\n{APT}gcc\nRUN pip wheel .\n{SLIM}COPY --from=build /w /w\n{APP}",
        line=2,
        says="gcc, through stage base, stays",
    ),
    Twin(
        rule="build-tools-final",
        bad=f"{SLIM}{APT}gcc\nRUN pip install -r r.txt\nRUN apt-get purge -y gcc\n{APP}",
        good=f"{SLIM}{APT}gcc && pip install -r r.txt && apt-get purge -y --auto-remove gcc\n{APP}",
    ),
    Twin(
        rule="build-tools-final",
        bad=f"FROM python:3.12-alpine3.22\nRUN apk add --no-cache gcc musl-dev\n{APP}",
        good="FROM python:3.12-alpine3.22\n"
        f"RUN apk add --no-cache --virtual .build gcc musl-dev && pip install x && apk del .build\n{APP}",
    ),
    Twin(rule="build-tools-final", bad=f"FROM rockylinux:9.3\nRUN dnf install -y gcc-c++ python3-devel\n{APP}"),
    Twin(rule="build-tools-final", bad=f'FROM rockylinux:8.9\nRUN yum groupinstall -y "Development Tools"\n{APP}'),
    Twin(rule="build-tools-final", bad=f"FROM condaforge/miniforge3:24.3.0-0\nRUN mamba install -y gxx cmake\n{APP}"),
    Twin(rule="build-tools-final", bad=f"{SLIM}{APT}python3.11-dev g++-12\n{APP}"),
    Twin(
        rule="build-tools-final",
        good=f'{SLIM}RUN saved="$(apt-mark showmanual)"; apt-get update; apt-get install -y gcc make; make;'
        f" apt-mark auto '.*'; apt-mark manual $saved; apt-get purge -y --auto-remove\n{APP}",
    ),
    Twin(
        rule="build-tools-final",
        good=f"{SLIM}RUN apt-get install -y gcc; apt-mark showmanual | xargs apt-mark auto; apt-get purge -y\n{APP}",
    ),
    Twin(rule="build-tools-final", good=f'{SLIM}RUN B="gcc make"; apt-get install -y $B; make; apt-get purge -y $B\n{APP}'),
    Twin(rule="build-tools-final", good=f"{SLIM}{APT}gcc python3-dev\nRUN pip install vllm==0.6.0\n{APP}"),
    Twin(
        rule="build-tools-final",
        bad=f"{SLIM}{APT}gcc\n{APP}",
        good=f"{SLIM}{APT}gcc\n{APP}",
        bad_files={"app.py": "import torch\n"},
        good_files={"app.py": "import torch\nmodel = torch.compile(model)\n"},
    ),
    Twin(rule="build-tools-final", good=f"FROM ubuntu:24.04\n{APT}build-essential cmake\n"),
    Twin(rule="build-tools-final", good=f'FROM debian:trixie\n{APT}tk-dev uuid-dev\nRUN make\nCMD ["python3"]\n'),
    Twin(rule="build-tools-final", good=f"FROM python:3.12-slim-bookworm AS dev\n{APT}gcc\n{APP}"),
    Twin(rule="build-tools-final", good=f"{SLIM}{APT}gcc\nRUN pip install jupyterlab==4\nCMD jupyter lab --ip=0.0.0.0\n"),
    Twin(rule="build-tools-final", good=f"FROM quay.io/jupyter/base-notebook:2024-05-27\n{APT}gcc\nRUN pip install numpy\n"),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}{APT}vim htop git\n{SERVE}",
        good=f"{SLIM}{APT}git\n{SERVE}",
        line=2,
        says="vim and htop",
    ),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}RUN pip install fastapi pytest black\n{SERVE}",
        good=f"{SLIM}RUN pip install fastapi\n{SERVE}",
        says="black and pytest",
    ),
    Twin(
        rule="dev-tools-final",
        bad=f"{SLIM}COPY requirements.txt .\nRUN pip install -r requirements.txt\n{SERVE}",
        good=f"{SLIM}COPY requirements.txt .\nRUN pip install -r requirements.txt\n{SERVE}",
        bad_files={"requirements.txt": "fastapi\njupyterlab\npytest\n"},
        good_files={"requirements.txt": "fastapi\nuvicorn\n"},
        line=3,
        says="jupyterlab and pytest",
    ),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN pip install jupyterlab pandas\nCMD jupyter lab --ip=0.0.0.0\n"),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN pip install ipykernel papermill\nCOPY . .\nCMD papermill a.ipynb b.ipynb\n"),
    Twin(rule="dev-tools-final", good=f'{SLIM}RUN pip install pytest\nCOPY . .\nCMD ["pytest", "tests"]\n'),
    Twin(
        rule="dev-tools-final",
        good=f"FROM python:3.12-slim-bookworm AS test\nRUN pip install pytest\nCOPY . .\nRUN pytest\n{SLIM}{SERVE}",
    ),
    Twin(rule="dev-tools-final", good=f"{SLIM}RUN apt-get install -y vim && apt-get purge -y vim\n{SERVE}"),
    Twin(
        rule="stage-dead",
        bad=f"FROM python:3.12 AS models\nRUN python fetch.py\n{SLIM}{APP}",
        good=f"FROM python:3.12 AS models\nRUN python fetch.py\n{SLIM}COPY --from=models /m /m\n{APP}",
        line=1,
        says="models",
    ),
    Twin(rule="stage-dead", bad=f"FROM python:3.12\nRUN pip wheel .\n{SLIM}{APP}"),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS models\nRUN x\n{SLIM}RUN --mount=type=bind,from=models,source=/m,target=/m cp /m /n\n{APP}",
    ),
    Twin(rule="stage-dead", good=f"FROM python:3.12 AS test\nRUN pytest\n{SLIM}{APP}"),
    Twin(rule="stage-dead", good=f'FROM python:3.12 AS worker\nCMD ["celery"]\n{SLIM}{APP}'),
    Twin(
        rule="stage-dead",
        good="FROM python:3.12 AS base-amd64\nRUN a\nFROM python:3.12 AS base-arm64\nRUN b\nFROM base-$TARGETARCH\n",
    ),
    Twin(
        rule="stage-dead",
        good="ARG KIND=cpu\nFROM python:3.12 AS os-cpu\nRUN a\nFROM python:3.12 AS os-gpu\nRUN b\nFROM os-${KIND}\n",
    ),
    Twin(
        rule="stage-dead",
        bad=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        good_files={"build.sh": "docker build --target report .\n"},
    ),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        files={"docker-bake.hcl": 'target "r" {\n  target = "report"\n}\n'},
    ),
    Twin(
        rule="stage-dead",
        good=f"FROM python:3.12 AS report\nRUN x\n{SLIM}{APP}",
        files={"compose.yaml": "services:\n  r:\n    build:\n      context: .\n      target: report\n"},
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_the_smaller_image_is_named(tmp_path: Path) -> None:
    [found] = findings(tmp_path, {"Dockerfile": f"FROM {CUDA.format('devel')}\n{APP}"}, "base-devel-final")
    assert CUDA.format("runtime") in found.remedy


def test_uv_is_told_to_leave_groups_for_development_out(tmp_path: Path) -> None:
    project = '[project]\nname = "a"\nversion = "1"\ndependencies = []\n\n[dependency-groups]\ndev = ["pytest"]\n'
    text = f"{SLIM}COPY pyproject.toml uv.lock ./\nRUN uv sync --locked\n{SERVE}"
    files = {
        "pyproject.toml": project,
        "uv.lock": 'version = 1\n\n[[package]]\nname = "pytest"\nversion = "8.0.0"\n',
        "app.py": "",
    }
    [found] = findings(tmp_path / "all", {**files, "Dockerfile": text}, "dev-tools-final")
    assert "--no-dev" in found.remedy
    assert not findings(
        tmp_path / "some", {**files, "Dockerfile": text.replace("--locked", "--locked --no-dev")}, "dev-tools-final"
    )
