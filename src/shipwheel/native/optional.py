"""Which native files a package works without: tests, plugins, and files of which it loads one if it can."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipwheel.native.search import Environment, File

_TESTS = re.compile(r"(^|/)(tests?|testing|examples?|benchmarks?)/|(^|[/_])tests?([_.][^/]*)?$|[a-z]Test$")
_PLUGINS = re.compile(r"/[^/]*plugins?/")
_OTHER_PYTHON = re.compile(r"python3\.(\d+)/.*\.(?:pypy|graalpy|cpython-3(?!\1\D))\d*[^/]*\.so$")

_ON_REQUEST = re.compile(
    "|".join(
        (
            r"/numba/np/ufunc/(tbb|omp)pool\.",  # threading layers, tried in turn; the last needs nothing
            r"/torio/lib/|/torchaudio/lib/[^/]*ffmpeg",  # one for each FFmpeg, tried in turn, for the backend of that name
            r"/bitsandbytes/libbitsandbytes_(cuda|rocm|xpu)",  # one for each CUDA, of which it opens that of torch
            r"/onnxruntime/capi/libonnxruntime_providers_(tensorrt|nv_tensorrt_rtx|openvino|migraphx|vitisai)",
            r"/nvidia/nvshmem/lib/nvshmem_(bootstrap|transport)_",  # by the environment's variables, on clusters
            r"/nvidia/(cufile|cu\d+)/lib/libcufile_rdma",  # GPUDirect storage over RDMA
            r"/cupy_backends/cuda/libs/(cudnn|cusparselt|cutensor|cutensormg|nccl)\.",
            r"/libtbbbind",  # TBB asks hwloc for the machine's nodes if it can
        )
    )
)
"""Files that a well-known package opens only when it is asked to, or after which it tries another."""


def is_optional(path: str) -> bool:
    """Whether nothing that a service imports depends on the file at `path` alone."""
    return _is_plugin(path) or _TESTS.search(path) is not None


def necessary(environment: Environment) -> frozenset[str]:
    """Places of the files that matter: all but those that `is_optional`, and what only plugins load.

    What only tests load counts, too: packages open such libraries by ctypes, which no file tells.
    """
    plugins = [file for file in environment.files if _is_plugin(file.elf.path)]
    loaded_by_plugins = _loaded_for(environment, plugins)
    roots = [file for file in environment.files if not is_optional(file.elf.path) and file.place not in loaded_by_plugins]
    return frozenset(_loaded_for(environment, roots) | {file.place for file in roots})


def _is_plugin(path: str) -> bool:
    return any(rule.search(path) for rule in (_PLUGINS, _OTHER_PYTHON, _ON_REQUEST))


def _loaded_for(environment: Environment, files: Iterable[File]) -> set[str]:
    """Places of all that the loader brings in for these files."""
    loaded: set[str] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        for name in file.elf.needed:
            for each in environment.found(file, name) or environment.called(name):
                if each.place not in loaded:
                    loaded.add(each.place)
                    waiting.append(each)
    return loaded
