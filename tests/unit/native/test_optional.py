"""Tests, plugins and files for other Pythons are told by where they lie and what they are called."""

from __future__ import annotations

import pytest

from shipwheel.native.elf import Elf
from shipwheel.native.optional import is_optional
from shipwheel.native.search import Environment

SITE = "lib/python3.11/site-packages"


@pytest.mark.parametrize(
    "path",
    [
        "torch/bin/test_api",
        "torch/bin/FileStoreTest",
        "torch/test/op_registration_test",
        "torch/lib/libtorchbind_test.so",
        "numpy/_core/_multiarray_tests.cpython-311-x86_64-linux-gnu.so",
        "scipy/special/_test_internal.cpython-311-x86_64-linux-gnu.so",
        "cv2/qt/plugins/platforms/libqxcb.so",
        "PySide6/Qt/qml/QtQuick/Pdf/libpdfquickplugin.so",
        "open3d/swrast_dri.so",
        "rasterio/gdalplugins/gdal_HDF4.so",
        "openvino/libs/libtbbbind_2_5.so.3",
        "demo/_x.cpython-39-x86_64-linux-gnu.so",
        "demo/_x.cpython-3110-x86_64-linux-gnu.so",
        "demo/_x.pypy39-pp73-x86_64-linux-gnu.so",
    ],
)
def test_optional(path: str) -> None:
    assert is_optional(f"{SITE}/{path}")


@pytest.mark.parametrize(
    "path",
    [
        "cv2/cv2.abi3.so",
        "lightgbm/lib/lib_lightgbm.so",
        "torch/lib/libtorch_cpu.so",
        "cupy_backends/cuda/libs/cublas.cpython-311-x86_64-linux-gnu.so",
        "onnxruntime/capi/libonnxruntime_providers_cuda.so",
        "contest/_latest.so",
        "demo/_x.cpython-311-x86_64-linux-gnu.so",
        "demo/_x.cpython-311d-x86_64-linux-gnu.so",
        "demo/protest.so",
    ],
)
def test_necessary(path: str) -> None:
    assert not is_optional(f"{SITE}/{path}")


def elf(path: str, *needed: str, runpath: tuple[str, ...] = ()) -> Elf:
    return Elf(path=path, machine="x86_64", needed=needed, runpath=runpath)


def test_what_only_a_plugin_loads_does_not_matter_but_what_only_a_test_loads_does() -> None:
    files = [elf("a/plugins/p.so", "libp.so.1"), elf("a/libp.so.1"), elf("a/tests/t.so", "libt.so.1"), elf("a/libt.so.1")]
    assert Environment({"a": files}).necessary() == {"opt/venv/a/libt.so.1"}


def test_a_plugin_that_a_module_links_matters() -> None:
    files = [
        elf("a/_a.so", "libp.so.1", runpath=("$ORIGIN/plugins",)),
        elf("a/plugins/libp.so.1", "libq.so.1"),
        elf("a/libq.so.1"),
    ]
    assert len(Environment({"a": files}).necessary()) == 3
