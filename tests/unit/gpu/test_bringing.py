"""Libraries of CUDA that nothing brings, and what to require for them."""

from __future__ import annotations

import pytest

from shipwheel.gpu.bringing import how_to_bring, is_of_cuda


@pytest.mark.parametrize(
    "name", ["libcublas.so.12", "libcudnn.so.9", "libcudnn_adv.so.9", "libnvshmem_host.so.3", "libnccl.so.2"]
)
def test_libraries_of_cuda(name: str) -> None:
    assert is_of_cuda(name)


@pytest.mark.parametrize("name", ["libGL.so.1", "libcuda.so.1", "libcublas.so", "libcublas_more.so.12", "libnvinfer.so.10"])
def test_others(name: str) -> None:
    assert not is_of_cuda(name)


@pytest.mark.parametrize(
    ("owner", "libraries", "remedy"),
    [
        ("onnxruntime-gpu", ["libcublas.so.13"], "require onnxruntime-gpu[cuda,cudnn]"),
        ("fast", ["libcudart.so.12", "libcufft.so.11"], "require nvidia-cuda-runtime-cu12, nvidia-cufft-cu12"),
        ("fast", ["libcublasLt.so.13", "libcudnn.so.9", "libcublas.so.13"], "require nvidia-cublas, nvidia-cudnn-cu13"),
        ("fast", ["libcurand.so.10"], "require the nvidia-* packages that have them"),
    ],
)
def test_what_to_require(owner: str, libraries: list[str], remedy: str) -> None:
    assert how_to_bring(owner, libraries) == remedy
