"""Rules on compilers and headers in the image that is shipped."""

from pathlib import Path

import pytest

from support.linting import Twin, findings

APT = "RUN apt-get update && apt-get install -y --no-install-recommends "
SLIM = "FROM python:3.12-slim-bookworm\n"
APP = 'COPY app.py .\nCMD ["python", "app.py"]\n'
CUDA = "nvidia/cuda:12.4.1-cudnn-{}-ubuntu22.04"

TWINS = [
    Twin(  # a notebook too needs no nvcc of a -devel image
        rule="base-devel-final",
        bad="FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip install jupyterlab==4.2.0\nCMD jupyter lab --ip 0.0.0.0\n",
        good="FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN pip install jupyterlab==4.2.0\nCMD jupyter lab --ip 0.0.0.0\n",
    ),
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
    Twin(  # the packages of a lock, which no command line names
        rule="base-devel-final",
        bad=f"FROM {CUDA.format('devel')}\nRUN --mount=type=bind,source=uv.lock,target=uv.lock uv sync --locked --no-dev\n",
        good=f"FROM {CUDA.format('devel')}\nRUN pip install uv && uv python install 3.12\n",
    ),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\nRUN pip install deepspeed==0.14.0\n{APP}"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\nRUN /opt/conda/bin/conda install -y conda-build\n"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\n{APP}", name="Dockerfile.dev"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\n{APP}", name=".devcontainer/Dockerfile"),
    Twin(rule="base-devel-final", bad=f"FROM paddlepaddle/serving:0.5.0-devel\n{APP}", name="vertex_sdk_and/Dockerfile"),
    Twin(rule="base-devel-final", good=f"FROM {CUDA.format('devel')}\nENV LANG=C.UTF-8\n{APT}git\n"),
    Twin(
        rule="base-devel-final",
        bad=f"FROM rocm/dev-ubuntu-24.04:6.4.4-complete\n{APP}",
        good=f"FROM rocm/pytorch:rocm7.2_ubuntu24.04_py3.12_pytorch_release_2.7.1\n{APP}",
    ),
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
    Twin(  # headers alone compile nothing
        rule="build-tools-final",
        bad=f"{SLIM}{APT}libxrender-dev gcc\n{APP}",
        good=f"{SLIM}{APT}libglib2.0-0 libsm6 libxrender-dev\n{APP}",
        says="libxrender-dev and gcc stay",
    ),
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
    Twin(rule="build-tools-final", bad=f"FROM python:3.12\n{APP}", line=1, says="python:3.12-slim"),
    Twin(
        rule="build-tools-final", bad=f"FROM python:3.12-bookworm AS b\nFROM b\n{APP}", line=2, says="python:3.12-slim-bookworm"
    ),
    Twin(
        rule="build-tools-final",
        good=f"FROM python:3.12 AS wheels\nRUN pip wheel -r r.txt\n{SLIM}COPY --from=wheels /w /w\n{APP}",
    ),
    Twin(rule="build-tools-final", good=f"ARG TAG\nFROM python:${{TAG}}\n{APP}"),
    Twin(
        rule="build-tools-final",
        bad=f"FROM ubuntu:22.04\n{APT}cuda-toolkit-12-4\n{APP}",
        good=f"FROM ubuntu:22.04\n{APT}cuda-libraries-12-4 cuda-cudart-12-4\n{APP}",
    ),
    Twin(rule="build-tools-final", good=f"FROM ubuntu:24.04\n{APT}build-essential cmake\n"),
    Twin(rule="build-tools-final", good=f'FROM debian:trixie\n{APT}tk-dev uuid-dev\nRUN make\nCMD ["python3"]\n'),
    Twin(rule="build-tools-final", good=f"FROM python:3.12-slim-bookworm AS dev\n{APT}gcc\n{APP}"),
    Twin(rule="build-tools-final", good=f"{SLIM}{APT}gcc\nRUN pip install jupyterlab==4\nCMD jupyter lab --ip=0.0.0.0\n"),
    Twin(rule="build-tools-final", good=f"FROM quay.io/jupyter/base-notebook:2024-05-27\n{APT}gcc\nRUN pip install numpy\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_the_smaller_image_is_named(tmp_path: Path) -> None:
    [found] = findings(tmp_path, {"Dockerfile": f"FROM {CUDA.format('devel')}\n{APP}"}, "base-devel-final")
    assert CUDA.format("runtime") in found.remedy
