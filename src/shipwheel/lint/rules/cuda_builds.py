"""Extensions that are compiled for CUDA while the image is built."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from shipwheel.lint.dockerfile.stages import Dockerfile, Stage, Step
from shipwheel.lint.finding import Hit
from shipwheel.lint.packages.gpu import TABLE, Compiled, compiled
from shipwheel.lint.packages.installs import Install, Requested
from shipwheel.lint.packages.python import packages_of
from shipwheel.lint.rule import Rule
from shipwheel.lint.shell.command import Command

_BRINGS_NVCC = re.compile(
    r"cuda[-_]?(?:nvcc|toolkit|compiler|minimal-build|command-line)|nvidia-cuda-(?:toolkit|nvcc)|cuda_\d+\.\d|cuda-\d+-\d+|"
    r"cudatoolkit-dev|\.run\b|\bcuda=|/usr/local/cuda"
)
_REPOSITORY = re.compile(r"/([\w.-]+?)(?:\.git)?(?:[@#?/]|$)")
_WHEEL = re.compile(r"\.whl(?:$|[#?])")
_PLAIN_EXTENSION = re.compile(r"cocoapi|PythonAPI|cython", re.IGNORECASE)
_GPU_BACKENDS = re.compile(r"(?:GGML|LLAMA)_(?:CUDA|CUBLAS)=(?:on|1|true)", re.IGNORECASE)

_CONDITIONS = frozenset({"if", "then", "else", "case"})
"""What stands inside may not run."""

CUDA_EXT_NO_ARCH = Rule(
    key="cuda-ext-no-arch",
    severity="warning",
    title="CUDA code is compiled, and nothing says for which GPUs",
    why="No GPU is there while an image is built: it is compiled for all (an hour), for none of yours, or not at all.",
    remedy='Set the architectures before it: ENV TORCH_CUDA_ARCH_LIST="8.0;8.6;9.0+PTX"',
    source="https://docs.pytorch.org/docs/stable/cpp_extension.html",
    dated=TABLE,
)

CUDA_EXT_NO_NVCC = Rule(
    key="cuda-ext-no-nvcc",
    severity="error",
    title="CUDA code is compiled on a base without nvcc",
    why="setup.py finds no CUDA_HOME, and the installation ends in an error.",
    remedy="Compile it in a first stage on the -devel image, and copy the wheel or the environment into this one",
    source="https://github.com/Dao-AILab/flash-attention#installation-and-features",
    dated=TABLE,
)


@CUDA_EXT_NO_NVCC.check(Dockerfile)
def _no_nvcc(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if not _lacks_nvcc(stage):
            continue
        for step in stage.steps:
            if step.keyword == "RUN":
                yield from _needing(stage, step)


def _lacks_nvcc(stage: Stage) -> bool:
    """Whether the base is known to have none, and no step brings one."""
    facts = stage.facts
    without = "nvcc" in facts.lacks or facts.flavour in ("base", "runtime") or (facts.slim and facts.gpu is False)
    copied = any(step.copies_from for step in stage.all_steps)
    texts = (step.instruction.body.text for step in stage.all_steps if step.keyword in ("RUN", "ENV"))
    return without and not copied and not any(map(_BRINGS_NVCC.search, texts))


def _needing(stage: Stage, step: Step) -> Iterator[Hit]:
    for install in step.installs:
        if _CONDITIONS.intersection(install.command.inside):
            continue
        found = [name for name, kind in _sources(step, install) if kind.nvcc is True or _forced(step, install)]
        if found and not _skips(step, install):
            span = _span_of(step, install, found[0])
            yield Hit(span=span, message=f"{', '.join(found)} compiles CUDA code, and {_base(stage)} has no nvcc")
        elif _llama(step, install):
            yield Hit(
                span=install.command.span, message=f"llama-cpp-python is compiled for CUDA, and {_base(stage)} has no nvcc"
            )
    for command in step.commands:
        if command.program == "nvcc" and command.before != "||" and not _CONDITIONS.intersection(command.inside):
            yield Hit(span=command.span, message=f"nvcc is called, and {_base(stage)} has none")


def _base(stage: Stage) -> str:
    return str(stage.root_image or stage.base.text)


def _sources(step: Step, install: Install) -> list[tuple[str, Compiled]]:
    """The packages of a command that are compiled from source, by the name in the table."""
    if install.manager != "pip" or install.action != "install":
        return []
    binary = install.option("--only-binary") is not None
    found = []
    for one in install.packages:
        name = _name_of(step, one)
        kind = compiled().get(name)
        if (
            kind is None
            or binary
            or _WHEEL.search(one.url)
            or (kind.wheels and not one.url and install.option("--no-binary") is None)
        ):
            continue
        if not _from_index_of_wheels(install):
            found.append((name, kind))
    return found


def _name_of(step: Step, one: Requested) -> str:
    """By its name, or by the repository that a git URL names or that was cloned into the folder."""
    if one.name in compiled() or not one.url:
        return one.name
    return _repository(one.url) if "://" in one.url else _cloned(step, one.url)


def _repository(url: str) -> str:
    """pytorch_scatter is torch-scatter; "" for a repository that is not known."""
    names = [part.lower().replace("_", "-") for part in _REPOSITORY.findall(url)]
    names += [name.replace("pytorch-", "torch-", 1) for name in names]
    return next((name for name in reversed(names) if name in compiled()), "")


def _cloned(step: Step, folder: str) -> str:
    """The known repository that `git clone` puts into the folder: that of the same command for ".", or one of that name."""
    last = posixpath.basename(folder.split("[", maxsplit=1)[0].rstrip("/"))
    for other in step.stage.all_steps:
        for command in other.commands if other.keyword == "RUN" else ():
            words = [word.text for word in command.words]
            url = next((word for word in words if "://" in word), "") if words[:2] == ["git", "clone"] else ""
            name = _repository(url) if url else ""
            target = (
                posixpath.basename((words[-1] if words[-1] != url else url.removesuffix(".git")).rstrip("/")) if url else ""
            )
            here = last in (".", "") and (other is step or posixpath.basename(step.workdir) == target)
            if name and (here or last == target):
                return name
    return ""


def _from_index_of_wheels(install: Install) -> bool:
    """-f data.pyg.org, download.openmmlab.com: pages of wheels."""
    return any(option.startswith(("-f", "--find-links")) for option in install.options) and not any(
        one.url.startswith("git+") for one in install.packages
    )


def _variables(step: Step, command: Command) -> dict[str, str]:
    """What a command sees: ENV, what was assigned or exported before it in this RUN, and its own."""
    values = dict(step.variables)
    for other in step.commands:
        if other.span[0] <= command.span[0]:
            values.update((one.name, one.value.text) for one in other.assignments)
    return values


def _forced(step: Step, install: Install) -> bool:
    return _variables(step, install.command).get("FORCE_CUDA", "") in ("1", "true", "True", "ON")


def _skips(step: Step, install: Install) -> bool:
    return any("SKIP_CUDA_BUILD" in name for name in _variables(step, install.command))


def _llama(step: Step, install: Install) -> bool:
    named = any(one.name == "llama-cpp-python" and not _WHEEL.search(one.url) for one in install.packages)
    return named and bool(_GPU_BACKENDS.search(_variables(step, install.command).get("CMAKE_ARGS", "")))


def _span_of(step: Step, install: Install, name: str) -> tuple[int, int]:
    return next((one.span for one in install.packages if _name_of(step, one) == name), install.command.span)


@CUDA_EXT_NO_ARCH.check(Dockerfile)
def _no_arch(dockerfile: Dockerfile) -> Iterator[Hit]:
    for stage in dockerfile.stages:
        if _lacks_nvcc(stage) or not _has_nvcc(stage):
            continue
        for step in stage.steps:
            if step.keyword == "RUN":
                yield from _for_which(stage, step)


def _has_nvcc(stage: Stage) -> bool:
    texts = (step.instruction.body.text for step in stage.all_steps if step.keyword == "RUN")
    return stage.facts.flavour == "devel" or "nvcc" in stage.facts.programs or any(map(_BRINGS_NVCC.search, texts))


def _for_which(stage: Stage, step: Step) -> Iterator[Hit]:
    for install in step.installs:
        named = _variables(step, install.command)
        missing = [(name, kind.arch) for name, kind in _sources(step, install) if kind.arch and kind.arch not in named]
        if missing:
            yield _hit(_span_of(step, install, missing[0][0]), [name for name, _ in missing], missing[0][1])
    for command in step.commands:
        name = _setup(stage, step, command)
        arch = compiled()[name].arch if name in compiled() else "TORCH_CUDA_ARCH_LIST"
        if name and arch and arch not in _variables(step, command):
            yield _hit(command.span, [name], arch)


def _hit(span: tuple[int, int], names: list[str], variable: str) -> Hit:
    message = f"{', '.join(names)} is compiled for CUDA, and {variable} is not set"
    return Hit(span=span, message=message, remedy=CUDA_EXT_NO_ARCH.remedy.replace("TORCH_CUDA_ARCH_LIST", variable))


def _setup(stage: Stage, step: Step, command: Command) -> str:
    """What `python setup.py` compiles: a known package that was cloned, or extensions beside torch; "" for neither."""
    words = [word.text for word in command.words]
    if "setup.py" not in words[:3] or not command.program.startswith("python"):
        return ""
    cloned = _cloned(step, ".")
    if cloned and {"install", "develop", "build_ext", "bdist_wheel"} & set(words):
        return cloned
    plain = _PLAIN_EXTENSION.search(step.instruction.body.text)
    return "the extension" if "build_ext" in words and _has_torch(stage) and not plain else ""


def _has_torch(stage: Stage) -> bool:
    return stage.facts.framework == "pytorch" or "torch" in packages_of(stage).by_name
