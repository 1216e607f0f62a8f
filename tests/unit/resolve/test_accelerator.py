"""What names and versions of packages say of CPU and GPU, and which of them contradict each other."""

from __future__ import annotations

import pytest

from shipwheel.resolve.accelerator import (
    Package,
    Sign,
    asking,
    brought,
    contradictions,
    missing,
    mixed,
    on_gpu,
    roots,
    sign_of,
    unwanted,
)


def package(text: str, *via: str) -> Package:
    name, version = text.split("==")
    return Package(name=name, version=version, via=via)


TORCH = (
    package("torch==2.7.1", "torchvision", "requirements.txt"),
    package("nvidia-cublas-cu12==12.6.4.1", "nvidia-cudnn-cu12", "torch"),
    package("nvidia-cudnn-cu12==9.5.1.17", "torch"),
    package("nvidia-cuda-runtime-cu12==12.6.77", "torch"),
    package("torchvision==0.22.1", "requirements.txt"),
)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("torch==2.7.1+cpu", Sign(kind="cpu", role="build")),
        ("torch==2.7.1+cpu.cxx11.abi", Sign(kind="cpu", role="build")),
        ("torch==2.7.1+cu126", Sign(kind="cuda", role="build", version="12.6")),
        ("torch==2.0.1+cu118", Sign(kind="cuda", role="build", version="11.8")),
        ("torch==2.9.0+cu130", Sign(kind="cuda", role="build", version="13.0")),
        ("torch==2.7.1+rocm6.3", Sign(kind="rocm", role="build", version="6.3")),
        ("flash-attn==2.7.4.post1+cu12torch2.7cxx11abitrue", Sign(kind="cuda", role="build", version="12")),
        ("jaxlib==0.4.13+cuda12.cudnn89", Sign(kind="cuda", role="build", version="12")),
        ("torch-scatter==2.1.2+pt26cu124", Sign(kind="cuda", role="build", version="12.4")),
        ("nvidia-cublas-cu12==12.6.4.1", Sign(kind="cuda", role="library", version="12")),
        ("nvidia-cublas==13.10.0.20", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-cublas==14.0.1.2", Sign(kind="cuda", role="library", version="14")),
        ("nvidia-curand==10.4.5.25", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-cufft==12.5.0.14", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-nvjitlink==13.5.37", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-cuda-runtime-cu13==0.0.1", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-curand-cu13==0.0.1", Sign(kind="cuda", role="library", version="13")),
        ("nvidia-cublas==0.0.1.dev5", Sign(kind="cuda", role="library")),
        ("cuda-bindings==12.9.4", Sign(kind="cuda", role="library")),
        ("nvidia-cuda-runtime==13.0.96", Sign(kind="cuda", role="library", version="13.0")),
        ("nvidia-cuda-runtime-cu12==12.6.77", Sign(kind="cuda", role="library", version="12.6")),
        ("cuda-toolkit==13.0.2", Sign(kind="cuda", role="library", version="13.0")),
        ("cupy-cuda12x==13.4.1", Sign(kind="cuda", role="purpose", version="12")),
        ("cudf-cu12==25.4.0", Sign(kind="cuda", role="purpose", version="12")),
        ("jax-cuda12-plugin==0.6.0", Sign(kind="cuda", role="purpose", version="12")),
        ("tensorrt-cu12-libs==10.9", Sign(kind="cuda", role="purpose", version="12")),
        ("mxnet-cu112==1.9.1", Sign(kind="cuda", role="purpose", version="11.2")),
        ("onnxruntime-gpu==1.22.0", Sign(kind="cuda", role="purpose")),
        ("jax-rocm60-plugin==0.6.0", Sign(kind="rocm", role="purpose", version="60")),
        ("pytorch-triton-rocm==3.3.1", Sign(kind="rocm", role="library")),
        ("nvidia-ml-py==12.575.51", None),
        ("nvidia-cudnn-frontend==1.12.0", None),
        ("torch==2.7.1", None),
        ("scipy==1.16.0+local.build", None),
        ("cuda-pathfinder==1.1.0", None),
    ],
)
def test_names_and_versions_say_what_a_package_is_for(text: str, sign: Sign | None) -> None:
    name, version = text.split("==")
    assert sign_of(name, version) == sign


def test_who_brings_a_library_is_found_above_other_libraries() -> None:
    known = {each.name: each for each in TORCH}
    assert [str(each) for each in roots(known["nvidia-cublas-cu12"], known)] == ["torch 2.7.1"]
    assert brought(known["nvidia-cublas-cu12"], known) == ", pulled in by torch 2.7.1"
    unnamed = {**known, "torch": package("torch==2.7.1", "torchvision")}
    assert brought(known["nvidia-cublas-cu12"], unnamed) == ", pulled in by torch 2.7.1 of torchvision 0.22.1"
    assert brought(known["torchvision"], known) == ", named in requirements.txt"
    assert brought(package("nvidia-cublas-cu12==1"), {}) == ""


def test_what_the_project_names_comes_before_what_comes_along() -> None:
    packages = (
        package("nvidia-cublas-cu12==12.6.4.1", "a-tool", "torch"),
        package("a-tool==1.0", "tuner"),
        package("tuner==1.0", "requirements.txt"),
        package("torch==2.7.1", "tuner", "requirements.txt"),
    )
    known = {each.name: each for each in packages}
    assert brought(packages[0], known) == ", pulled in by torch 2.7.1, a-tool 1.0 of tuner 1.0"


def test_libraries_that_come_the_same_way_are_one_line() -> None:
    assert list(unwanted(TORCH)) == ["nvidia-cublas-cu12 12.6.4.1 and 2 more, pulled in by torch 2.7.1"]
    direct = package("nvidia-cublas-cu12==12.6.4.1", "requirements.txt")
    assert list(unwanted([direct])) == ["nvidia-cublas-cu12 12.6.4.1, named in requirements.txt"]
    assert list(unwanted([package("torch==2.7.1+cu126")])) == ["torch 2.7.1+cu126"]


def test_what_is_named_or_for_gpus_only_is_a_line_each() -> None:
    named = [package("cupy-cuda12x==13.0", "requirements.txt"), package("onnxruntime-gpu==1.22", "requirements.txt")]
    assert [line.split(" ")[0] for line in unwanted(named)] == ["cupy-cuda12x", "onnxruntime-gpu"]
    unknown = [package("nvidia-cublas-cu12==12.5"), package("nvidia-cudnn-cu12==9.5"), package("onnxruntime-gpu==1.22")]
    assert list(unwanted(unknown)) == ["onnxruntime-gpu 1.22", "nvidia-cublas-cu12 12.5 and 1 more"]


def test_torch_and_xgboost_do_not_ask_for_the_gpu_whose_libraries_they_bring() -> None:
    xgboost = (package("xgboost==3.0.0", "requirements.txt"), package("nvidia-nccl-cu12==2.27.3", "xgboost"))
    assert asking(TORCH) is None
    assert asking(xgboost) is None
    assert on_gpu(TORCH)
    assert not on_gpu((package("torch==2.7.1+cpu"), *xgboost))


@pytest.mark.parametrize(
    ("packages", "who"),
    [
        ([package("nvidia-cublas-cu12==12.6.4.1", "requirements.txt")], "nvidia-cublas-cu12 12.6.4.1"),
        (
            [package("tensorflow==2.19.0", "requirements.txt"), package("nvidia-cublas-cu12==12.5", "tensorflow")],
            "tensorflow 2.19.0",
        ),
        ([package("jax==0.6", "r"), package("jax-cuda12-plugin==0.6", "jax")], "jax-cuda12-plugin 0.6"),
        ([*TORCH, package("flash-attn==2.8", "vllm"), package("vllm==0.10", "requirements.txt")], "vllm 0.10"),
    ],
    ids=["named", "tensorflow[and-cuda]", "jax[cuda12]", "vllm"],
)
def test_who_asks_for_a_gpu(packages: list[Package], who: str) -> None:
    assert str(asking(packages)) == who


@pytest.mark.parametrize(
    ("torch", "other", "problem"),
    [
        ("2.7.1+cu126", "torchvision==0.22.1+cu118", "is built for CUDA 11.8, torch 2.7.1+cu126 for CUDA 12.6"),
        ("2.7.1+cpu", "torchaudio==2.7.1+cu126", "is built for CUDA 12.6, torch 2.7.1+cpu for the CPU"),
        ("2.7.1+rocm6.3", "torchvision==0.22.1+cu126", "is built for CUDA 12.6, torch 2.7.1+rocm6.3 for ROCm 6.3"),
        ("2.7.1+cpu", "torchvision==0.22.1", "is built for CUDA, torch 2.7.1+cpu for the CPU"),
        ("2.7.1+rocm6.3", "torchvision==0.22.1", "is built for CUDA, torch 2.7.1+rocm6.3 for ROCm 6.3"),
        ("2.6.0+cu124", "flash-attn==2.7.4+cu12torch2.7", "is built for torch 2.7, and the image has torch 2.6.0+cu124"),
        ("2.7.1+cu126", "xformers==0.0.30+cu118", "is built for CUDA 11.8, torch 2.7.1+cu126 for CUDA 12.6"),
    ],
)
def test_torch_and_what_loads_its_libraries_are_built_for_the_same(torch: str, other: str, problem: str) -> None:
    found = contradictions([package(f"torch=={torch}"), package(other)], "amd64")
    assert next(found) == f"{package(other)} {problem}"


def test_the_cuda_of_a_torch_without_local_version_is_that_which_comes_along() -> None:
    others = [each for each in TORCH if each.name != "torchvision"]
    found = list(contradictions([*others, package("torchvision==0.22.1+cpu")], "amd64"))
    assert found == ["torchvision 0.22.1+cpu is built for the CPU, torch 2.7.1 for CUDA 12.6"]
    assert not list(contradictions([*others, package("torchvision==0.22.1+cu126")], "amd64"))


def test_what_fits_is_no_contradiction() -> None:
    fitting = [
        (TORCH, "amd64"),
        ([package("torch==2.7.1+cpu"), package("torchvision==0.22.1+cpu")], "amd64"),
        ([package("torch==2.7.1+cpu"), package("torchvision==0.22.1")], "arm64"),
        ([package("torch==2.7.1+cu126"), package("flash-attn==2.7.4+cu12torch2.7cxx11abifalse")], "amd64"),
        ([package("nvidia-cutlass-dsl-libs-cu12==4.8"), package("nvidia-cutlass-dsl-libs-cu13==4.8")], "amd64"),
    ]
    assert [list(contradictions(packages, architecture)) for packages, architecture in fitting] == [[]] * len(fitting)


def test_two_major_versions_of_cuda_name_who_brings_each() -> None:
    packages = [
        package("torch==2.15.0", "requirements.txt"),
        package("nvidia-nccl-cu13==2.30", "torch"),
        package("xgboost==3.2.0", "requirements.txt"),
        package("nvidia-nccl-cu12==2.32.3", "xgboost"),
    ]
    assert list(contradictions(packages, "amd64")) == [
        "CUDA 12: nvidia-nccl-cu12 2.32.3, pulled in by xgboost 3.2.0",
        "CUDA 13: nvidia-nccl-cu13 2.30, pulled in by torch 2.15.0",
    ]


def test_nvidias_libraries_with_and_without_a_suffix_are_two_cudas() -> None:
    packages = [
        package("nvidia-curand==10.4.5.25", "requirements.txt"),
        package("nvidia-curand-cu12==10.3.10.19", "requirements.txt"),
    ]
    assert list(contradictions(packages, "amd64")) == [
        "CUDA 12: nvidia-curand-cu12 10.3.10.19, named in requirements.txt",
        "CUDA 13: nvidia-curand 10.4.5.25, named in requirements.txt",
    ]


def test_only_what_is_certain_is_missing_from_a_gpu_image() -> None:
    assert list(missing([package("torch==2.7.1+cpu", "requirements.txt")])) == [
        "torch 2.7.1+cpu is for the CPU, named in requirements.txt"
    ]
    jax = [package("jax==0.6", "requirements.txt"), package("jaxlib==0.6", "jax")]
    assert list(missing(jax)) == ["jaxlib 0.6 computes on the CPU, pulled in by jax 0.6"]
    assert list(missing([*TORCH, package("faiss-cpu==1.11"), package("onnxruntime==1.22")])) == []
    assert list(missing([package("numpy==2.0")])) == []


def test_what_is_for_other_gpus_is_unwanted_with_who_brings_it() -> None:
    lines = [package("nvidia-curand-cu12==10.3", "requirements.txt"), package("numpy==2.0"), *TORCH]
    assert list(unwanted(lines, wanted="rocm")) == [
        "nvidia-curand-cu12 10.3 is for CUDA 12, named in requirements.txt",
        "nvidia-cublas-cu12 12.6.4.1 and 2 more are for CUDA, pulled in by torch 2.7.1",
    ]
    rocm = [package("torch==2.7.1+rocm6.3", "requirements.txt"), package("pytorch-triton-rocm==3.3.1", "torch")]
    assert list(unwanted(rocm, wanted="cuda")) == [
        "torch 2.7.1+rocm6.3 is for ROCm 6.3, named in requirements.txt",
        "pytorch-triton-rocm 3.3.1 is for ROCm, pulled in by torch 2.7.1+rocm6.3",
    ]
    assert list(unwanted(rocm, wanted="rocm")) == []


@pytest.mark.parametrize(
    ("packages", "lines"),
    [
        (
            [package("torch==2.13.0+cpu", "requirements.txt"), package("cupy-cuda12x==13.0", "requirements.txt")],
            [
                "cupy-cuda12x 13.0 is for CUDA 12, named in requirements.txt",
                "torch 2.13.0+cpu is for the CPU, named in requirements.txt",
            ],
        ),
        (
            [
                package("torch==2.13.0+cpu", "r"),
                package("nvidia-cublas-cu12==12.5", "tensorflow"),
                package("tensorflow==2.19", "r"),
            ],
            ["tensorflow 2.19 brings CUDA 12, named in r", "torch 2.13.0+cpu is for the CPU, named in r"],
        ),
        (
            [package("torch==2.7.1+rocm6.3", "r"), package("onnxruntime-gpu==1.22", "r")],
            ["onnxruntime-gpu 1.22 is for CUDA, named in r", "torch 2.7.1+rocm6.3 is for ROCm 6.3, named in r"],
        ),
        ([package("torch==2.7.1+cpu", "r"), package("xgboost==3.0", "r"), package("nvidia-nccl-cu12==2.27", "xgboost")], []),
        ([package("torch==2.7.1+cu126", "r"), package("cupy-cuda12x==13.0", "r")], []),
        ([package("torch==2.7.1+cpu", "r"), package("torchvision==0.22.1+cpu", "r")], []),
    ],
    ids=["cupy", "tensorflow[and-cuda]", "rocm", "xgboost", "gpu", "cpu"],
)
def test_what_asks_for_a_gpu_does_not_go_with_builds_for_the_cpu(packages: list[Package], lines: list[str]) -> None:
    assert list(mixed(packages)) == lines
