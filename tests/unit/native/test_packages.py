"""Missing libraries become packages, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.native.contents import DebianContents
from shipwheel.native.known import Known
from shipwheel.native.loader import Missing
from shipwheel.native.packages import choose_packages

SITE = "lib/python3.11/site-packages"
CONTENTS = DebianContents(
    texts=(
        b"L libGL.so.1 libgl1\nL libGLU.so.1 libglu1\nL libjack.so.0 libjack0\nL libjack.so.0 libjack-jackd2-0\n"
        b"L libjackserver.so.0 libjack-jackd2-0\nL libjackserver.so.0 libjack0\nL libjacknet.so.0 libjack-jackd2-0\n"
        b"P ffmpeg ffmpeg\nP jackd jackd2\n",
    )
)


def lib(name: str, owner: str = "some", *files: str) -> Missing:
    return Missing(name=name, owner=owner, needed_by=tuple(f"{SITE}/{file}" for file in files or ["some.so"]))


GL = lib("libGL.so.1", "opencv-python", "cv2/cv2.abi3.so")
FFMPEG = Known(programs=("ffmpeg",), why="called by utils.py of pydub")
OPENED = Known(libraries=("libGL.so.0", "libGL.so.1"), why="opened by gl.py of pyglet")
JACK, JACK_NET = lib("libjack.so.0"), lib("libjacknet.so.0")


@pytest.mark.parametrize(
    ("missing", "known", "have", "packages"),
    [
        ([GL], [], [], {"libgl1": "libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python"}),
        (
            [lib("libGL.so.1", "open3d", "a.so", "b.so", "c.so")],
            [],
            [],
            {"libgl1": "libGL.so.1, needed by a.so of open3d and 2 more"},
        ),
        ([], [OPENED], [], {"libgl1": "libGL.so.1, opened by gl.py of pyglet"}),
        ([GL], [OPENED], [], {"libgl1": "libGL.so.1, needed by cv2/cv2.abi3.so of opencv-python and 1 more"}),
        ([], [FFMPEG], [], {"ffmpeg": "ffmpeg, called by utils.py of pydub"}),
        ([GL], [FFMPEG], ["libgl1", "ffmpeg"], {}),
        ([JACK], [], [], {"libjack0": "libjack.so.0, needed by some.so of some"}),
        ([JACK], [], ["libjack-jackd2-0"], {}),
        ([JACK, JACK_NET], [], [], {"libjack-jackd2-0": "libjacknet.so.0, needed by some.so of some and 1 more"}),
        ([replace(GL, optional=True)], [], [], {}),
    ],
    ids=[
        "one", "more files", "opened", "needed and opened", "program", "there", "first", "another there", "needed anyway",
        "optional",
    ],
)  # fmt: skip
def test_each_package_has_its_reason(
    missing: list[Missing], known: list[Known], have: list[str], packages: dict[str, str]
) -> None:
    chosen = choose_packages(missing, known, CONTENTS, have)
    assert chosen.packages == packages
    assert chosen.unresolved == ()


def test_what_debian_lacks_is_told_unless_it_may_be_lacking() -> None:
    missing = [
        lib("libfoo.so.2", "foo", "foo/_foo.so"),
        replace(lib("libtorch.so", "ext"), elsewhere=("torch",)),
        replace(lib("libtest.so.1"), optional=True),
    ]
    known = [Known(libraries=("libold.so.1",), programs=("java",), why="used by a.py of bar")]
    chosen = choose_packages(missing, known, CONTENTS, [])
    assert chosen.packages == {}
    assert chosen.unresolved == (
        "libfoo.so.2, needed by foo/_foo.so of foo, is in no Debian package",
        "java, used by a.py of bar, is in no Debian package",
    )


_OWNERS = st.lists(st.sampled_from("abcdef"), unique=True, max_size=4).map(tuple)


@given(st.dictionaries(st.sampled_from([f"lib{n}.so" for n in range(8)]), _OWNERS), st.sets(st.sampled_from("abcdef")))
def test_what_is_chosen_brings_everything_that_can_be_and_each_package_brings_something(
    offered: dict[str, tuple[str, ...]], have: set[str]
) -> None:
    lines = [f"L {name} {','.join(owners)}\n" for name, owners in offered.items() if owners]
    contents = DebianContents(texts=("".join(lines).encode(),))
    chosen = choose_packages([lib(name) for name in offered], [], contents, have)
    assert contents.libraries({*chosen.packages, *have}) == {name for name, owners in offered.items() if owners}
    assert not have & set(chosen.packages)
    for name in chosen.packages:
        assert any(name in owners and not have & set(owners) for owners in offered.values())
    assert len(chosen.unresolved) == sum(not owners for owners in offered.values())
