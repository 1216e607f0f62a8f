"""Missing libraries: named once, with who needs them, and none that some package or the system has."""

from __future__ import annotations

import pytest

from shipwheel.native.elf import Elf
from shipwheel.native.loader import Missing, missing

SITE = "lib/python3.11/site-packages"


def elf(path: str, *needed: str, soname: str = "", runpath: tuple[str, ...] = (), machine: str = "x86_64") -> Elf:
    return Elf(path=f"{SITE}/{path}", machine=machine, soname=soname, needed=needed, runpath=runpath)


def test_what_nothing_brings_is_missing_and_says_who_needs_it() -> None:
    owners = {"opencv-python": [elf("cv2/cv2.abi3.so", "libGL.so.1", "libc.so.6")]}
    found = missing(owners, ["libc.so.6"])
    assert found == (Missing(name="libGL.so.1", owner="opencv-python", needed_by=(f"{SITE}/cv2/cv2.abi3.so",)),)
    assert found[0].reason == "libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python"


def test_a_library_that_several_need_is_named_once_whatever_the_order() -> None:
    one, two = [elf("b/_b.so", "libgomp.so.1"), elf("b/_a.so", "libgomp.so.1", "libz.so.1")], [elf("a/_a.so", "libgomp.so.1")]
    found = missing({"b": one, "a": two})
    assert found == missing({"a": two, "b": one[::-1]})
    assert [(each.name, each.owner) for each in found] == [("libgomp.so.1", "a"), ("libz.so.1", "b")]
    assert found[0].needed_by == (f"{SITE}/a/_a.so", f"{SITE}/b/_a.so", f"{SITE}/b/_b.so")


def test_of_the_project_is_said_as_such() -> None:
    found = missing({"the project": [Elf(path="native/fast.so", machine="x86_64", needed=("libx.so.1",))]})
    assert found[0].reason == "libx.so.1, needed by native/fast.so of the project"


@pytest.mark.parametrize(
    "name",
    [
        "libcuda.so.1",
        "libcuda.so",
        "libnvidia-ml.so.1",
        "libnvcuvid.so.1",
        "libGLX_nvidia.so.0",
        "libnvrm_gpu.so",
        "libdxcore.so",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
        "linux-vdso.so.1",
    ],
)
def test_what_the_driver_or_the_kernel_brings_is_never_missing(name: str) -> None:
    assert missing({"a": [elf("a/_a.so", name)]}) == ()


def test_a_library_of_the_same_package_is_found_without_a_path() -> None:
    assert missing({"a": [elf("a/_a.so", "libx-12.so.1"), elf("a.libs/libx-12.so.1", soname="libx-12.so.1")]}) == ()


def test_a_library_of_another_package_is_found_where_a_path_leads_to_it() -> None:
    torch = elf("torch/lib/libtorch_cuda.so", "libcublas.so.12", runpath=("$ORIGIN/../../nvidia/cublas/lib",))
    assert missing({"torch": [torch], "nvidia-cublas-cu12": [elf("nvidia/cublas/lib/libcublas.so.12")]}) == ()


def test_where_no_path_leads_to_it_the_package_that_has_it_is_named() -> None:
    owners = {"lightgbm": [elf("lightgbm/lib/lib_lightgbm.so", "libgomp.so.1")], "torch": [elf("torch/lib/libgomp.so.1")]}
    assert [(each.name, each.elsewhere) for each in missing(owners)] == [("libgomp.so.1", ("torch",))]


def test_a_private_library_of_another_package_is_not_missing() -> None:
    assert missing({"torchvision": [elf("torchvision/_C.so", "libtorch.so")], "torch": [elf("torch/lib/libtorch.so")]}) == ()


def test_what_only_tests_and_plugins_need_is_optional() -> None:
    qt = [
        elf("PySide6/QtCore.abi3.so", "libQt6Core.so.6", "libGL.so.1"),
        elf("PySide6/Qt/lib/libQt6Core.so.6"),
        elf("PySide6/Qt/lib/libQt6XcbQpa.so.6", "libxcb-cursor.so.0"),
        elf("PySide6/Qt/plugins/platforms/libqxcb.so", "libQt6XcbQpa.so.6", "libGL.so.1", "libxkb.so.0"),
        elf("PySide6/tests/test_gl.so", "libtest.so.1"),
    ]
    found = {each.name: each for each in missing({"pyside6": qt})}
    assert {name for name, each in found.items() if each.optional} == {"libxcb-cursor.so.0", "libxkb.so.0", "libtest.so.1"}
    assert found["libGL.so.1"].needed_by == (f"{SITE}/PySide6/QtCore.abi3.so",)


def test_files_for_other_machines_need_nothing() -> None:
    assert missing({"a": [elf("a/_a.so", "libx.so.1", machine="aarch64")]}, machine="x86_64") == ()


def test_nothing_needs_nothing() -> None:
    assert missing({}) == ()
    assert missing({"a": []}) == ()
