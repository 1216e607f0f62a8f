"""Projects whose model the runtime serves, from `lock` to the image."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.errors import StaleLockError
from shipwheel.http import Client
from shipwheel.lock import FILE_NAME, Lock, read_lock, write_lock
from shipwheel.oci.image import Image, read_json
from shipwheel.progress import SILENT
from shipwheel.project import load_project
from shipwheel.resolve.debian import DebianArchives
from shipwheel.resolve.indexes import Indexes
from shipwheel.resolve.model import lock_model
from shipwheel.resolve.project import Reach
from shipwheel.runtime import NAME, runtime_wheel
from shipwheel.supply import Supplier
from support.cargo import Mirror, locked_wheel
from support.index import FileServer
from support.models import bundle_files, write_files
from support.ship import Ship
from support.wheels import make_wheel


def labels(image: object) -> dict[str, str]:
    assert isinstance(image, Image)
    config = read_json(image.config)
    assert isinstance(config, dict)
    found: dict[str, str] = config["config"].get("Labels", {})
    return found


class Yard:
    """A project that serves a bundle, locked with the tiny base."""

    def __init__(self, folder: Path, mirror: Mirror) -> None:
        self.folder, self.mirror = folder, mirror
        self.shelf = mirror.folder
        write_files(folder, {**bundle_files(), "requirements.txt": "alpha\n", "features.py": "X = 1\n"})
        make_wheel(self.shelf, "alpha", "1.0")
        self.lock()

    def lock(self) -> Lock:
        """As `shipwheel lock` would with this mirror."""
        lock = self.mirror.lock(self.folder, [self.shelf / "alpha-1.0-py3-none-any.whl"])
        carried = runtime_wheel()
        runtime = replace(
            locked_wheel(carried.write(self.folder.parent / "carried")), name=NAME, version=carried.version, source="shipwheel"
        )
        with Client() as client:
            model = lock_model(load_project(self.folder), client)
        assert model is not None
        platforms = tuple(replace(each, wheels=(*each.wheels, runtime)) for each in lock.platforms)
        lock = replace(lock, platforms=platforms, model=model.files)
        write_lock(self.folder / FILE_NAME, lock)
        return lock


@pytest.fixture
def yard(tmp_path: Path, mirror: Mirror) -> Yard:
    return Yard(tmp_path / "wine", mirror)


FLAGS = ("--no-bytecode", "--no-verify")


def new_layers(made: dict[str, object]) -> list[str]:
    layers = made["layers"]
    assert isinstance(layers, list)
    return [layer["created_by"] for layer in layers if not layer["reused"]]


def test_the_image_has_the_runtime_the_model_and_what_it_is_told(ship: Ship, yard: Yard) -> None:
    made = ship.build(yard.folder, *FLAGS)
    holds = [layer["created_by"] for layer in made["layers"]]
    assert holds[-2:] == ["model", "code"]
    assert any(NAME in each for each in holds)
    assert labels(ship.image(made["name"])) == {"dev.shipwheel.serve": "1"}
    assert not new_layers(ship.build(yard.folder, *FLAGS))


def test_the_runtime_is_fetched_from_nowhere(ship: Ship, yard: Yard, server: FileServer) -> None:
    ship.build(yard.folder, *FLAGS)
    assert not [path for path in server.paths() if "shipwheel" in path]


def test_changed_code_and_changed_settings_make_the_codes_layer(ship: Ship, yard: Yard) -> None:
    ship.build(yard.folder, *FLAGS)
    (yard.folder / "features.py").write_text("X = 2\n")
    assert new_layers(ship.build(yard.folder, *FLAGS)) == ["code"]
    (yard.folder / "shipwheel.toml").write_text("[serve]\nworkers = 2\n")
    assert new_layers(ship.build(yard.folder, *FLAGS)) == ["code"]


def test_a_model_that_was_trained_anew_is_locked_anew(ship: Ship, yard: Yard) -> None:
    ship.build(yard.folder, *FLAGS)
    write_files(yard.folder, bundle_files(weights="WEIGHTS"))
    said = ship.fails(3, "build", yard.folder, *FLAGS)
    assert "the model changed since it was locked" in said.error
    assert "model/model.skops" in said.error
    assert "model/bundle.json" in said.error
    assert "shipwheel lock" in said.hint
    assert "changed" in ship.fails(3, "lock", "--check", yard.folder).error
    yard.lock()
    assert new_layers(ship.build(yard.folder, *FLAGS)) == ["model", "code"]


def test_another_runtime_than_the_locked_one_is_no_silent_change(ship: Ship, yard: Yard) -> None:
    text = (yard.folder / FILE_NAME).read_text()
    lock = read_lock(yard.folder / FILE_NAME)
    assert runtime_wheel().sha256 in text
    wheels = tuple(replace(each, sha256="0" * 64) if each.name == NAME else each for each in lock.platforms[0].wheels)
    write_lock(yard.folder / FILE_NAME, replace(lock, platforms=(replace(lock.platforms[0], wheels=wheels),)))
    assert "another version of the runtime" in ship.fails(3, "build", yard.folder, *FLAGS).error
    assert "another version of the runtime" in ship.fails(3, "lock", "--check", yard.folder).error


def test_a_model_that_is_downloaded_at_start_is_not_in_the_image(ship: Ship, yard: Yard) -> None:
    (yard.folder / "shipwheel.toml").write_text('[serve]\ndelivery = "download"\nsource = "https://host.invalid/wine"\n')
    yard.lock()
    made = ship.build(yard.folder, *FLAGS)
    assert "model" not in [layer["created_by"] for layer in made["layers"]]
    for name in bundle_files():
        (yard.folder / name).unlink()
    assert not new_layers(ship.build(yard.folder, *FLAGS))  # and a build does without it


def test_a_change_of_delivery_makes_the_lock_stale(ship: Ship, yard: Yard) -> None:
    (yard.folder / "shipwheel.toml").write_text('[serve]\ndelivery = "mount"\n')
    assert "does not fit the project any more" in ship.fails(3, "build", yard.folder, *FLAGS).error


def test_a_runtime_that_is_not_carried_is_asked_of_no_index(yard: Yard, server: FileServer, tmp_path: Path) -> None:
    lock = read_lock(yard.folder / FILE_NAME)
    wheels = tuple(replace(each, sha256="0" * 64) for each in lock.platforms[0].wheels if each.name == NAME)
    platform = replace(lock.platforms[0], wheels=wheels)
    with Client() as client:
        reach = Reach(
            client=client,
            archives=DebianArchives(main=server.url, security=server.url),
            indexes=Indexes(default=server.simple),
            cache=tmp_path / "cache",
            host=platform.platform,
            env={},
        )
        supplier = Supplier(
            lock=replace(lock, platforms=(platform,)), platform=platform.platform, reach=reach, home=tmp_path, progress=SILENT
        )
        with pytest.raises(StaleLockError, match="another version of the runtime"):
            supplier.wheels()
    assert server.paths() == []


TRAIN = """
import sys
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from shipwheel_serve import bundle
data = load_iris(as_frame=True)
bundle.save(sys.argv[1], LogisticRegression(max_iter=500).fit(data.data, data.target), inputs=data.data)
"""


@pytest.mark.network
@pytest.mark.slow
def test_a_real_bundle_is_locked_to_the_packages_of_its_training(docked: Ship, tmp_path: Path) -> None:
    folder = tmp_path / "iris"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", TRAIN, folder / "model"], check=True)
    (folder / "requirements.txt").write_text("scikit-learn\npandas\n")
    (folder / ".gitignore").write_text("model/\n")
    docked("lock", folder)
    lock = read_lock(folder / FILE_NAME)
    trained = json.loads((folder / "model/bundle.json").read_text())["environment"]["packages"]
    versions = {wheel.name: wheel.version for wheel in lock.platforms[0].wheels}
    assert {name: versions[name] for name in trained} == trained
    assert {"skops", "uvicorn", NAME} <= versions.keys()
    assert [wheel.source for wheel in lock.platforms[0].wheels if wheel.name == NAME] == ["shipwheel"]
    assert {each.path for each in lock.model} >= {"bundle.json", "golden/request.json", "model.skops"}
    made = docked.build(folder)
    assert labels(docked.image(made["name"])) == {"dev.shipwheel.serve": "1"}
    assert not new_layers(docked.build(folder))
