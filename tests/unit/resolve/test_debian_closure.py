"""What a set of packages pulls in, rule by rule."""

from __future__ import annotations

import pytest

from shipwheel.errors import ResolveError
from shipwheel.lock import Deb
from shipwheel.resolve.debian import NOT_FOLLOWED, DebIndex, resolve_debs
from support.debian import stanza


def index(*stanzas: str) -> DebIndex:
    return DebIndex(suite="bookworm", architecture="amd64", dates={}, texts=(("debian", "\n".join(stanzas)),))


def names(debs: tuple[Deb, ...]) -> list[str]:
    return [deb.name for deb in debs]


@pytest.mark.parametrize(
    ("stanzas", "asked", "taken"),
    [
        ([stanza("app", Depends="lib", Pre_Depends="libc"), stanza("lib"), stanza("libc")], ["app"], ["app", "lib", "libc"]),
        ([stanza("app", Depends="lib"), stanza("lib", Depends="deep"), stanza("deep")], ["app"], ["app", "deep", "lib"]),
        ([stanza("app", Recommends="more", Suggests="most"), stanza("more"), stanza("most")], ["app"], ["app"]),
        ([stanza("app", Depends="one | two"), stanza("one"), stanza("two")], ["app"], ["app", "one"]),
        ([stanza("app", Depends="gone | two"), stanza("two")], ["app"], ["app", "two"]),
        ([stanza("app", Depends="one | two"), stanza("one"), stanza("two")], ["app", "two"], ["app", "two"]),
        ([stanza("app", Depends="old (>= 2) | two"), stanza("old"), stanza("two")], ["app"], ["app", "two"]),
        ([stanza("app", Depends="virtual"), stanza("real", Provides="virtual")], ["app"], ["app", "real"]),
        (
            [stanza("app", Depends="vv"), stanza("a", Provides="vv"), stanza("z", Provides="vv", Priority="required")],
            ["app"],
            ["app", "z"],
        ),
        (
            [stanza("app", Depends="vv (>= 2)"), stanza("a", Provides="vv"), stanza("b", Provides="vv (= 2.1)")],
            ["app"],
            ["app", "b"],
        ),
        ([stanza("app", Depends="one:any"), stanza("one")], ["app"], ["app", "one"]),
        ([stanza("app", Depends="debconf | debconf-2.0, lib"), stanza("debconf"), stanza("lib")], ["app"], ["app", "lib"]),
        ([stanza("app", Depends="dpkg"), stanza("dpkg")], ["app", "dpkg"], ["app", "dpkg"]),
        ([stanza("a", Depends="b"), stanza("b", Depends="a")], ["a"], ["a", "b"]),
        ([stanza("new-name", Provides="old-name (= 1)")], ["old-name"], ["new-name"]),
        ([stanza("app", Conflicts="app", Provides="app")], ["app"], ["app"]),
        ([stanza("app", Breaks="lib (<< 1.0)"), stanza("lib")], ["app", "lib"], ["app", "lib"]),
    ],
    ids=[
        "depends and pre-depends", "deep", "no recommends", "first alternative", "first that exists", "one that is in the set",
        "one whose version fits", "virtual", "the most important provider", "versioned provides", "any architecture",
        "maintainer scripts only", "skipped but named", "circles", "a name that one package provides", "not with itself",
        "breaks an older version",
    ],
)  # fmt: skip
def test_closure(stanzas: list[str], asked: list[str], taken: list[str]) -> None:
    assert names(resolve_debs(index(*stanzas), asked)) == taken


def test_what_is_present_is_used_and_not_returned() -> None:
    offered = index(stanza("libc"), stanza("app", Depends="libc (>= 1)"))
    base = resolve_debs(offered, ["libc"])
    assert names(resolve_debs(offered, ["app"], present=base)) == ["app"]


def test_without_following_only_the_names_are_taken() -> None:
    assert names(resolve_debs(index(stanza("app", Depends="lib"), stanza("lib")), ["app"], follow=False)) == ["app"]


_GL = [
    stanza("libgl1", Depends="libglx0"),
    stanza("libglx0", Depends="libglx-mesa0"),
    stanza("libglx-mesa0"),
    stanza("libgl1-mesa-glx", Depends="libgl1, libglx-mesa0"),
    stanza("xvfb", Depends="libgl1", Provides="xserver"),
]


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [(["libgl1"], False), (["libgl1", "libglx-mesa0"], True), (["libgl1-mesa-glx"], True), (["libgl1", "xvfb"], True)],
    ids=["nothing to draw onto", "named", "another depends on it", "an X server"],
)
def test_gl_without_a_gpu_is_there_where_something_can_be_drawn(asked: list[str], drawn: bool) -> None:
    assert ("libglx-mesa0" in names(resolve_debs(index(*_GL), asked))) is drawn


def test_each_package_says_why_it_is_there() -> None:
    offered = index(
        stanza("libc"),
        stanza("app", Depends="libc, lib"),
        stanza("tool", Depends="lib, deep"),
        stanza("lib", Depends="deep, real"),
        stanza("deep", Depends="app"),
        stanza("new", Provides="old"),
        stanza("virtual", Provides="real"),
    )
    debs = resolve_debs(offered, {"libc": "", "tool": "libtool.so.1", "app": "b", "old": "named"})
    assert {deb.name: deb.reason for deb in debs} == {
        "app": "b",
        "deep": "tool depends on it",
        "lib": "tool depends on it",
        "libc": "",
        "new": "named",
        "tool": "libtool.so.1",
        "virtual": "lib depends on it",
    }


def test_the_highest_version_is_taken_in_debians_order() -> None:
    offered = index(*(stanza("app", version) for version in ("1.9", "1.10~rc1", "1.10", "1:0.1")))
    assert [deb.version for deb in resolve_debs(offered, ["app"])] == ["1:0.1"]


@pytest.mark.parametrize(
    ("stanzas", "asked", "message", "hint"),
    [
        ([stanza("libgl1")], ["libgll"], "no package 'libgll'", "libgl1"),
        ([stanza("a", Provides="mta"), stanza("b", Provides="mta")], ["mta"], "'mta' is virtual", "a, b"),
        ([stanza("app", Depends="gone (>= 2) | lost")], ["app"], r"'app 1.0-1' needs 'gone \(>= 2\) \| lost'", "mirror"),
        ([stanza("a", Conflicts="b"), stanza("b")], ["a", "b"], "'a 1.0-1' and 'b 1.0-1' conflict", "system-packages"),
        (
            [stanza("a", Breaks="vv"), stanza("b", Provides="vv")],
            ["a", "b"],
            "'a 1.0-1' and 'b 1.0-1' conflict",
            "system-packages",
        ),
    ],
    ids=["unknown", "virtual", "unsatisfiable", "conflict", "breaks a virtual one"],
)
def test_what_cannot_be_is_said(stanzas: list[str], asked: list[str], message: str, hint: str) -> None:
    with pytest.raises(ResolveError, match=message) as caught:
        resolve_debs(index(*stanzas), asked)
    assert hint in caught.value.hint


def test_a_present_package_of_another_version_is_said() -> None:
    offered = index(stanza("libc", "2.0"), stanza("app", Depends="libc (>= 2.0)"))
    old = Deb(name="libc", version="1.0", architecture="amd64", filename="f", sha256="0" * 64, size=1)
    with pytest.raises(ResolveError, match=r"needs 'libc \(>= 2.0\)', but 'libc 1.0' is in the image"):
        resolve_debs(offered, ["app"], present=[old])


def test_every_dependency_that_is_not_followed_has_a_reason() -> None:
    assert all(NOT_FOLLOWED.values())
