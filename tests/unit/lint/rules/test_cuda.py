"""CUDA of the base against that of the packages."""

from pathlib import Path

import pytest

from support.linting import Twin

RUNTIME = "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n"
WHL = "https://download.pytorch.org/whl"

TWINS = [
    # cuda-duplicate
    Twin(
        rule="cuda-duplicate",
        bad="FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04\nRUN pip3 install torch==2.3.0\n",
        good="FROM nvidia/cuda:12.1.1-base-ubuntu22.04\nRUN pip3 install torch==2.3.0\n",
        line=2,
        says="torch==2.3.0 brings CUDA 12.1",
    ),
    Twin(
        rule="cuda-duplicate",
        bad="FROM nvidia/cuda:12.1.1-devel-ubuntu22.04 AS b\nFROM b\nCOPY *.txt .\nRUN pip3 install -r requirements.txt\n",
        good="FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip3 install -r requirements.txt\n",
        files={"requirements.txt": "torch==2.3.0\ntransformers\n"},
        line=4,
    ),
    Twin(
        rule="cuda-duplicate",
        bad="FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install 'tensorflow[and-cuda]==2.15.1'\n",
        good="FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN pip3 install tensorflow==2.15.1\n",
    ),
    Twin(
        rule="cuda-duplicate",
        bad="FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install -U 'jax[cuda12]'\n",
        good="FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install -U jax\n",
    ),
    Twin(
        rule="cuda-duplicate",
        bad="FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install sentence-transformers==3.0.1\n",
        good=f"FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install sentence-transformers --index-url {WHL}/cpu\n",
        says="its own CUDA",
    ),
    # what takes CUDA from the system needs the base; a stage that compiles needs its nvcc; a builder is thrown away
    Twin(
        rule="cuda-duplicate",
        good="FROM nvidia/cuda:12.3.2-cudnn9-runtime-ubuntu22.04\nRUN pip3 install torch==2.4.0 faster-whisper==1.1.0\n",
    ),
    Twin(
        rule="cuda-duplicate",
        good="FROM nvidia/cuda:12.1.1-devel-ubuntu22.04\nRUN pip3 install torch\nRUN python3 setup.py install\n",
    ),
    Twin(
        rule="cuda-duplicate",
        good="FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04 AS b\nRUN pip3 install torch\nFROM debian\nCOPY --from=b /m /m\n",
    ),
    Twin(rule="cuda-duplicate", good=RUNTIME + "RUN pip3 install torch && python3 convert.py && pip3 uninstall -y torch\n"),
    # cuda-wheel-mismatch
    Twin(
        rule="cuda-wheel-mismatch",
        bad=f"FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip3 install torch==2.4.1 --index-url {WHL}/cu118\n",
        good=f"FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip3 install torch==2.4.1 --index-url {WHL}/cu121\n",
        says="is built for CUDA 11.8",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:11.8.0-runtime-ubuntu22.04\nRUN pip3 install torch==2.4.1\n",
        good="FROM nvidia/cuda:11.8.0-runtime-ubuntu22.04\nRUN pip3 install torch==2.4.1+cu118\n",
        says="CUDA 12.1",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:11.8.0-runtime-ubuntu22.04\nRUN pip3 install torch\n",
        good="FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04\nRUN pip3 install torch\n",
        says="without a version is now built for CUDA 13",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN pip3 install tensorflow==2.13.0\n",
        good="FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip3 install tensorflow==2.11.0\n",
        says="loads CUDA 11.8",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04\nRUN pip3 install tensorflow==2.16.1\n",
        good="FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04\nRUN pip3 install tensorflow==2.18.0\n",
        says="loads cuDNN 8",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nRUN pip3 install onnxruntime-gpu==1.20.1\n",
        good="FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04\nRUN pip3 install onnxruntime-gpu==1.20.1\n",
        says="-base image has none",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:11.8.0-runtime-ubuntu22.04\nRUN pip3 install cupy-cuda12x==13.3.0\n",
        good="FROM nvidia/cuda:12.2.2-runtime-ubuntu22.04\nRUN pip3 install cupy-cuda12x==13.3.0\n",
    ),
    # without a version it is the newest; an older CTranslate2 is there for those who stay with CUDA 11
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:11.7.1-cudnn8-runtime-ubuntu22.04\nRUN pip3 install faster-whisper\n",
        good="FROM nvidia/cuda:12.3.2-cudnn9-runtime-ubuntu22.04\nRUN pip3 install faster-whisper\n",
        says="loads CUDA 12",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:12.3.2-base-ubuntu22.04\nRUN pip3 install 'faster-whisper>=1.0.3'\n",
        good="FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip3 install faster-whisper ctranslate2==3.24.0\n",
        says="-base image has none",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04\nRUN pip3 install faster-whisper==0.10.0\n",
        good="FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip3 install faster-whisper==0.10.0 'faster-whisper<1'\n",
        says="loads CUDA 11",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        good="FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04\nRUN pip3 install 'faster-whisper<1'\n",
    ),
    # pip keeps what the base has in the very version that is asked for
    Twin(
        rule="cuda-wheel-mismatch",
        bad="FROM pytorch/pytorch:2.1.0-cuda11.8-cudnn8-runtime\nRUN pip install torch==2.2.0\n",
        good="FROM pytorch/pytorch:2.1.0-cuda11.8-cudnn8-runtime\nRUN pip install torch==2.1.0\n",
        says="CUDA 12.1",
    ),
    # extras bring it, other packages choose the version, a requirements file that is not there may too
    Twin(
        rule="cuda-wheel-mismatch",
        good="FROM nvidia/cuda:11.8.0-base-ubuntu22.04\nRUN pip3 install 'onnxruntime-gpu[cuda,cudnn]==1.22.0' \n",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        good=RUNTIME + "RUN pip3 install torch xformers==0.0.27\n",
    ),
    Twin(
        rule="cuda-wheel-mismatch",
        good=RUNTIME + "RUN pip3 install torch && pip3 install -r r.txt\n",
    ),
    # cpu-torch-on-gpu-base
    Twin(
        rule="cpu-torch-on-gpu-base",
        bad=RUNTIME + f"RUN pip3 install torch==2.4.1 --index-url {WHL}/cpu\n",
        good=f"FROM python:3.12-slim\nRUN pip3 install torch==2.4.1 --index-url {WHL}/cpu\n",
    ),
    Twin(
        rule="cpu-torch-on-gpu-base",
        bad=RUNTIME + "RUN pip3 install tensorflow-cpu==2.15.0\n",
        good=RUNTIME + "RUN pip3 install tensorflow==2.18.0 torch==2.4.1+cpu\n",
    ),
    Twin(  # a lock holds the builds of every extra
        rule="cpu-torch-on-gpu-base",
        good=RUNTIME + "WORKDIR /app\nCOPY pyproject.toml uv.lock ./\nRUN uv sync --frozen --extra cu126\n",
        files={
            "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n',
            "uv.lock": '[[package]]\nname = "torch"\nversion = "2.7+cu126"\n[[package]]\nname = "torch"\nversion = "2.7+cpu"\n',
        },
    ),
    # gpu-base-no-gpu-package
    Twin(
        rule="gpu-base-no-gpu-package",
        bad=RUNTIME + "RUN apt-get install -y python3-pip\nRUN pip3 install flask==3.0.0 scikit-learn==1.5.0\n",
        good=RUNTIME + "RUN apt-get install -y python3-pip\nRUN pip3 install flask==3.0.0 torch==2.4.1\n",
        line=1,
        says="flask, scikit-learn",
    ),
    Twin(
        rule="gpu-base-no-gpu-package",
        good=RUNTIME + "RUN pip3 install flask -r requirements.txt\n",
    ),
    Twin(
        rule="gpu-base-no-gpu-package",
        good="FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN pip3 install numpy && nvcc -o a a.cu\n",
    ),
    Twin(
        rule="gpu-base-no-gpu-package",
        good=RUNTIME + "RUN pip3 install flask my-own-model\n",
    ),
    # gpu-package-on-cpu-base
    Twin(
        rule="gpu-package-on-cpu-base",
        bad="FROM python:3.11-slim\nRUN pip install cupy-cuda12x==13.3.0\n",
        good="FROM python:3.11-slim\nRUN pip install 'cupy-cuda12x[ctk]==14.0.0'\n",
        says="loads CUDA 12",
    ),
    Twin(
        rule="gpu-package-on-cpu-base",
        bad="FROM python:3.9-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        good="FROM nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu20.04\nCOPY *.txt .\nRUN pip install -r requirements.txt\n",
        files={"requirements.txt": "onnxruntime-gpu==1.16.3\n"},
        line=3,
    ),
    Twin(
        rule="gpu-package-on-cpu-base",
        bad="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y nvidia-driver-535 python3\n",
        good="FROM ubuntu:22.04\nRUN apt-get update && apt-get install -y python3\n",
        says="puts a driver",
    ),
    # wheels that bring CUDA are fine on slim; torch's libraries serve ONNX Runtime; TensorFlow without a GPU is a choice
    Twin(rule="gpu-package-on-cpu-base", good="FROM python:3.11-slim\nRUN pip install torch==2.4.1 vllm==0.6.0\n"),
    Twin(rule="gpu-package-on-cpu-base", good="FROM python:3.11-slim\nRUN pip install torch==2.4.1 onnxruntime-gpu==1.20.1\n"),
    Twin(rule="gpu-package-on-cpu-base", good="FROM python:3.11-slim\nRUN pip install tensorflow==2.13.0\n"),
    Twin(
        rule="gpu-package-on-cpu-base",
        good="FROM debian:12\nRUN apt-get install nvidia-cuda-toolkit && pip install cupy-cuda12x\n",
    ),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
