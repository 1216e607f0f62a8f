"""The pipeline itself, without the command line: what is made, what is reused, and what is asked of the network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.build import BuildOptions, Workshop, build, list_recipes
from shipwheel.errors import IntegrityError, LockError, WheelError
from shipwheel.hashes import Hashes
from shipwheel.http import Client, Limits
from shipwheel.lock import Lock
from shipwheel.oci.blob import Digest
from shipwheel.oci.estargz import ESTARGZ, TOC_DIGEST
from shipwheel.oci.layer import SINGLE_MEMBER
from shipwheel.oci.store import Store
from shipwheel.oci.validate import validate
from shipwheel.plan import Plan
from shipwheel.project import load_project
from shipwheel.resolve.debian import DebianArchives
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.project import Reach
from support.cargo import AMD64, ARM64, Mirror, make_script
from support.index import FileServer, serve
from support.wheels import make_wheel

PLAIN = BuildOptions(bytecode=False)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def server(shelf: Path) -> Iterator[FileServer]:
    with serve(FileServer(shelf)) as running:
        yield running


@pytest.fixture
def lock(tmp_path: Path, shelf: Path) -> Lock:
    folder = make_script(tmp_path / "project", "alpha")
    (folder / "model.joblib").write_bytes(b"weights")
    return Mirror.make(shelf).lock(folder, [make_wheel(shelf, "alpha", "1.0")])


@pytest.fixture
def plan(tmp_path: Path, lock: Lock) -> Plan:
    return Plan(project=load_project(tmp_path / "project"), platform=AMD64)


def no_reach() -> Reach:
    raise AssertionError("nothing should be fetched")


@pytest.fixture
def shop(tmp_path: Path, server: FileServer) -> Iterator[Workshop]:
    home = tmp_path / "home"
    with Client(limits=Limits(connect=2, stall=5, attempts=1, backoff=0.01)) as client:
        reach = Reach(
            client=client,
            archives=DebianArchives(main=server.url, security=server.url, snapshot=server.url),
            indexes=Indexes(default=server.simple),
            cache=home / "downloads",
            host=AMD64,
            env={"PATH": os.environ["PATH"]},
        )
        yield Workshop(home=home, store=Store(home), reach=lambda: reach)


def test_layers_lie_in_the_order_in_which_they_change(plan: Plan, lock: Lock, shop: Workshop) -> None:
    image = build(plan, lock, shop, PLAIN).image
    validate(image)
    made = [layer.created_by for layer in image.layers]
    assert made == [
        "Debian bookworm with Python 3.11",
        "virtual environment of Python 3.11",
        "alpha 1.0",
        "model",
        "code",
    ]


def test_nothing_changed_asks_for_nothing(plan: Plan, lock: Lock, shop: Workshop) -> None:
    first = build(plan, lock, shop, PLAIN)
    assert first.reused == frozenset()
    second = build(plan, lock, replace(shop, reach=no_reach), PLAIN)
    assert second.image.manifest.digest == first.image.manifest.digest
    assert second.reused == {str(layer.blob.digest) for layer in first.image.layers}


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_the_number_of_jobs_changes_nothing(plan: Plan, lock: Lock, shop: Workshop, tmp_path: Path, jobs: int) -> None:
    first = build(plan, lock, shop, PLAIN).image
    other = replace(shop, store=Store(tmp_path / "other"), jobs=jobs)
    assert build(plan, lock, other, PLAIN).image.manifest.digest == first.manifest.digest


def test_a_pruned_layer_is_made_again(plan: Plan, lock: Lock, shop: Workshop) -> None:
    image = build(plan, lock, shop, PLAIN).image
    lost = image.layers[2].blob.digest
    next(shop.store.root.rglob(lost.hex)).unlink()
    again = build(plan, lock, shop, PLAIN)
    assert again.image.manifest.digest == image.manifest.digest
    assert str(lost) not in again.reused


def test_layers_made_before_a_failure_are_kept(plan: Plan, lock: Lock, shop: Workshop, tmp_path: Path, shelf: Path) -> None:
    wheels = [shelf / "alpha-1.0-py3-none-any.whl", make_wheel(shelf, "bad", "1.0", extra_members=[("../x", b"")])]
    broken = Mirror.make(shelf).lock(tmp_path / "project", wheels)
    with pytest.raises(WheelError, match=r"bad 1\.0"):
        build(plan, broken, replace(shop, jobs=1), PLAIN)
    assert build(plan, lock, shop, PLAIN).reused


def test_one_member_and_several_are_different_layers(plan: Plan, lock: Lock, shop: Workshop) -> None:
    several = build(plan, lock, shop, PLAIN)
    single = build(plan, lock, shop, replace(PLAIN, form=SINGLE_MEMBER))
    assert single.reused == frozenset()
    assert [layer.diff_id for layer in single.image.layers] == [layer.diff_id for layer in several.image.layers]


def test_estargz_by_flag_and_by_setting_are_the_same_valid_image(plan: Plan, lock: Lock, shop: Workshop) -> None:
    flag = build(plan, lock, shop, replace(PLAIN, form=ESTARGZ))
    settings = replace(plan.project.settings, estargz=True)
    setting = build(replace(plan, project=replace(plan.project, settings=settings)), lock, shop, PLAIN)
    assert len(setting.reused) == len(flag.image.layers)
    assert setting.image.manifest.digest == flag.image.manifest.digest
    validate(setting.image)
    for layer in json.loads(setting.image.manifest.read())["layers"]:
        assert Digest.parse(layer["annotations"][TOC_DIGEST])


def test_a_file_that_changes_under_the_build_is_noticed(plan: Plan, lock: Lock, shop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "project" / "app.py"
    code = next(recipe for recipe in _recipes(plan, lock) if recipe.created_by == "code")
    path.write_text('print("other")\n'.ljust(path.stat().st_size))
    from shipwheel.oci.layer import pack

    with pytest.raises(IntegrityError, match=r"app/app\.py"), (tmp_path / "layer").open("wb") as sink:
        pack(code.entries({}, None), sink)


def _recipes(plan: Plan, lock: Lock) -> tuple:  # type: ignore[type-arg]
    from shipwheel.build import Local

    return list_recipes(plan, lock, Local(), Hashes(plan.project.root / "none").sha256, PLAIN)


def test_keys_of_recipes_differ_and_stay(plan: Plan, lock: Lock) -> None:
    keys = [recipe.key for recipe in _recipes(plan, lock)]
    assert len(set(keys)) == len(keys)
    assert keys == [recipe.key for recipe in _recipes(plan, lock)]


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "app.py").write_text("print(2)\n"),
    "mode": lambda folder: (folder / "app.py").chmod(0o755),
    "name": lambda folder: (folder / "extra.txt").write_text(""),
    "link": lambda folder: (folder / "link").symlink_to("app.py"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_code_changes_its_layer_only(
    plan: Plan, lock: Lock, shop: Workshop, tmp_path: Path, change: str
) -> None:
    first = build(plan, lock, shop, PLAIN).image
    CHANGES[change](tmp_path / "project")
    second = build(replace(plan, project=load_project(tmp_path / "project")), lock, shop, PLAIN).image
    assert [layer.diff_id for layer in first.layers[:-1]] == [layer.diff_id for layer in second.layers[:-1]]
    assert first.layers[-1].diff_id != second.layers[-1].diff_id


def test_a_platform_without_a_lock(plan: Plan, lock: Lock, shop: Workshop) -> None:
    with pytest.raises(LockError, match="linux/arm64"):
        build(replace(plan, platform=ARM64), lock, shop, PLAIN)


def test_bytecode_without_an_interpreter_in_the_lock(plan: Plan, lock: Lock, shop: Workshop) -> None:
    with pytest.raises(LockError, match="bytecode cannot be compiled"):
        build(plan, lock, shop)
