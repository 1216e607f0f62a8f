"""Extensions that are compiled for CUDA."""

from pathlib import Path

import pytest

from support.linting import Twin

DEVEL = "FROM pytorch/pytorch:2.4.0-cuda12.1-cudnn9-devel\n"
RUNTIME = "FROM pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime\n"

TWINS = [
    # cuda-ext-no-arch
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN FORCE_CUDA=1 pip install 'git+https://github.com/facebookresearch/detectron2.git@v0.6'\n",
        good=f"{DEVEL}ENV TORCH_CUDA_ARCH_LIST='8.0;9.0'\nRUN FORCE_CUDA=1 pip install 'git+https://github.com/facebookresearch/detectron2.git@v0.6'\n",
        line=2,
        says="detectron2",
    ),
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}COPY ops ops\nRUN cd ops && python setup.py build_ext --inplace\n",
        good=f"{DEVEL}COPY ops ops\nRUN export TORCH_CUDA_ARCH_LIST=8.6 && cd ops && python setup.py build_ext --inplace\n",
        line=3,
    ),
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN pip install git+https://github.com/rusty1s/pytorch_scatter.git\n",
        good=f"{DEVEL}ARG TORCH_CUDA_ARCH_LIST=8.6\nRUN pip install git+https://github.com/rusty1s/pytorch_scatter.git\n",
        says="torch-scatter",
    ),
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN pip install git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch\n",
        good=f"{DEVEL}ENV TCNN_CUDA_ARCHITECTURES=86\nRUN pip install git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch\n",
        says="TCNN_CUDA_ARCHITECTURES",
    ),
    Twin(  # cloned, and installed from its folder, at once or later
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN git clone https://github.com/NVIDIA/apex && cd apex && pip install -v --no-build-isolation .\n",
        good=f"{DEVEL}RUN git clone https://github.com/NVIDIA/apex && cd apex && TORCH_CUDA_ARCH_LIST=8.0 pip install .\n",
        says="apex",
    ),
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN git clone https://github.com/facebookresearch/detectron2 d2\nRUN pip install --user -e d2\n",
        good=f"{DEVEL}RUN git clone https://github.com/facebookresearch/fvcore d2\nRUN pip install --user -e d2\n",
        line=3,
    ),
    Twin(
        rule="cuda-ext-no-arch",
        bad=f"{DEVEL}RUN git clone https://github.com/NVIDIA/apex.git && cd apex && python setup.py install --cuda_ext\n",
        good=f"{DEVEL}RUN git clone https://github.com/NVIDIA/dllogger.git && cd dllogger && python setup.py install\n",
    ),
    # C and Cython, without CUDA
    Twin(
        rule="cuda-ext-no-arch",
        good=f"{DEVEL}RUN git clone https://example.com/x/cocoapi && cd cocoapi && python setup.py build_ext install\n",
    ),
    # FlashAttention lists its architectures itself; wheels are not compiled; without nvcc it is the other rule's matter
    Twin(rule="cuda-ext-no-arch", good=f"{DEVEL}RUN pip install flash-attn==2.6.3 --no-build-isolation\n"),
    Twin(
        rule="cuda-ext-no-arch",
        good=f"{DEVEL}RUN pip install torch-scatter -f https://data.pyg.org/whl/torch-2.4.0+cu121.html\n",
    ),
    Twin(rule="cuda-ext-no-arch", good=f"{DEVEL}RUN pip install xformers==0.0.27\n"),
    Twin(rule="cuda-ext-no-arch", good="FROM gcc:13\nRUN python setup.py build_ext --inplace\n"),
    # cuda-ext-no-nvcc
    Twin(
        rule="cuda-ext-no-nvcc",
        bad=f"{RUNTIME}RUN pip install flash-attn==2.6.3 --no-build-isolation\n",
        good=f"{DEVEL}RUN pip install flash-attn==2.6.3 --no-build-isolation\n",
        line=2,
    ),
    Twin(
        rule="cuda-ext-no-nvcc",
        bad="FROM python:3.11-slim\nRUN pip install torch==2.4.0\nRUN pip install mamba-ssm causal-conv1d\n",
        good="FROM python:3.11-slim\nRUN pip install torch==2.4.0\n"
        "RUN pip install https://github.com/state-spaces/mamba/releases/download/v2.2.2/mamba_ssm-2.2.2+cu122torch2.4-cp311-cp311-linux_x86_64.whl\n",
        line=3,
        says="mamba-ssm, causal-conv1d",
    ),
    Twin(
        rule="cuda-ext-no-nvcc",
        bad="FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN CMAKE_ARGS='-DGGML_CUDA=on' pip install llama-cpp-python\n",
        good="FROM nvidia/cuda:12.4.1-devel-ubuntu22.04\nRUN CMAKE_ARGS='-DGGML_CUDA=on' pip install llama-cpp-python\n",
    ),
    Twin(
        rule="cuda-ext-no-nvcc",
        bad=f"{RUNTIME}RUN FORCE_CUDA=1 pip install 'git+https://github.com/facebookresearch/pytorch3d.git@stable'\n",
        good=f"{RUNTIME}RUN pip install 'git+https://github.com/facebookresearch/pytorch3d.git@stable'\n",
    ),
    Twin(
        rule="cuda-ext-no-nvcc",
        bad="FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nCOPY k.cu .\nRUN nvcc -o k k.cu\n",
        good="FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nCOPY k.cu .\nRUN apt-get install -y cuda-nvcc-12-4 && nvcc -o k k.cu\n",
    ),
    Twin(rule="cuda-ext-no-nvcc", good=f"{RUNTIME}RUN conda install -y -c nvidia cuda-nvcc && pip install flash-attn\n"),
    Twin(rule="cuda-ext-no-nvcc", good=f"{RUNTIME}RUN FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE pip install flash-attn\n"),
    Twin(rule="cuda-ext-no-nvcc", good=f'{RUNTIME}ARG FLASH\nRUN if [ -n "$FLASH" ]; then pip install flash-attn; fi\n'),
    Twin(rule="cuda-ext-no-nvcc", good="FROM my/base:1.0\nRUN pip install flash-attn\n"),
    Twin(rule="cuda-ext-no-nvcc", good="FROM python:3.11-slim\nRUN pip install llama-cpp-python\n"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins(twin: Twin, tmp_path: Path) -> None:
    twin.check(tmp_path)
