"""`lock --explain`: the reasons that stand in the lock, followed to what needs a package in the end."""

import pytest

from shipwheel.errors import UsageError
from shipwheel.lock import Deb, Lock, PlatformLock, Wheel, explain
from shipwheel.oci.blob import Platform

GL = "libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python"


def _deb(name: str, reason: str = "") -> Deb:
    return Deb(name=name, version="1.0-1", architecture="amd64", filename="pool/a.deb", sha256="0" * 64, size=1, reason=reason)


def _lock(*platforms: tuple[str, tuple[Deb, ...]]) -> Lock:
    wheel = Wheel(name="opencv-python", version="4", filename="a.whl", sha256="0" * 64, size=1)
    locked = (PlatformLock(platform=Platform.parse(name), debs=debs, wheels=(wheel,)) for name, debs in platforms)
    return Lock(fingerprint="", python="3.11", suite="bookworm", platforms=tuple(locked))


GL_DEBS = (
    _deb("libc6"),
    _deb("libgl1", GL),
    _deb("libglx0", "libgl1 depends on it"),
    _deb("libx11-6", "libglx0 depends on it"),
)


def test_a_package_that_a_wheel_needs() -> None:
    assert explain(_lock(("linux/amd64", GL_DEBS)), "libgl1") == [f"libgl1 1.0-1: {GL}"]


def test_a_dependency_is_followed_to_the_wheel() -> None:
    assert explain(_lock(("linux/amd64", GL_DEBS)), "libx11-6") == [
        "libx11-6 1.0-1: libglx0 depends on it",
        "  libglx0 1.0-1: libgl1 depends on it",
        f"    libgl1 1.0-1: {GL}",
    ]


def test_a_circle_of_dependencies_ends() -> None:
    circle = (_deb("a", "b depends on it"), _deb("b", "a depends on it"))
    assert explain(_lock(("linux/amd64", circle)), "a") == ["a 1.0-1: b depends on it", "  b 1.0-1: a depends on it"]


def test_a_package_of_the_base() -> None:
    assert explain(_lock(("linux/amd64", GL_DEBS)), "libc6") == ["libc6 1.0-1: part of the base"]


def test_platforms_that_agree_are_told_together_and_others_apart() -> None:
    assert explain(_lock(("linux/amd64", GL_DEBS), ("linux/arm64", GL_DEBS)), "libgl1") == [f"libgl1 1.0-1: {GL}"]
    assert explain(_lock(("linux/amd64", GL_DEBS), ("linux/arm64", ())), "libgl1") == ["linux/amd64:", f"  libgl1 1.0-1: {GL}"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("libgl", "perhaps libgl1, libglx0"),
        ("libGL.so.1", "perhaps libgl1"),
        ("libxll-6", "perhaps libx11-6"),
        ("ffmpeg", "added were, with what they depend on: libgl1"),
        ("opencv_python", "'opencv_python' is a Python package: the requirements name it, or a package that needs it"),
    ],
)
def test_what_the_lock_does_not_name(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no Debian package '{name}'") as raised:
        explain(_lock(("linux/amd64", GL_DEBS)), name)
    assert raised.value.hint == hint
