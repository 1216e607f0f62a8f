"""CPU or GPU builds, resolved with the real uv: from an index that has both, a folder, PyTorch's index, or none of these."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client, Limits
from shipwheel.lock import PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import find_indexes
from shipwheel.resolve.request import Upgrade, WheelRequest
from shipwheel.resolve.target import Target
from shipwheel.resolve.urls import wheel_urls
from shipwheel.resolve.uv import Uv
from shipwheel.resolve.wheels import resolve_wheels
from support.index import FileServer, serve
from support.pytorch import Stand, pytorch_index
from support.wheels import make_wheel, sha256_of

AMD64 = Platform("linux", "amd64")
NATIVE = "cp311-cp311-manylinux_2_28_x86_64"
CUDA = ("nvidia-cublas-cu12==12.6.4.1", "nvidia-cuda-runtime-cu12==12.6.77")
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9"}
Ask = Callable[..., WheelRequest]


def torch_wheels(folder: Path, *versions: str) -> None:
    for version in versions:
        make_wheel(folder, "torch", version, tag=NATIVE, requires=() if "+" in version else CUDA)
        base, _, local = version.partition("+")
        vision = f"0.{base}{'+' if local else ''}{local}"
        make_wheel(folder, "torchvision", vision, tag=NATIVE, requires=[f"torch=={base}"])


@pytest.fixture(scope="session")
def pypi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As PyPI has it: torch for CUDA only."""
    folder = tmp_path_factory.mktemp("pypi")
    torch_wheels(folder, "2.0", "2.1")
    for name, version in (each.split("==") for each in (*CUDA, "nvidia-nccl-cu12==2.1", "nvidia-cublas==13.1")):
        make_wheel(folder, name, version, {f"{name}.bin": "x" * 1000}, tag="py3-none-manylinux_2_28_x86_64")
    make_wheel(folder, "nvidia-curand", "10.4.5.25")
    make_wheel(folder, "nvidia-curand-cu12", "10.3")
    make_wheel(folder, "nvidia-ml-py", "12.0")
    make_wheel(folder, "tuner", "1.0", requires=["torch"])
    make_wheel(folder, "xgboost", "3.0", requires=["nvidia-nccl-cu12"])
    make_wheel(folder, "cupy-cuda13x", "13.0")
    make_wheel(folder, "cupy-cuda12x", "13.0")
    make_wheel(folder, "onnxruntime-rocm", "1.22")
    make_wheel(folder, "onnxruntime-gpu", "1.22")
    plugin = 'jax-cuda12-plugin; extra == "cuda12"'
    make_wheel(folder, "jax", "0.6", requires=["jaxlib", plugin], metadata="Provides-Extra: cuda12\n")
    make_wheel(folder, "jaxlib", "0.6", tag=NATIVE)
    make_wheel(folder, "jax-cuda12-plugin", "0.6", requires=["nvidia-cublas-cu12"])
    return folder


@pytest.fixture(scope="session")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CPU builds of the same, as PyTorch's index and mirrors of it have them."""
    folder = tmp_path_factory.mktemp("cpu")
    torch_wheels(folder, "2.0+cpu", "2.1+cpu")
    return folder


@pytest.fixture
def index(pypi: Path) -> Iterator[FileServer]:
    with serve(FileServer(pypi)) as server:
        yield server


@pytest.fixture
def stand(cpu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with pytorch_index(cpu, tmp_path) as made:
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Made after PyTorch's index is there, where a test has one."""
    if "stand" in request.fixturenames:
        request.getfixturevalue("stand")
    with Client(limits=Limits(connect=2, stall=5, attempts=1, backoff=0.01)) as made:
        yield made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def want(ask: Ask, said: list[str], tmp_path: Path) -> Ask:
    """`want("auto", "torch", ..., env={...}, previous=...)`; without PyTorch's index in `env` none is reached."""

    def make(accelerator: str, *lines: str, env: dict[str, str] | None = None, **changes: object) -> WheelRequest:
        made = ask(*lines, **changes)
        full = {**made.env, **NOWHERE, **(env or {})}
        indexes = replace(find_indexes(made.root, full, hints=tmp_path / "hints"), files=made.indexes.files)
        return replace(made, env=full, indexes=indexes, accelerator=accelerator, say=said.append)

    return make


def names(wheels: tuple[Wheel, ...]) -> list[str]:
    return [f"{each.name} {each.version}" for each in wheels]


def locked(*texts: str) -> PlatformLock:
    pairs = (text.split("==") for text in texts)
    made = (Wheel(name=name, version=version, filename=f"{name}.whl", sha256="0" * 64, size=1) for name, version in pairs)
    return PlatformLock(platform=AMD64, wheels=tuple(made))


def refused(request: WheelRequest, client: Client) -> ResolveError:
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(request, client)
    return raised.value


@pytest.mark.parametrize("setting", ["auto", "cpu"])
def test_cpu_builds_come_from_pytorchs_index_where_nobody_asks_for_a_gpu(
    want: Ask, client: Client, stand: Stand, said: list[str], setting: str
) -> None:
    wheels, _ = resolve_wheels(want(setting, "tuner", "torchvision", env=stand.env), client)
    assert names(wheels) == ["torch 2.1+cpu", "torchvision 0.2.1+cpu", "tuner 1.0"]
    why = "nothing asks for a GPU" if setting == "auto" else "'accelerator' in the settings"
    assert said == [f"  accelerator   cpu  ({why})"]


def test_a_locked_cpu_build_is_found_again_without_any_hint(want: Ask, client: Client, stand: Stand, cpu: Path) -> None:
    request = want("auto", "torch", env=stand.env)
    wheels, _ = resolve_wheels(request, client)
    elsewhere = replace(request.indexes, hints=None)
    assert list(wheel_urls(wheels[0], elsewhere, client)) == [
        f"https://download.pytorch.org/whl/files/{next(cpu.glob('torch-2.1+cpu*')).name}"
    ]
    private = replace(wheels[0], name="ours", filename="ours-1+cpu-py3-none-any.whl", sha256="1" * 64)
    stand.index.requests.clear()
    with pytest.raises(ResolveError, match="none of the configured places"):
        list(wheel_urls(private, elsewhere, client))
    assert stand.index.paths() == []


@pytest.mark.parametrize("place", ["UV_FIND_LINKS", "UV_INDEX"])
def test_cpu_builds_of_the_users_own_places_come_first(
    want: Ask, client: Client, cpu: Path, tmp_path: Path, place: str
) -> None:
    older = tmp_path / "older"
    torch_wheels(older, "1.8+cpu", "2.0+cpu")
    with serve(FileServer(older)) as mirror:
        value = mirror.simple if place == "UV_INDEX" else str(older)
        wheels, _ = resolve_wheels(want("auto", "tuner", env={place: value}), client)
        assert names(wheels) == ["torch 2.0+cpu", "tuner 1.0"]
        narrowed, _ = resolve_wheels(want("cpu", "torch<2", env={place: value}), client)
        assert names(narrowed) == ["torch 1.8+cpu"]


def test_one_index_with_all_builds_gives_those_for_the_cpu(want: Ask, client: Client, tmp_path: Path) -> None:
    shelf = tmp_path / "merged"
    torch_wheels(shelf, "2.0", "2.0+cpu", "2.0+cu126", "2.1+cu126")
    with serve(FileServer(shelf)) as merged:
        places = {"UV_DEFAULT_INDEX": merged.simple}
        wheels, _ = resolve_wheels(want("auto", "torch", "torchvision", env=places), client)
        assert names(wheels) == ["torch 2.0+cpu", "torchvision 0.2.0+cpu"]
        wheels, _ = resolve_wheels(want("auto", "torch==2.0+cu126", env=places), client)
        assert names(wheels) == ["torch 2.0+cu126"]
        wheels, _ = resolve_wheels(want("cuda", "torch", env=places), client)
        assert names(wheels) == ["torch 2.1+cu126"]


def test_without_that_index_auto_takes_what_there_is_and_says_what_it_costs(want: Ask, client: Client, said: list[str]) -> None:
    wheels, _ = resolve_wheels(want("auto", "tuner"), client)
    assert names(wheels)[-2:] == ["torch 2.1", "tuner 1.0"]
    index = "the index with CPU builds of torch 2.1 cannot be reached: https://download.pytorch.org/whl/cpu"
    assert said[0] == f"  accelerator   cuda  (nothing asks for a GPU, but {index})"
    assert "CUDA libraries of 0 MB come along: nvidia-cublas-cu12 12.6.4.1 and 1 more, pulled in by torch 2.1" in said[1]
    assert 'set accelerator = "cuda" where that is meant; with "cpu" it is an error' in said[2]


def test_without_that_index_cpu_is_an_error_with_a_way_out(want: Ask, client: Client) -> None:
    with pytest.raises(NetworkError, match=r"CPU builds of torch 2\.1 cannot be reached: https://download\.pytorch") as raised:
        resolve_wheels(want("cpu", "tuner", "xgboost"), client)
    assert "  nvidia-cublas-cu12 12.6.4.1 and 1 more, pulled in by torch 2.1 of tuner 1.0" in raised.value.message
    assert "  nvidia-nccl-cu12 2.1, pulled in by xgboost 3.0" in raised.value.message
    assert "UV_INDEX" in raised.value.hint
    assert "UV_FIND_LINKS" in raised.value.hint


def test_a_lock_stays_with_the_builds_that_it_has(want: Ask, client: Client, stand: Stand, said: list[str]) -> None:
    on_gpu, on_cpu = locked("torch==2.0", *CUDA), locked("torch==2.0+cpu")
    kept, _ = resolve_wheels(want("auto", "torch", env=stand.env, previous=on_gpu), client)
    assert names(kept)[-1] == "torch 2.0"
    assert said == ["  accelerator   cuda  (as locked before: torch 2.0; 'shipwheel lock --upgrade torch' decides anew)"]
    kept, _ = resolve_wheels(want("auto", "torch", env=stand.env, previous=on_cpu), client)
    assert names(kept) == ["torch 2.0+cpu"]
    with pytest.raises(NetworkError, match="cannot be reached"):
        resolve_wheels(want("auto", "torch", previous=on_cpu), client)
    for upgrade in (Upgrade(all=True), Upgrade(names=frozenset({"torch"}))):
        moved, _ = resolve_wheels(want("auto", "torch", env=stand.env, previous=on_gpu, upgrade=upgrade), client)
        assert names(moved) == ["torch 2.1+cpu"]


def test_versions_of_training_stay_whatever_they_were_trained_on(want: Ask, client: Client, stand: Stand, cpu: Path) -> None:
    trained = {"torch": "2.0+cu126"}
    for places in (stand.env, {"UV_FIND_LINKS": str(cpu)}):
        wheels, _ = resolve_wheels(want("auto", "torch", env=places, trained=trained), client)
        assert names(wheels) == ["torch 2.0+cpu"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["cupy-cuda13x"], "cupy-cuda13x 13.0, named in requirements.txt"),
        (["jax[cuda12]"], "jax-cuda12-plugin 0.6, pulled in by jax 0.6"),
        (["nvidia-cublas-cu12", "torch"], "nvidia-cublas-cu12 12.6.4.1, named in requirements.txt"),
        (["onnxruntime-gpu", "torch"], "onnxruntime-gpu 1.22, named in requirements.txt"),
    ],
)
def test_what_asks_for_a_gpu_is_named(
    want: Ask, client: Client, stand: Stand, said: list[str], lines: list[str], why: str
) -> None:
    wheels, _ = resolve_wheels(want("auto", *lines, env=stand.env), client)
    assert not [each for each in names(wheels) if "+cpu" in each]
    assert said == [f"  accelerator   cuda  ({why})"]
    assert stand.index.paths() == []


@pytest.mark.parametrize("place", ["environment", "pyproject.toml"])
def test_the_users_backend_for_uv_asks(
    want: Ask, client: Client, root: Path, tmp_path: Path, said: list[str], place: str
) -> None:
    shelf, env = tmp_path / "cu126", {}
    torch_wheels(shelf, "2.1+cu126")
    if place == "environment":
        env["UV_TORCH_BACKEND"] = "cu126"
    else:
        (root / "pyproject.toml").write_text('[tool.uv.pip]\ntorch-backend = "cu126"\n')
    with pytorch_index(shelf, tmp_path) as there:
        wheels, _ = resolve_wheels(want("auto", "torch", env={**there.env, **env}), client)
    assert names(wheels) == ["torch 2.1+cu126"]
    where = "UV_TORCH_BACKEND=cu126" if env else "torch-backend=cu126 in pyproject.toml"
    assert said == [f"  accelerator   cuda  ({where})"]


def test_the_setting_comes_before_the_users_backend(want: Ask, client: Client, stand: Stand) -> None:
    wheels, _ = resolve_wheels(want("cpu", "torch", env={**stand.env, "UV_TORCH_BACKEND": "cu126"}), client)
    assert names(wheels) == ["torch 2.1+cpu"]


def test_an_index_of_gpu_builds_asks(want: Ask, client: Client, tmp_path: Path, said: list[str]) -> None:
    torch_wheels(tmp_path / "cu118", "2.1+cu118")
    with serve(FileServer(tmp_path / "cu118")) as server:
        place = f"{server.url}/whl/cu118"
        wheels, _ = resolve_wheels(want("auto", "torch", env={"UV_INDEX": place}), client)
    assert names(wheels) == ["torch 2.1+cu118"]
    assert said == [f"  accelerator   cuda  (an index of such builds is configured, {place})"]


def test_a_complete_lock_is_taken_as_it_is(
    want: Ask, client: Client, stand: Stand, root: Path, index: FileServer, pypi: Path, said: list[str]
) -> None:
    (root / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["tuner"]\n'
    )
    auto = want("auto", env=stand.env, requirements=Requirements(kind="uv.lock", files=(root / "uv.lock",)))
    assert Uv(folder=root, env=auto.env).run(["lock"]).returncode == 0
    wheels, _ = resolve_wheels(auto, client)
    assert "torch 2.1" in names(wheels)
    assert said == ["  accelerator   cuda  (uv.lock holds nvidia-cublas-cu12 12.6.4.1)"]
    error = refused(replace(auto, accelerator="cpu"), client)
    assert "nvidia-cublas-cu12 12.6.4.1 and 1 more, pulled in by torch 2.1 of tuner 1.0" in error.message
    assert "a CPU build of torch; https://download.pytorch.org/whl/cpu" in error.hint
    lines = [f"{each.name}=={each.version} --hash=sha256:{each.sha256}" for each in wheels]
    assert names(resolve_wheels(want("auto", *lines, env=stand.env), client)[0]) == names(wheels)
    assert stand.index.paths() == []


def test_whatever_is_for_gpus_in_a_cpu_image_is_named_at_once_with_who_brings_it(want: Ask, client: Client) -> None:
    error = refused(want("cpu", "jax[cuda12]", "xgboost", "onnxruntime-gpu", "nvidia-ml-py"), client)
    assert error.message.splitlines() == [
        "accelerator is cpu, and these packages are for GPUs",
        "  onnxruntime-gpu 1.22, named in requirements.txt",
        "  jax-cuda12-plugin 0.6, pulled in by jax 0.6",
        "  nvidia-cublas-cu12 12.6.4.1, pulled in by jax-cuda12-plugin 0.6 of jax 0.6",
        "  nvidia-nccl-cu12 2.1, pulled in by xgboost 3.0",
    ]
    assert "xgboost-cpu instead of xgboost" in error.hint
    assert "onnxruntime instead of onnxruntime-gpu" in error.hint


def test_a_complete_lock_with_nccl_alone_asks_for_no_gpu(
    want: Ask, client: Client, root: Path, index: FileServer, pypi: Path, said: list[str]
) -> None:
    """XGBoost requires it, and runs without a GPU."""
    (root / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["xgboost"]\n'
    )
    auto = want("auto", requirements=Requirements(kind="uv.lock", files=(root / "uv.lock",)))
    assert Uv(folder=root, env=auto.env).run(["lock"]).returncode == 0
    resolve_wheels(auto, client)
    assert said[0] == "  accelerator   cpu  (nothing asks for a GPU)"


@pytest.mark.parametrize(
    ("kind", "file"), [("environment.yml", "environment.yml"), ("poetry.lock", "poetry.lock"), ("bundle", "")]
)
def test_lines_of_other_tools_are_named_after_their_file(
    want: Ask, client: Client, root: Path, said: list[str], kind: str, file: str
) -> None:
    files = (root / file,) if file else ()
    for path in files:
        path.write_text("")
    needs = Requirements(kind=kind, files=files, pinned=("onnxruntime-gpu==1.22",))
    resolve_wheels(want("auto", requirements=needs), client)
    why = "poetry.lock holds onnxruntime-gpu 1.22" if kind == "poetry.lock" else f"onnxruntime-gpu 1.22, named in {kind}"
    assert said == [f"  accelerator   cuda  ({why})"]
    assert f"onnxruntime-gpu 1.22, named in {kind}" in refused(want("cpu", requirements=needs), client).message


def test_in_auto_nobody_is_refused_for_what_comes_along(want: Ask, client: Client, said: list[str]) -> None:
    wheels, _ = resolve_wheels(want("auto", "xgboost"), client)
    assert names(wheels) == ["nvidia-nccl-cu12 2.1", "xgboost 3.0"]
    assert said == [
        "  accelerator   cpu  (nothing asks for a GPU)",
        f"{'':<16}CUDA libraries of 0 MB come along: nvidia-nccl-cu12 2.1, pulled in by xgboost 3.0",
    ]


def test_cpu_builds_in_a_gpu_image_are_refused(want: Ask, client: Client, cpu: Path) -> None:
    links = {"UV_FIND_LINKS": str(cpu)}
    error = refused(want("cuda", "torch", "torchvision", env=links), client)
    assert "torch 2.1+cpu is for the CPU, named in requirements.txt" in error.message
    assert "torchvision 0.2.1+cpu is for the CPU" in error.message
    assert "UV_TORCH_BACKEND" in error.hint
    error = refused(want("cuda", "jax"), client)
    assert "jaxlib 0.6 computes on the CPU, pulled in by jax 0.6" in error.message
    assert error.hint == "take jax[cuda12] instead of jaxlib"
    assert "is for CUDA" in refused(want("rocm", "cupy-cuda13x"), client).message


@pytest.mark.parametrize("setting", ["auto", "cuda"])
def test_two_cudas_and_torch_against_torchvision_are_refused_together(
    want: Ask, client: Client, tmp_path: Path, setting: str
) -> None:
    torch_wheels(tmp_path / "links", "2.1+cu126")
    make_wheel(tmp_path / "links", "torchvision", "0.9+cu118", requires=["torch==2.1"])
    lines = ["torch==2.1+cu126", "torchvision==0.9+cu118", "cupy-cuda13x"]
    error = refused(want(setting, *lines, env={"UV_FIND_LINKS": str(tmp_path / "links")}), client)
    assert "torchvision 0.9+cu118 is built for CUDA 11.8, torch 2.1+cu126 for CUDA 12.6" in error.message
    for line in ("CUDA 11: torchvision 0.9+cu118", "CUDA 12: torch 2.1+cu126", "CUDA 13: cupy-cuda13x 13.0"):
        assert f"  {line}, named in requirements.txt" in error.message


def test_cuda_in_an_image_for_rocm_is_refused_with_who_brings_it(want: Ask, client: Client) -> None:
    error = refused(want("rocm", "torch", "tuner", "nvidia-curand-cu12", "nvidia-curand", "onnxruntime-gpu"), client)
    assert error.message.splitlines() == [
        "accelerator is rocm, and these packages do not fit that",
        "  nvidia-curand 10.4.5.25 is for CUDA 13, named in requirements.txt",
        "  nvidia-curand-cu12 10.3 is for CUDA 12, named in requirements.txt",
        "  onnxruntime-gpu 1.22 is for CUDA, named in requirements.txt",
        "  nvidia-cublas-cu12 12.6.4.1 and 1 more are for CUDA, pulled in by torch 2.1",
    ]
    assert error.hint == (
        "take a ROCm build of torch, onnxruntime-rocm instead of onnxruntime-gpu; UV_TORCH_BACKEND=rocm6.4 chooses an index "
        "that has them; leave the others out, or set accelerator to what the image is for"
    )


def test_rocm_in_an_image_for_cuda_is_refused(want: Ask, client: Client, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", "torch", "2.1+rocm6.3", tag=NATIVE, requires=["pytorch-triton-rocm"])
    make_wheel(tmp_path / "links", "pytorch-triton-rocm", "3.3")
    env = {"UV_FIND_LINKS": str(tmp_path / "links")}
    error = refused(want("cuda", "torch==2.1+rocm6.3", "onnxruntime-rocm", env=env), client)
    assert error.message.splitlines()[1:] == [
        "  onnxruntime-rocm 1.22 is for ROCm, named in requirements.txt",
        "  torch 2.1+rocm6.3 is for ROCm 6.3, named in requirements.txt",
        "  pytorch-triton-rocm 3.3 is for ROCm, pulled in by torch 2.1+rocm6.3",
    ]
    assert error.hint.startswith("take onnxruntime-gpu instead of onnxruntime-rocm, a CUDA build of torch; UV_TORCH_BACKEND=cu")
    wheels, _ = resolve_wheels(want("rocm", "torch==2.1+rocm6.3", "onnxruntime-rocm", env=env), client)
    assert names(wheels) == ["onnxruntime-rocm 1.22", "pytorch-triton-rocm 3.3", "torch 2.1+rocm6.3"]


def test_a_cpu_build_beside_what_asks_for_a_gpu_is_refused_in_auto_too(want: Ask, client: Client, cpu: Path) -> None:
    error = refused(want("auto", "torch", "cupy-cuda12x", env={"UV_FIND_LINKS": str(cpu)}), client)
    assert error.message.splitlines() == [
        "these packages do not go together",
        "  cupy-cuda12x 13.0 is for CUDA 12, named in requirements.txt",
        "  torch 2.1+cpu is for the CPU, named in requirements.txt",
    ]
    assert error.hint == (
        "take a build of torch for GPUs (UV_TORCH_BACKEND=cu126 chooses an index that has them), "
        'or set accelerator = "cpu", which names what to leave out then'
    )
    wheels, _ = resolve_wheels(want("auto", "torch", "xgboost", env={"UV_FIND_LINKS": str(cpu)}), client)
    assert "torch 2.1+cpu" in names(wheels)


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        (["cupy-cuda13x", "jax[cuda12]"], "take all of them for one CUDA: names and extras"),
        (["nvidia-curand", "nvidia-curand-cu12"], "take all of them for one CUDA: names and extras"),
        (
            ["cupy-cuda13x", "torch"],
            "take all of them for one CUDA: UV_TORCH_BACKEND=cu126 or =cu130 chooses that of torch, names",
        ),
    ],
)
def test_the_hint_for_two_cudas_speaks_of_torch_only_where_that_is_concerned(
    want: Ask, client: Client, lines: list[str], hint: str
) -> None:
    error = refused(want("auto", *lines), client)
    assert "CUDA 12: nvidia-" in error.message
    assert "CUDA 13: " in error.message
    assert error.hint.startswith(hint)


def test_nothing_is_said_and_nobody_asked_where_there_is_nothing_to_decide(
    want: Ask, client: Client, stand: Stand, said: list[str]
) -> None:
    resolve_wheels(want("auto", "nvidia-ml-py", env=stand.env), client)
    resolve_wheels(want("auto", requirements=Requirements(), env=stand.env), client)
    assert (said, stand.index.paths()) == ([], [])


def test_hashes_are_those_of_the_cpu_builds(want: Ask, client: Client, stand: Stand, cpu: Path) -> None:
    wheels, _ = resolve_wheels(want("cpu", "torch", env=stand.env), client)
    assert wheels[0].sha256 == sha256_of(next(cpu.glob("torch-2.1+cpu*")))
    assert json.dumps(wheels[0].source) == '"index"'


@pytest.mark.network
def test_torch_of_pypi_alone_is_no_torch_for_the_cpu(root: Path, env: dict[str, str]) -> None:
    if {"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} & os.environ.keys():
        pytest.skip("PyPI is reached through a proxy, so PyTorch's index cannot be hidden behind one")
    (root / "requirements.txt").write_text("torch==2.7.1\n")
    full = {**os.environ, **env, "UV_FIND_LINKS": ""}
    indexes = find_indexes(root, full)
    reached = [str(urlsplit(each).hostname) for each in (*indexes.pages, "https://files.pythonhosted.org")]
    request = WheelRequest(
        root=root,
        requirements=Requirements(kind="requirements", files=(root / "requirements.txt",)),
        target=Target(python="3.11", platform=AMD64, glibc=36),
        host=AMD64,
        indexes=indexes,
        env={**full, **NOWHERE, "NO_PROXY": ",".join(reached)},
        accelerator="cpu",
    )
    with Client() as online, pytest.raises(NetworkError) as raised:
        resolve_wheels(request, online)
    assert "the index with CPU builds of torch 2.7.1 cannot be reached" in raised.value.message
    assert "nvidia-cublas-cu12 12.6.4.1 and 13 more, pulled in by torch 2.7.1" in raised.value.message
