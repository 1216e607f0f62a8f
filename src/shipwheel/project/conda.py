"""environment.yml: conda's list of packages as requirements for pip, or an error that names what pip cannot install."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.errors import Problem, ProjectError
from shipwheel.project.folder import read_text
from shipwheel.project.reqfile import logical_lines, read_requirements

if TYPE_CHECKING:
    from yaml.nodes import Node

FILE_NAMES = ("environment.yml", "environment.yaml")

RENAMED = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "tensorflow-gpu": "tensorflow",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "libopencv": "opencv-python-headless",
    "matplotlib-base": "matplotlib",
    "dask-core": "dask",
    "pytables": "tables",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "xgboost-cpu": "xgboost",
    "py-lightgbm": "lightgbm",
    "msgpack-python": "msgpack",
    "python-graphviz": "graphviz",
    "python-kaleido": "kaleido",
    "pyqt": "PyQt5",
    "faiss": "faiss-cpu",
    "gst-python": "PyGObject",
    "python-flatbuffers": "flatbuffers",
    "uvicorn-standard": "uvicorn[standard]",
    "brotli-python": "Brotli",
    "pytorch_geometric": "torch-geometric",
    "pyg": "torch-geometric",
    "lz4-python": "lz4",
}
"""Packages that conda calls by another name than the Python package index."""

INTERPRETER = frozenset(
    (
        *("python", "pip", "setuptools", "wheel", "python_abi", "openssl", "zlib", "libzlib", "xz"),
        *("liblzma", "bzip2", "libffi", "readline", "sqlite", "libsqlite", "tk", "ncurses"),
        *("ca-certificates", "ld_impl_linux-64", "ld_impl_linux-aarch64", "_libgcc_mutex"),
        *("_openmp_mutex", "libgcc", "libgcc-ng", "libstdcxx", "libstdcxx-ng", "libgomp", "libuuid"),
        *("libexpat", "expat", "tzdata", "libnsl", "libxcrypt"),
    )
)
"""Python itself and the libraries that every conda environment lists because of it; the base brings them."""

NOT_ON_INDEX = {
    "cudatoolkit": "the wheels of GPU packages bring CUDA's libraries",
    "cudatoolkit-dev": "a compiler is not part of an image that serves",
    "cuda": "the wheels of GPU packages bring CUDA's libraries",
    "cudnn": "the wheels of GPU packages bring it",
    "nccl": "the wheels of GPU packages bring it",
    "pytorch-cuda": "it only selects a build of torch; pin torch instead",
    "pytorch-mutex": "it only selects a build of torch; pin torch instead",
    "cpuonly": "it only selects a build of torch; use PyTorch's index for CPU wheels instead",
    "mkl": "wheels bring their own BLAS",
    "mkl-service": "wheels bring their own BLAS",
    "mkl_fft": "numpy's wheels do without it",
    "mkl_random": "numpy's wheels do without it",
    "blas": "wheels bring their own BLAS",
    "openblas": "wheels bring their own BLAS",
    "nomkl": "wheels bring their own BLAS",
    "intel-openmp": "wheels bring their own",
    "llvm-openmp": "wheels bring their own",
    "ffmpeg": "a Debian package: system-packages",
    "graphviz": "a Debian package: system-packages",
    "tesseract": 'a Debian package: system-packages = ["tesseract-ocr"]',
    "poppler": 'a Debian package: system-packages = ["poppler-utils"]',
    "git": "a Debian package: system-packages",
    "sox": "a Debian package: system-packages",
    "openjdk": 'a Debian package: system-packages = ["default-jre-headless"]',
    "nodejs": "not a Python package",
    "r-base": "not a Python package",
    "gcc": "a compiler is not part of an image that serves",
    "gxx": "a compiler is not part of an image that serves",
    "compilers": "a compiler is not part of an image that serves",
    "cxx-compiler": "a compiler is not part of an image that serves",
    "c-compiler": "a compiler is not part of an image that serves",
    "cmake": "a build tool is not part of an image that serves",
    "make": "a build tool is not part of an image that serves",
    "arrow-cpp": "pyarrow's wheel brings it",
    "hdf5": "h5py's wheel brings it",
}
"""Packages of conda that pip has not, and what to do instead."""

_COMPILED = re.compile(r"(?:lib|r-|cuda-|gcc_|gxx_|_).*|.*(?:-ng|-dev|-devel|_linux-64|-cpp|-static)$")
"""Names that conda gives to compiled libraries."""

_SPEC = re.compile(r"(?:[\w./-]+::)?([A-Za-z0-9_][\w.-]*)\s*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment.yml as pip understands it; `python` is the version that it asks for, as a specifier or empty."""

    pinned: tuple[str, ...]
    python: str
    paths: tuple[Path, ...]


def read_environment(root: Path, name: str) -> Environment:
    """Read an environment.yml of the project.

    Raises:
        ProjectError: not YAML, not an environment, or packages that pip cannot install: each with its line.
    """
    conda, pip = _entries(read_text(root / name, name), name)
    problems, lines, python = [], [], ""
    for number, text in conda:
        match = _SPEC.fullmatch(text)
        package = match[1].lower() if match else text
        if package == "python" and match:
            python = _specifier(match[2]) or ""
        elif package not in INTERPRETER:
            line = _requirement(text)
            lines.append(line)
            if reason := _refusal(package, line):
                problems.append(Problem(file=name, line=number, message=f"'{text}': {reason}"))
    if problems:
        raise ProjectError(
            f"{name} holds packages that pip cannot install",
            problems,
            hint='write what the service needs into a requirements.txt and set requirements = ["requirements.txt"]',
        )
    expanded, paths = _expand(root, name, pip)
    return Environment(pinned=(*lines, *expanded), python=python, paths=(root / name, *paths))


def _entries(text: str, name: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """The entries of `dependencies` for conda and those for pip, with their lines."""
    import yaml

    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        what = getattr(error, "problem", None) or str(error)
        raise ProjectError(f"{name} is not YAML", [Problem(file=name, line=line, message=str(what))]) from None
    conda: list[tuple[int, str]] = []
    pip: list[tuple[int, str]] = []
    for item in _items(_child(document, "dependencies")):
        if isinstance(item.value, str):
            conda.append((item.start_mark.line + 1, item.value.strip()))
        else:
            pip += [(line.start_mark.line + 1, str(line.value).strip()) for line in _items(_child(item, "pip"))]
    return conda, pip


def _child(node: Node | None, key: str) -> Node | None:
    from yaml.nodes import MappingNode

    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _items(node: Node | None) -> list[Node]:
    from yaml.nodes import SequenceNode

    return list(node.value) if isinstance(node, SequenceNode) else []


def _refusal(package: str, line: str) -> str:
    if package in NOT_ON_INDEX:
        return NOT_ON_INDEX[package]
    if package not in RENAMED and _COMPILED.fullmatch(package):
        return "a compiled library of conda, not a Python package"
    return "" if line else "no such version can be written for pip"


def _requirement(text: str) -> str:
    """`numpy=1.26`, `conda-forge::numpy >=1.20,<2`, `numpy=1.26.4=py311_0` for pip; empty where pip has no such form."""
    match = _SPEC.fullmatch(text)
    specifier = _specifier(match[2]) if match else None
    return f"{RENAMED.get(match[1].lower(), match[1])}{specifier}" if match and specifier is not None else ""


def _specifier(text: str) -> str | None:
    """A version of conda's MatchSpec as one of PEP 440: `=1.2` is any 1.2, `=1.2=build` is exactly 1.2."""
    text = text.strip()
    if not text or text == "*":
        return ""
    if "|" in text or "[" in text:
        return None
    if match := re.fullmatch(r"={0,2}\s*([\w.!+]+)(?:\s*=\s*|\s+)[\w.*]+", text):
        return f"=={match[1]}"
    if match := re.fullmatch(r"=?\s*([\w.!+]+?)(\.?\*)?", text):
        return f"=={match[1]}.*"
    parts = [part.strip() for part in text.split(",")]
    parts = [_fuzzy(part) for part in parts]
    return ",".join(part.replace(" ", "") for part in parts) if all(map(_is_specifier, parts)) else None


def _fuzzy(part: str) -> str:
    match = re.fullmatch(r"=?\s*([\w.!+]+?)(\.?\*)?", part)
    return f"=={match[1]}.*" if match else part


def _is_specifier(text: str) -> bool:
    return bool(re.fullmatch(r"(?:==|!=|<=|>=|<|>|~=)\s*[\w.!+]+(?:\.\*)?", text))


def _expand(root: Path, name: str, entries: list[tuple[int, str]]) -> tuple[list[str], list[Path]]:
    """The lines for pip with the files behind `-r` written out, because the lines go elsewhere."""
    lines: list[str] = []
    paths: list[Path] = []
    for number, entry in entries:
        for _, text in logical_lines(entry):
            included = re.fullmatch(r"(?:-r|--requirement)[ =]*(\S+)", text)
            if not included:
                lines.append(text)
                continue
            if not (root / included[1]).is_file():
                problem = Problem(file=name, line=number, message=f"'{included[1]}' does not exist")
                raise ProjectError(f"{name} includes a file that is not there", [problem])
            found = read_requirements(root, [included[1]])
            lines += [line.text for line in found.lines if not line.constraint]
            paths += found.paths
    return lines, paths
