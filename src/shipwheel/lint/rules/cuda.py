"""CUDA of the base against CUDA of the packages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.gpu import DECIDED_BY, TABLE, bringing, compiled, is_of_gpu, loads, named, takes_from_system
from shipwheel.lint.packages.python import Added, Packages, packages_of
from shipwheel.lint.packages.torch_table import TABLE as TORCH
from shipwheel.lint.packages.torch_table import Loads
from shipwheel.lint.packages.torch_wheels import called, install_of_added, package, place, torch_build
from shipwheel.lint.rule import Rule

_COMPATIBILITY = "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"

_WORK_OF_NVCC = re.compile(r"\bnvcc\b|\bcmake\b|\bmake\b|setup\.py|ninja|TORCH_CUDA_ARCH_LIST")
_CUDNN = re.compile(r"cudnn(\d*)")
_OTHER_CUDA = re.compile(
    r"cudnn|libcublas|cudatoolkit|cuda-(?:toolkit|libraries|runtime|\d)|cuda_\d|nvidia-cuda|/usr/local/cuda"
)
_OTHER_USER = re.compile(r"jax|cupy|nvidia-")
_OTHER_WORK = re.compile(r"nvcc|make|git clone|curl|wget|\./|setup\.py|ffmpeg|conda|\.deb|\.run\b")
_DRIVER = re.compile(r"nvidia-(?:driver|utils|kernel|dkms)\b")

CUDA_DUPLICATE = Rule(
    key="cuda-duplicate",
    severity="warning",
    title="A CUDA base below wheels that bring their own CUDA",
    why="The wheels load the libraries that they bring; those of the base are never used, some gigabytes of them.",
    remedy="Build on python:3.12-slim or on the -base image: the driver comes from the host, the libraries with the wheels",
    source="https://discuss.pytorch.org/t/install-pytorch-for-cuda-11-3-with-pip/152299/5",
    dated=TORCH,
)

CUDA_WHEEL_MISMATCH = Rule(
    key="cuda-wheel-mismatch",
    severity="warning",
    title="Packages for another CUDA than the base's",
    why="Libraries of one CUDA major version do not replace those of another, and the driver that the base needs may not do.",
    remedy="Take base and packages of one CUDA major version; within it every minor version goes",
    source=_COMPATIBILITY,
    dated=TORCH,
)

CPU_TORCH_ON_GPU_BASE = Rule(
    key="cpu-torch-on-gpu-base",
    severity="warning",
    title="A CPU build on a CUDA base",
    why="Nothing in the image uses the GPU: the base's gigabytes are for nothing, or the GPU stays idle unnoticed.",
    remedy="Take the build for CUDA, or a base without it (python:3.12-slim)",
    source="https://pytorch.org/get-started/locally/",
)

GPU_BASE_NO_GPU_PACKAGE = Rule(
    key="gpu-base-no-gpu-package",
    severity="warning",
    title="A CUDA base below packages that use no GPU",
    why="The base adds gigabytes and its own holes to mend, and nothing in the image calls CUDA.",
    remedy="Build on python:3.12-slim",
    source="https://hub.docker.com/r/nvidia/cuda",
    dated=TABLE,
)

GPU_PACKAGE_ON_CPU_BASE = Rule(
    key="gpu-package-on-cpu-base",
    severity="warning",
    title="A GPU package on a base without the CUDA that it needs, or a driver in the image",
    why="It finds no CUDA libraries and falls back to the CPU or fails at import; a driver must be the host's own.",
    remedy="Build on nvidia/cuda with the CUDA (and cuDNN) that it needs, or install the wheels that bring it",
    source="https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html",
    dated=TABLE,
)


def _cuda_base(stage: Stage) -> bool:
    """Whether the image below is one of CUDA alone."""
    return bool(stage.facts.gpu and stage.facts.cuda and not stage.facts.framework)


@CUDA_DUPLICATE.check(Dockerfile)
def _duplicate(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        if not _cuda_base(stage) or stage.facts.flavour not in ("runtime", "devel"):
            continue
        packages = packages_of(stage)
        if takes_from_system(packages) or (stage.facts.flavour == "devel" and _compiles(stage, packages)):
            continue
        for added, build in bringing(packages):
            brought = f"CUDA {build.cuda}" if build.cuda and not build.dated else "its own CUDA"
            yield Hit(span=place(added), message=f"{called(added)} brings {brought}, and {stage.root_image} has one too")
            break


def _compiles(stage: Stage, packages: Packages) -> bool:
    """Whether the stage has work for nvcc."""
    if any(name in compiled() for name in packages.by_name):
        return True
    steps = (step for step in stage.all_steps if step.keyword == "RUN")
    return any(_WORK_OF_NVCC.search(step.instruction.body.text) for step in steps)


@CUDA_WHEEL_MISMATCH.check(Dockerfile)
def _mismatch(dockerfile: Dockerfile) -> Iterator[Hit]:
    seen: set[tuple[int, int]] = set()
    for stage in dockerfile.stages:
        if not stage.facts.gpu or not stage.facts.cuda:
            continue
        packages = packages_of(stage)
        for hit in (*_built_for_another(stage, packages), *_loads_another(stage, packages)):
            if hit.span not in seen:
                seen.add(hit.span)
                yield hit


def _built_for_another(stage: Stage, packages: Packages) -> Iterator[Hit]:
    have = stage.facts.cuda
    for added, build in bringing(packages):
        if not build.cuda or _major(build.cuda) == _major(have) or (build.dated and _chosen_elsewhere(added, packages)):
            continue
        if stage.facts.framework and (build.dated or _in_base(stage, added)):
            continue
        now = "without a version is now" if build.dated else "is"
        message = f"{called(added)} {now} built for CUDA {build.cuda}, and {stage.root_image} has {have}"
        yield Hit(span=place(added), message=message)


def _in_base(stage: Stage, added: Added) -> bool:
    """Whether pip finds the base's framework in the very version that is asked for, and keeps it."""
    asked, facts = added.requested, stage.facts
    is_framework = {"pytorch": "torch"}.get(facts.framework, facts.framework) == asked.name
    install = install_of_added(added)
    anew = install is None or install.option("--force-reinstall", "--target", "-t") is not None
    return is_framework and bool(asked.version) and asked.version == facts.framework_version and not asked.url and not anew


def _chosen_elsewhere(added: Added, packages: Packages) -> bool:
    """Whether another package, or what is not known, may decide the version of torch."""
    kin = named("torch") | named("system")
    return not packages.complete or any(name in kin and other is not added for name, other in packages.by_name.items())


def _loads_another(stage: Stage, packages: Packages) -> Iterator[Hit]:
    if not _cuda_base(stage) or _installs_cuda(stage, packages):
        return
    for name, added in packages.by_name.items():
        needs = loads(added) if DECIDED_BY.get(name) not in packages.by_name else None
        lack = _lack(stage, needs) if needs else ""
        if needs and lack:
            wanted = f"CUDA {needs.cuda} and cuDNN {_major(needs.cudnn)}" if needs.cudnn else f"CUDA {_major(needs.cuda)}"
            yield Hit(
                span=place(added),
                message=f"{called(added)} loads {lack}",
                remedy=f"Take a -runtime image with {wanted}{_EXTRA.get(added.requested.name, '')}",
            )


_EXTRA = {
    "tensorflow": ", or python:3.12-slim with tensorflow[and-cuda] (2.14 and later)",
    "onnxruntime-gpu": ", or require onnxruntime-gpu[cuda,cudnn] (1.21 and later)",
}
"""How packages bring it themselves."""


def _lack(stage: Stage, needs: Loads) -> str:
    """What of it the base does not have, and what it has instead; "" where it has all."""
    have, image = stage.facts.cuda, stage.root_image
    if not _fits(needs.cuda, have):
        return f"CUDA {needs.cuda}, and {image} has {have}"
    if stage.facts.flavour == "base":
        return "CUDA's libraries from the system, and the -base image has none but libcudart"
    cudnn = _cudnn(stage)
    if needs.cudnn and cudnn not in ("?", _major(needs.cudnn)):
        return f"cuDNN {_major(needs.cudnn)}, and {image} has {cudnn or 'none'}"
    return ""


def _major(version: str) -> str:
    return version.partition(".")[0]


def _fits(needs: str, have: str) -> bool:
    """Within a major version any minor one does from CUDA 11 on; before, the very one is loaded by name."""
    if int(_major(needs)) >= 11:
        return _major(needs) == _major(have)
    return have.startswith(needs)


def _cudnn(stage: Stage) -> str:
    """The major version of a tag's cuDNN, "" for none, "?" for unknown; from CUDA 12.4.1 on `cudnn` alone stands for 9."""
    tag = stage.root_image.tag if stage.root_image else ""
    found = _CUDNN.search(tag)
    if not found:
        return "" if stage.root_image and stage.root_image.repository.endswith("nvidia/cuda") else "?"
    return found[1] or "9"


def _installs_cuda(stage: Stage, packages: Packages) -> bool:
    """Whether CUDA or cuDNN come from somewhere else too."""
    if any(name.startswith("nvidia-") or name in ("torch", "cudnn", "cudatoolkit") for name in packages.by_name):
        return True
    return any(_OTHER_CUDA.search(step.instruction.body.text) for step in stage.all_steps if step.keyword in ("RUN", "COPY"))


@CPU_TORCH_ON_GPU_BASE.check(Dockerfile)
def _cpu_build(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        if not stage.facts.gpu or not (stage.facts.cuda or stage.facts.framework):
            continue
        packages = packages_of(stage)
        for name in ("torch", "tensorflow-cpu"):
            added = package(packages, name)
            if added and (name != "torch" or torch_build(added).kind == "cpu") and not _other_users(packages, added):
                yield Hit(
                    span=place(added), message=f"{called(added)} is the CPU build, and {stage.root_image} is made for GPUs"
                )


def _other_users(packages: Packages, cpu: Added) -> bool:
    return any(name in named("system") or _OTHER_USER.match(name) for name in packages.by_name) or bool(
        cpu.requested.name != "torch" and "torch" in packages.by_name
    )


@GPU_BASE_NO_GPU_PACKAGE.check(Dockerfile)
def _unused(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        if not _cuda_base(stage):
            continue
        packages = packages_of(stage)
        names = set(packages.by_name) - {"pip", "setuptools", "wheel"}
        if names and packages.complete and names <= named("cpu") and not any(map(is_of_gpu, names)) and not _other_work(stage):
            listed = ", ".join(sorted(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            yield Hit(span=stage.span, message=f"{stage.root_image} is made for GPUs, and only {listed} are installed")


def _other_work(stage: Stage) -> bool:
    """Whether programs come into the image that may use the GPU."""
    for step in stage.all_steps:
        if step.keyword == "COPY" and step.copies_from:
            return True
        if step.keyword == "RUN" and _OTHER_WORK.search(step.instruction.body.text):
            return True
    return False


@GPU_PACKAGE_ON_CPU_BASE.check(Dockerfile)
def _without_cuda(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.shipped:
        packages = packages_of(stage)
        if stage.facts.gpu is not False or stage.facts.framework or _installs_cuda(stage, packages):
            continue
        for added in packages.by_name.values():
            name, needs = added.requested.name, loads(added)
            if name.startswith(("cupy-cuda", "onnxruntime-gpu", "tensorflow-gpu")) and not added.requested.extras:
                cuda = f"CUDA {_major(needs.cuda)}" if needs and needs.cuda else "CUDA"
                yield Hit(
                    span=place(added), message=f"{called(added)} loads {cuda} from the system, and {stage.root_image} has none"
                )


@GPU_PACKAGE_ON_CPU_BASE.check(Dockerfile)
def _driver(dockerfile: Dockerfile) -> Iterator[Hit]:
    for step in dockerfile.steps("RUN"):
        for install in step.installs:
            drivers = [one for one in install.packages if _DRIVER.match(one.name)]
            if install.manager == "apt" and drivers and install.action == "install":
                yield Hit(
                    span=drivers[0].span,
                    message=f"{drivers[0].name} puts a driver into the image",
                    remedy="Leave it out: the NVIDIA Container Toolkit mounts the host's driver, nvidia-smi and libcuda",
                )
