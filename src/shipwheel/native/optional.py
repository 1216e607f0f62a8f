"""Which native files a package works without: tests, plugins, and files of which it loads one if it can."""

from __future__ import annotations

import re

_TESTS = re.compile(r"(^|/)(tests?|testing|examples?|benchmarks?)/|(^|[/_])tests?([_.][^/]*)?$|[a-z]Test$")
_PLUGINS = re.compile(r"/[^/]*plugins?/|/qml/|_dri\.so$")
"""By their folder; QML's are loaded by what a window shows, and *_dri.so are Mesa's drivers."""
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
            r"/open3d/lib(EGL|GL)\.so|/open3d/(cpu|cuda)/open3d_(tf|torch)_ops\.",  # rendering on a CPU; open3d.ml
            r"/torchcodec/libtorchcodec_heic\.",  # for images of that kind
        )
    )
)
"""Files that a well-known package opens only when it is asked to, or after which it tries another."""


def is_optional(path: str) -> bool:
    """Whether nothing that a service imports depends on the file at `path` alone."""
    return is_plugin(path) or _TESTS.search(path) is not None


def is_plugin(path: str) -> bool:
    """Whether the file is opened only when something is asked for by name, or where another will do."""
    return any(rule.search(path) for rule in (_PLUGINS, _OTHER_PYTHON, _ON_REQUEST))
