"""Builds of torch, their index, and bases that have a framework: a bad and a good twin of each."""

from pathlib import Path

import pytest

from shipwheel.lint.packages import torch_table
from support.linting import Twin

WHL = "https://download.pytorch.org/whl"

TWINS = [
    # torch-cuda-impossible
    Twin(
        rule="torch-cuda-impossible",
        bad=f"FROM python:3.11-slim\nRUN pip install torch==2.1.0 --index-url {WHL}/cu124\n",
        good=f"FROM python:3.11-slim\nRUN pip install torch==2.1.0 --index-url {WHL}/cu121\n",
        line=2,
        says="never built for CUDA 12.4",
    ),
    Twin(
        rule="torch-cuda-impossible",
        bad="FROM python:3.11-slim\nRUN pip install 'torch==2.1.0+cu124' numpy\n",
        good="FROM python:3.11-slim\nRUN pip install 'torch==2.1.0+cu118' numpy\n",
        says="2.1.0+cu124 does not exist",
    ),
    Twin(  # the version is an ARG, the index a variable, uv instead of pip
        rule="torch-cuda-impossible",
        bad=f"FROM python:3.11-slim\nARG T=2.0.1\nARG C=cu121\nRUN uv pip install torch==${{T}} --index-url {WHL}/${{C}}\n",
        good=f"FROM python:3.11-slim\nARG T=2.0.1\nARG C\nRUN uv pip install torch==${{T}} --index-url {WHL}/${{C}}\n",
        line=4,
    ),
    Twin(  # what pip does then
        rule="torch-cuda-impossible",
        bad=f"FROM python:3.10-slim\nRUN pip install torch==2.0.1 --extra-index-url {WHL}/cu113\n",
        good=f"FROM python:3.10-slim\nRUN pip install torch==2.0.1 --extra-index-url {WHL}/cu118\n",
        says="PyPI's build for CUDA 11.7",
    ),
    Twin(
        rule="torch-cuda-impossible",
        bad="FROM python:3.10-slim\nRUN pip install torch==2.1.0 torchvision==0.15.2\n",
        good="FROM python:3.10-slim\nRUN pip install torch==2.1.0 torchvision==0.16.0 torchaudio==2.1.0\n",
        says="torchvision 0.15.2 requires torch 2.0.1",
    ),
    Twin(
        rule="torch-cuda-impossible",
        name="requirements.txt",
        bad=f"--extra-index-url {WHL}/cu124\ntorch==2.1.0+cu124\n",
        good=f"--extra-index-url {WHL}/cu121\ntorch==2.1.0+cu121\ntorchvision==0.16.0+cu121\n",
        line=2,
    ),
    Twin(
        rule="torch-cuda-impossible",
        bad="FROM python:3.11-slim\nRUN uv pip install --torch-backend=cu124 torch==2.1.0\n",
        good="FROM python:3.11-slim\nRUN uv pip install --torch-backend=cu121 torch==2.1.0\n",
    ),
    Twin(
        rule="torch-cuda-impossible",
        name="install.sh",
        bad=f"#!/bin/sh\npip install torch==1.13.1+cu118 --extra-index-url {WHL}/cu118\n",
        good=f"#!/bin/sh\npip install torch==1.13.1+cu117 --extra-index-url {WHL}/cu117\n",
        line=2,
    ),
    # releases that the table does not know, nightly builds, ROCm, and files for other platforms say nothing
    Twin(rule="torch-cuda-impossible", good=f"FROM python:3.12\nRUN pip install torch==3.1.0 --index-url {WHL}/cu999\n"),
    Twin(rule="torch-cuda-impossible", good=f"FROM python:3.12\nRUN pip install --pre torch --index-url {WHL}/nightly/cu134\n"),
    Twin(rule="torch-cuda-impossible", good=f"FROM python:3.12\nRUN pip install torch==2.6.0 --index-url {WHL}/rocm6.2.4\n"),
    Twin(
        rule="torch-cuda-impossible",
        good=f"FROM python:3.12\nRUN pip install torch==2.9.1+cu129 --extra-index-url {WHL}/cu129\n",
    ),
    Twin(
        rule="torch-cuda-impossible",
        name="requirements.txt",
        good="torch==2.2.2; sys_platform == 'darwin'\ntorch==2.6.0; sys_platform == 'linux'\ntorchvision==0.21.0\n",
    ),
    # torch-python-impossible
    Twin(
        rule="torch-python-impossible",
        bad="FROM python:3.12-slim\nRUN pip install torch==2.1.0\n",
        good="FROM python:3.11-slim\nRUN pip install torch==2.1.0\n",
        says="Python 3.8 to 3.11, and the base has 3.12",
    ),
    Twin(
        rule="torch-python-impossible",
        bad="FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good="FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        files={"requirements.txt": "tensorflow==2.12.0\n"},
        line=3,
    ),
    Twin(
        rule="torch-python-impossible", good="FROM python:3.12-slim\nRUN uv venv --python 3.10 && uv pip install torch==2.1.0\n"
    ),
    Twin(
        rule="torch-python-impossible",
        good="FROM python:3.12-slim\nRUN pip install 'torch==2.1.0; python_version < \"3.12\"'\n",
    ),
    # index-ambiguous
    Twin(
        rule="index-ambiguous",
        bad=f"FROM python:3.11-slim\nRUN pip install torch torchvision --extra-index-url {WHL}/cu118\n",
        good=f"FROM python:3.11-slim\nRUN pip install torch==2.5.1+cu118 torchvision --extra-index-url {WHL}/cu118\n",
        says="torch has no exact version",
    ),
    Twin(
        rule="index-ambiguous",
        bad=f"FROM python:3.11-slim\nRUN pip install 'torch>=2.0' -f {WHL}/torch_stable.html\n",
        good=f"FROM python:3.11-slim\nRUN pip install 'torch>=2.0' --index-url {WHL}/cu118\n",
    ),
    Twin(
        rule="index-ambiguous",
        bad=f"FROM python:3.9-slim\nRUN pip install torch==1.11.0 -f {WHL}/torch_stable.html\n",
        good=f"FROM python:3.9-slim\nRUN pip install torch==1.11.0 -f {WHL}/cu113/torch_stable.html\n",
        says="CPU, CUDA and ROCm",
    ),
    Twin(
        rule="index-ambiguous",
        files={"r.txt": "numpy\ntorch==1.11.0\n", "s.txt": "torch==1.11.0+cpu\n"},
        bad=f"FROM python:3.9-slim\nCOPY r.txt .\nRUN pip install -r r.txt -f {WHL}/torch_stable.html\n",
        good=f"FROM python:3.9-slim\nCOPY s.txt .\nRUN pip install -r s.txt -f {WHL}/torch_stable.html\n",
        line=3,
    ),
    # an index behind -f is the matter of find-links-index
    Twin(rule="index-ambiguous", good=f"FROM python:3.11-slim\nRUN pip install torch -f {WHL}/cu124/\n"),
    Twin(
        rule="index-ambiguous",
        name="requirements.txt",
        bad=f"--extra-index-url {WHL}/cu121\ntorch\nnumpy==2.1.0\n",
        good=f"--extra-index-url {WHL}/cu121\ntorch==2.5.1+cu121\nnumpy==2.1.0\n",
        line=2,
    ),
    Twin(
        rule="index-ambiguous",
        bad=f"FROM python:3.11-slim\nENV PIP_EXTRA_INDEX_URL={WHL}/cpu\nRUN pip install torch\n",
        good=f"FROM python:3.11-slim\nENV PIP_INDEX_URL={WHL}/cpu\nRUN pip install torch\n",
        line=3,
    ),
    # uv takes the first index that has the package; constraints pin; other indexes have no torch
    Twin(rule="index-ambiguous", good=f"FROM python:3.11-slim\nRUN uv pip install torch --extra-index-url {WHL}/cu118\n"),
    Twin(rule="index-ambiguous", good=f"FROM python:3.11-slim\nRUN pip install torch -c c.txt --extra-index-url {WHL}/cu118\n"),
    Twin(
        rule="index-ambiguous",
        good="FROM python:3.11-slim\nRUN pip install torch --extra-index-url https://pypi.ngc.nvidia.com\n",
    ),
    # uv-torch-backend-ignored
    Twin(
        rule="uv-torch-backend-ignored",
        bad="FROM python:3.12-slim\nENV UV_TORCH_BACKEND=cu126\nRUN uv sync --frozen\n",
        good="FROM python:3.12-slim\nENV UV_TORCH_BACKEND=cu126\nRUN uv pip install torch==2.7.0\n",
        line=2,
    ),
    Twin(
        rule="uv-torch-backend-ignored",
        bad="FROM python:3.12-slim\nRUN uv sync --frozen --torch-backend=cpu\n",
        good="FROM python:3.12-slim\nRUN uv sync --frozen\n",
        says="no option --torch-backend",
    ),
    # framework-reinstalled
    Twin(
        rule="framework-reinstalled",
        bad="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torch==2.3.0 numpy\n",
        good="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torch==2.1.0 'numpy<2'\n",
        says="torch==2.3.0 is installed again",
    ),
    Twin(
        rule="framework-reinstalled",
        bad="FROM nvcr.io/nvidia/pytorch:24.05-py3\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good="FROM nvcr.io/nvidia/pytorch:24.05-py3\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        bad_files={"requirements.txt": "transformers==4.41.0\ntorch==2.3.0\n"},
        good_files={"requirements.txt": "transformers==4.41.0\n"},
        line=3,
        says="torch==2.3.0 of requirements.txt",
    ),
    Twin(
        rule="framework-reinstalled",
        bad="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torchvision==0.15.2\n",
        good="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torchvision==0.16.0\n",
    ),
    Twin(
        rule="framework-reinstalled",
        bad="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install --upgrade torch\n",
        good="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torch\n",
    ),
    Twin(  # the first one, not the file behind it that asks for the same
        rule="framework-reinstalled",
        bad="FROM pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime\nRUN pip install torch==2.3.0\nCOPY r.txt .\n"
        "RUN pip install -r r.txt\n",
        files={"r.txt": "torch==2.3.0\n"},
        line=2,
    ),
    Twin(  # the command line says more than the file beside it
        rule="framework-reinstalled",
        bad="FROM nvcr.io/nvidia/pytorch:24.05-py3\nCOPY r.txt .\nRUN pip install -r r.txt torch==2.3.0\n",
        good="FROM nvcr.io/nvidia/pytorch:24.05-py3\nCOPY r.txt .\nRUN pip install -r r.txt torch\n",
        files={"r.txt": "torch\nnumpy\n"},
    ),
    Twin(  # --upgrade is pip's own here
        rule="framework-reinstalled",
        good="FROM pytorch/pytorch:2.4.1-cuda12.1-cudnn9-runtime\nCOPY . .\nRUN pip install --upgrade pip && pip install .\n",
        files={"pyproject.toml": "[project]\nname = 'x'\nversion = '1'\ndependencies = ['torch>=2.0']\n"},
    ),
    Twin(
        rule="framework-reinstalled",
        bad="FROM tensorflow/tensorflow:2.15.0-gpu\nRUN pip install tensorflow==2.13.0\n",
        good="FROM tensorflow/tensorflow:2.15.0-gpu\nRUN pip install 'tensorflow>=2.13' keras\n",
    ),
    Twin(rule="framework-reinstalled", good="FROM tensorflow/tensorflow:2.15.0-gpu\nRUN pip install torch==2.3.0\n"),
    Twin(
        rule="framework-reinstalled",
        bad="FROM runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.7.1\n",
        good="FROM runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04\nRUN pip install torch==2.4.0\n",
    ),
    # torch-default-is-cuda
    Twin(
        rule="torch-default-is-cuda",
        bad="FROM python:3.11-slim\nENV DEVICE=cpu\nRUN pip install torch==2.5.1\n",
        good=f"FROM python:3.11-slim\nENV DEVICE=cpu\nRUN pip install torch==2.5.1 --index-url {WHL}/cpu\n",
        line=3,
        says="DEVICE is cpu",
    ),
    Twin(
        rule="torch-default-is-cuda",
        name="Dockerfile.cpu",
        bad="FROM python:3.11-slim\nRUN pip install torch\n",
        good="FROM python:3.11-slim\nRUN pip install torch==2.5.1+cpu\n",
    ),
    Twin(rule="torch-default-is-cuda", good="FROM python:3.11-slim\nRUN pip install torch==2.5.1\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)


def test_every_release_has_a_build_for_the_cuda_of_pypi() -> None:
    releases = torch_table.releases()
    assert len(releases) > 40
    assert all(row.pypi in row.cuda for row in releases.values() if row.cuda)
    assert list(releases) == sorted(releases, key=lambda version: [int(part) for part in version.split(".")])


def test_a_release_is_found_by_its_short_and_its_local_version() -> None:
    assert torch_table.release_of("2.1") is torch_table.release_of("2.1.0+cu121") is torch_table.releases()["2.1.0"]
    assert torch_table.newest("<2.4") == "2.3.1"
    assert torch_table.newest("=2.4") == ""
    assert torch_table.torch_for("torchvision", "0.16.0+cu118") == ("2.1.0",)


def test_what_onnxruntime_loads_goes_by_its_version() -> None:
    assert [
        row.cuda if (row := torch_table.onnxruntime_loads(each)) else "" for each in ("1.16.3", "1.20.1", "1.30.0", "x")
    ] == [
        "11.0",
        "12.0",
        "",
        "",
    ]
