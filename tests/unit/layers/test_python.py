"""Which wheels share a layer, whatever the requirements."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.errors import WheelError
from shipwheel.layers.python import BUCKETS, LARGE_FROM, MAX_LARGE, Part, PythonLayers, group
from shipwheel.layers.recipe import Recipe
from shipwheel.oci.layer import pack
from shipwheel.oci.tree import Entry
from support.wheels import make_wheel, sha256_of

PACKAGES = PythonLayers(python="3.11", interpreter="/usr/bin/python3.11", identity="python3.11 3.11.2-6")
SITE = "opt/venv/lib/python3.11/site-packages"

SIZES = st.one_of(st.integers(1, LARGE_FROM - 1), st.integers(LARGE_FROM, 10**9), st.just(LARGE_FROM))


def part(name: str, size: int = 1000, version: str = "1.0") -> Part:
    return Part(size=size, name=name, version=version, sha256=hashlib.sha256(f"{name} {version}".encode()).hexdigest())


@st.composite
def part_sets(draw: st.DrawFn, max_size: int = 150) -> list[Part]:
    sizes = draw(st.lists(SIZES, max_size=max_size))
    return [part(f"package-{number}", size) for number, size in enumerate(sizes)]


def is_large(each: Part) -> bool:
    return each.size >= LARGE_FROM


def many_large(count: int) -> list[Part]:
    return [part(f"large-{number}", LARGE_FROM + number) for number in range(count)]


@given(part_sets(), st.randoms(use_true_random=False))
def test_every_wheel_is_in_one_layer_whatever_the_order(parts: list[Part], random: random.Random) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    layers = group(parts)
    assert group(shuffled) == layers
    assert sorted(each for layer in layers for each in layer) == sorted(parts)


@given(part_sets(max_size=300))
def test_layers_are_few_enough_for_every_engine(parts: list[Part]) -> None:
    assert len(group(parts)) <= MAX_LARGE + BUCKETS <= 100
    assert all(group(parts))


@given(part_sets())
def test_large_wheels_lie_alone_below_the_buckets_largest_first(parts: list[Part]) -> None:
    layers = group(parts)
    alone = [layer[0] for layer in layers if len(layer) == 1 and is_large(layer[0])]
    count = min(MAX_LARGE, sum(map(is_large, parts)))
    assert [layer[0] for layer in layers[:count]] == sorted(alone, key=lambda each: (-each.size, each.name))[:count]


@given(part_sets(max_size=MAX_LARGE - 1), SIZES)
def test_a_wheel_more_adds_one_layer_or_changes_one_bucket(parts: list[Part], size: int) -> None:
    before, after = set(group(parts)), set(group([*parts, part("one-more", size)]))
    assert len(after - before) == 1
    assert len(before - after) <= (0 if size >= LARGE_FROM else 1)


@given(part_sets(max_size=MAX_LARGE), st.data())
def test_another_version_changes_one_layer(parts: list[Part], data: st.DataObject) -> None:
    if not parts:
        return
    old = data.draw(st.sampled_from(parts))
    new = part(old.name, old.size, "2.0")
    before, after = set(group(parts)), set(group([new if each is old else each for each in parts]))
    assert len(after - before) == len(before - after) == 1


def test_beyond_the_limit_the_smallest_large_wheel_moves_to_its_bucket() -> None:
    before, after = group(many_large(MAX_LARGE)), group(many_large(MAX_LARGE + 1))
    assert len(before) == MAX_LARGE
    assert len(after) == MAX_LARGE + 1
    assert after[-1] == (part("large-0", LARGE_FROM),)


def test_nothing_to_install_is_only_the_environment() -> None:
    assert [recipe.created_by for recipe in PACKAGES.recipes([])] == ["virtual environment of Python 3.11"]


# Recipes


def installed(folder: Path, *names: str, shared: str = "") -> tuple[list[Part], dict[str, Path]]:
    parts, files = [], {}
    for name in names:
        contents: dict[str, str | bytes] = {f"{name}/__init__.py": f"name = {name!r}\n"}
        contents |= {shared: f"of {name}\n"} if shared else {}
        wheel = make_wheel(folder, name, "1.0", contents)
        sha256 = sha256_of(wheel)
        hidden = wheel.rename(folder / sha256)  # as the cache names it
        parts.append(Part(size=hidden.stat().st_size, name=name, version="1.0", sha256=sha256))
        files[sha256] = hidden
    return parts, files


def same_bucket(count: int) -> list[str]:
    """Names that share a bucket."""
    found: dict[tuple[str, ...], list[str]] = {}
    for number in range(1000):
        name = f"p{number}"
        bucket = int(hashlib.sha256(name.encode()).hexdigest(), 16) % BUCKETS
        found.setdefault((str(bucket),), []).append(name)
    return next(names for names in found.values() if len(names) >= count)[:count]


def entries(recipe: Recipe, files: dict[str, Path]) -> dict[str, Entry]:
    return {entry.path: entry for entry in recipe.entries(files, None)}


def test_a_layer_holds_its_wheels_and_says_which(tmp_path: Path) -> None:
    first, second = sorted(same_bucket(2))
    parts, files = installed(tmp_path, second, first)
    _, recipe = PACKAGES.recipes(parts)
    assert recipe.created_by == f"{first} 1.0, {second} 1.0"
    assert set(recipe.files) == files.keys()
    assert {f"{SITE}/{first}/__init__.py", f"{SITE}/{second}-1.0.dist-info/RECORD"} <= entries(recipe, files).keys()


def test_of_a_path_that_two_packages_ship_the_last_by_name_wins(tmp_path: Path) -> None:
    first, second = sorted(same_bucket(2))
    parts, files = installed(tmp_path, second, first, shared="tests/__init__.py")
    _, recipe = PACKAGES.recipes(parts)
    assert entries(recipe, files)[f"{SITE}/tests/__init__.py"].read() == f"of {second}\n".encode()


def test_the_key_depends_on_wheels_python_and_interpreter_and_nothing_else(tmp_path: Path) -> None:
    def keys(layers: PythonLayers, *parts: Part) -> list[str]:
        return [recipe.key for recipe in layers.recipes(parts)]

    usual = keys(PACKAGES, part("a"))
    assert keys(PACKAGES, part("a")) == usual
    assert keys(PACKAGES, part("a"), part("big", LARGE_FROM))[-1] == usual[-1]
    others = [
        keys(PACKAGES, part("a", version="2.0"))[1],
        keys(PythonLayers(python="3.12", interpreter="/usr/bin/python3.11", identity=PACKAGES.identity), part("a"))[1],
        keys(PythonLayers(python="3.11", interpreter="/usr/bin/python3.11", identity="python3.11 3.11.2-7"), part("a"))[1],
    ]
    assert len({usual[1], *others}) == 4
    moved = PythonLayers(python="3.11", interpreter="/usr/local/bin/python3.11", identity=PACKAGES.identity)
    assert keys(moved, part("a"))[0] != usual[0]
    assert keys(moved, part("a"))[1] == usual[1]


def test_an_error_names_the_wheel_although_the_cache_does_not(tmp_path: Path) -> None:
    [one], files = installed(tmp_path, "demo")
    files[one.sha256].write_bytes(b"damaged")
    _, recipe = PACKAGES.recipes([one])
    with pytest.raises(WheelError, match=r"^demo 1\.0 is not a readable wheel"):
        pack(recipe.entries(files, None), io.BytesIO())
