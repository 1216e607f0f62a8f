"""Which CUDA wheels need, and what an image says of it."""

from __future__ import annotations

import pytest

from shipwheel.gpu.code import Code, Library
from shipwheel.gpu.compatibility import newest_cuda, parse_codes, parse_version
from shipwheel.gpu.cuda import environment_of, labels_of, needs_of, of_labels
from shipwheel.lock import Accelerator

TORCH = [
    ("torch", "2.15.0"), ("triton", "3.9.0"), ("cuda-bindings", "13.5.0"), ("cuda-pathfinder", "1.9.0"),
    ("cuda-toolkit", "13.2.2"), ("nvidia-cublas", "13.4.1.3"), ("nvidia-cuda-cupti", "13.2.86"),
    ("nvidia-cuda-nvrtc", "13.2.86"), ("nvidia-cuda-runtime", "13.2.86"), ("nvidia-cudnn-cu13", "9.26.0.51"),
    ("nvidia-cufft", "12.2.0.57"), ("nvidia-nccl-cu13", "2.30.7"), ("nvidia-nvjitlink", "13.5.37"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wheels", "cuda"),
    [
        ([("nvidia-cuda-runtime-cu12", "12.6.77")], "12.6"),
        ([("nvidia-cuda-runtime", "13.0.48")], "13.0"),
        (TORCH, "13.2"),
        ([("torch", "2.6.0+cu126")], "12.6"),
        ([("torch", "2.0.1+cu118"), ("torchvision", "0.15.2+cu118")], "11.8"),
        ([("jaxlib", "0.4.25+cuda12.cudnn89")], "12"),
        ([("flash-attn", "2.8.3+cu12torch2.8cxx11abifalse")], "12"),
        ([("torch-scatter", "2.1.2+pt26cu124")], "12.4"),
        ([("cupy-cuda12x", "14.2.0")], "12"),
        ([("cupy-cuda112", "10.6.0")], "11.2"),
        ([("jax-cuda12-plugin", "0.12.0"), ("jax-cuda12-pjrt", "0.12.0"), ("jaxlib", "0.12.0")], "12"),
        ([("cudf-cu12", "26.10.2"), ("libcudf-cu12", "26.10.2")], "12"),
        ([("faiss-gpu-cu12", "1.14.1"), ("nvidia-cuda-runtime-cu12", "12.9.79")], "12.9"),
        ([("tensorrt-cu13-libs", "11.4.0.106")], "13"),
        ([("nvidia-dali-cuda120", "1.40.0")], "12.0"),
        ([("nvidia-cublas-cu12", "12.9.3.13"), ("nvidia-cudnn-cu12", "9.28.0.42")], "12"),
        ([("mxnet-cu112", "1.9.1")], "11.2"),
        ([("onnxruntime-gpu", "1.18.1")], "11"),
        ([("onnxruntime-gpu", "1.26.0")], "12"),
        ([("onnxruntime-gpu", "1.31.1")], "13"),
        ([("paddlepaddle-gpu", "2.6.1.post120")], "12.0"),
        ([("paddlepaddle-gpu", "2.6.2")], "11"),
        ([("torch", "2.6.0+cu124"), ("cupy-cuda13x", "14.2.0")], "13"),
    ],
)  # fmt: skip
def test_wheels_say_which_cuda_they_need(wheels: list[tuple[str, str]], cuda: str) -> None:
    needs = needs_of(wheels, (), ())
    assert needs
    assert (needs.kind, needs.version) == ("cuda", cuda)


@pytest.mark.parametrize(
    "wheels",
    [
        [("numpy", "2.3.0"), ("torch", "2.6.0+cpu")],
        [("torch", "2.6.0"), ("triton", "3.2.0"), ("bitsandbytes", "0.50.2")],  # on arm64 PyPI's torch is for CPUs
        [("xgboost", "3.4.1"), ("nvidia-nccl-cu13", "2.32.3")],
        [("lightgbm", "4.6.0"), ("catboost", "1.2.8"), ("tensorflow", "2.21.0"), ("jaxlib", "0.12.0"), ("faiss-cpu", "1.15.1")],
        [("cuda-python", "13.0.0"), ("cuda-bindings", "13.0.0"), ("nvidia-ml-py", "13.615.71"), ("numba-cuda", "0.30.4")],
    ],
)  # fmt: skip
def test_packages_that_run_without_a_gpu_need_none(wheels: list[tuple[str, str]]) -> None:
    library = Library(path="lib/libxgboost.so", owner="xgboost", codes=(Code(kind="cubin", architecture=80),))
    assert needs_of(wheels, [library], ["libgomp.so.1", "libnccl.so.2"]) is None


@pytest.mark.parametrize(
    ("soname", "cuda"),
    [
        ("libcudart.so.12", "12"), ("libcudart-9335f6a2.so.12.4.127", "12.4"), ("libcudart.so.11.0", "11"),
        ("libcublas.so.13", "13"), ("libcublasLt-0a1b2c3d.so.12.6.4.1", "12"), ("libnvrtc-b51b459d.so.12", "12"),
    ],
)  # fmt: skip
def test_libraries_that_wheels_bring_say_which_cuda(soname: str, cuda: str) -> None:
    needs = needs_of([("torch", "2.4.0")], (), [soname])
    assert needs
    assert needs.version == cuda


@pytest.mark.parametrize("soname", ["libcufft.so.11", "libcudnn.so.9", "libcuda.so.1", "libcudart_static.a", "libz.so.1"])
def test_libraries_with_numbers_of_their_own_say_nothing(soname: str) -> None:
    assert needs_of([], (), [soname]) is None


@pytest.mark.parametrize(
    ("wheels", "sonames", "version"),
    [
        ([("torch", "2.4.0+rocm6.2")], [], "6.2"),
        ([("torch", "2.4.0+rocm6.2.4"), ("pytorch-triton-rocm", "3.1.0")], ["libamdhip64.so.6"], "6.2.4"),
        ([("jax-rocm7-plugin", "0.9.0")], [], "7"),
        ([("rocm-sdk-core", "7.1.0")], ["libamdhip64.so.7"], "7"),
        ([], ["libamdhip64.so.6"], "6"),
    ],
)  # fmt: skip
def test_rocm_is_known_alike(wheels: list[tuple[str, str]], sonames: list[str], version: str) -> None:
    assert needs_of(wheels, (), sonames) == Accelerator(kind="rocm", version=version)


def test_the_driver_is_the_minimum_of_minor_version_compatibility_unless_all_code_is_ptx() -> None:
    cubins = Library(path="a.so", owner="a", codes=(Code(kind="cubin", architecture=80), Code(kind="ptx", architecture=90)))
    ptx = Library(path="b.so", owner="b", codes=(Code(kind="ptx", architecture=70), Code(kind="lto", architecture=70)))
    needs = [needs_of([("torch", "2.6.0+cu126")], libraries, ()) for libraries in ([cubins], [cubins, ptx], [ptx])]
    assert [each and each.driver for each in needs] == ["525.60.13", "525.60.13", "560.28.03"]
    assert [each and each.architectures for each in needs] == ["sm_80 compute_90", "sm_80 compute_90", "compute_70"]


def test_libraries_with_a_special_purpose_take_no_architecture_from_the_image() -> None:
    torch = Library(path="lib/libtorch_cuda.so", owner="torch", codes=parse_codes("sm_75 sm_80"))
    sparse = Library(path="lib/libcusparseLt.so.0", owner="nvidia-cusparselt-cu12", codes=parse_codes("sm_80"))
    needs = needs_of([("torch", "2.6.0+cu126")], [torch, sparse], ())
    assert needs
    assert needs.architectures == "sm_75 sm_80"


@pytest.mark.parametrize(
    ("accelerator", "required"),
    [
        (Accelerator(kind="cuda", version="12.6", driver="525.60.13"), "cuda>=12.0"),
        (Accelerator(kind="cuda", version="12", driver="525.60.13"), "cuda>=12.0"),
        (Accelerator(kind="cuda", version="13.2", driver="580.65.06"), "cuda>=13.0"),
        (Accelerator(kind="cuda", version="12.6", driver="560.28.03"), "cuda>=12.6"),
        (Accelerator(kind="cuda", version="10.2", driver="440.33"), "cuda>=10.2"),
    ],
)  # fmt: skip
def test_the_container_toolkit_is_asked_for_a_driver_that_is_enough_and_no_newer(
    accelerator: Accelerator, required: str
) -> None:
    assert environment_of(accelerator) == {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": required,
    }
    asked = parse_version(required.removeprefix("cuda>="))
    assert parse_version(newest_cuda(accelerator.driver)) == asked  # what the toolkit compares: the driver's newest CUDA


def test_rocm_has_no_variables_of_nvidia() -> None:
    assert environment_of(Accelerator(kind="rocm", version="6.2")) == {}


def test_labels_say_all_and_can_be_read_again() -> None:
    accelerator = Accelerator(kind="cuda", version="12.6", driver="525.60.13", architectures="sm_80 sm_90 compute_90")
    assert labels_of(accelerator) == {
        "dev.shipwheel.cuda": "12.6",
        "dev.shipwheel.driver": "525.60.13",
        "dev.shipwheel.architectures": "sm_80 sm_90 compute_90",
    }
    for each in (accelerator, Accelerator(kind="rocm", version="6.2")):
        assert of_labels(labels_of(each)) == each
    assert of_labels({"dev.shipwheel.serve": "1"}) is None
