"""/app/shipwheel.json and where it lies; the model below it, where it is part of the image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import shipwheel.verify
import shipwheel_serve.settings as runtime
from shipwheel.layers.code import project_recipes
from shipwheel.layers.recipe import Recipe
from shipwheel.lock import ModelFile
from shipwheel.oci.blob import Platform
from shipwheel.plan import SERVES, Plan
from shipwheel.project import load_project
from support.models import bundle_files, write_files

PINNED = (ModelFile(path="model.skops", sha256="b" * 64, size=7), ModelFile(path="bundle.json", sha256="a" * 64, size=9))
FILES = {**bundle_files(), "requirements.txt": "scikit-learn\n", "features.py": "x = 1\n"}


def plan_of(root: Path, settings: str = "", files: dict[str, str] = FILES) -> Plan:
    return Plan(project=load_project(write_files(root, {**files, "shipwheel.toml": settings})), platform=Platform())


def recipes(plan: Plan, pinned: tuple[ModelFile, ...] = PINNED) -> dict[str, Recipe]:
    made = project_recipes(plan, "python3.11 3.11.2-6", lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), pinned)
    return {recipe.created_by: recipe for recipe in made}


def files_in(recipe: Recipe) -> dict[str, bytes]:
    return {entry.path: entry.read() for entry in recipe.entries({}, None) if entry.kind.value == "file"}


def config(plan: Plan, pinned: tuple[ModelFile, ...] = PINNED) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(files_in(recipes(plan, pinned)["code"])["app/shipwheel.json"])
    return table


def test_what_the_runtime_reads_is_what_was_decided(tmp_path: Path) -> None:
    assert config(plan_of(tmp_path)) == {"format": 1, "model": "model", "port": 8080, "sha256": "a" * 64}


def test_settings_are_there_in_the_runtimes_words_and_it_takes_them(tmp_path: Path) -> None:
    settings = (
        'port = 9000\n[serve]\nname = "wine"\nworkers = 2\nmax-payload-size = "1m"\nmax-batch-delay-ms = 2\n'
        'packages = { pandas = "strict" }\nallow-globals = ["mine.*"]\naccess-log = true\n'
    )
    plan = plan_of(tmp_path / "project", settings)
    table = config(plan)
    assert table.keys() - {"format"} <= {each.name for each in fields(runtime.Settings)} - {"root"}
    assert list(table) == sorted(table)
    (tmp_path / "shipwheel.json").write_text(json.dumps(table))
    read = runtime.load_settings(tmp_path, {})
    assert (read.name, read.workers, read.port, read.max_payload_size) == ("wine", 2, 9000, 1 << 20)
    assert (read.max_batch_delay_ms, read.packages, read.allow_globals) == (2.0, {"pandas": "strict"}, ("mine.*",))
    assert (read.sha256, read.access_log, read.max_queue_size) == ("a" * 64, True, 512)


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ('[serve]\ndelivery = "mount"\nmount = "/models"\n', {"delivery": "mount", "mount": "/models"}),
        (
            '[serve]\ndelivery = "download"\nsource = "s3://bucket/wine/7/"\n',
            {"delivery": "download", "source": "s3://bucket/wine/7"},
        ),
    ],
)
def test_a_model_that_comes_later_is_listed_and_not_in_the_image(tmp_path: Path, settings: str, more: dict[str, str]) -> None:
    plan = plan_of(tmp_path, settings)
    assert list(recipes(plan)) == ["code"]
    files = [{"path": each.path, "sha256": each.sha256, "size": each.size} for each in PINNED[::-1]]
    assert config(plan) == {"format": 1, "model": "model", "port": 8080, "sha256": "a" * 64, "files": files, **more}


def test_a_model_file_is_vouched_for_by_its_own_hash(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, files={"churn.txt": "tree\n", "requirements.txt": "lightgbm\n"})
    pinned = (ModelFile(path="churn.txt", sha256="c" * 64, size=5),)
    assert config(plan, pinned) == {"format": 1, "model": "churn.txt", "port": 8080, "sha256": "c" * 64}
    assert files_in(recipes(plan, pinned)["model"]).keys() == {"app/churn.txt"}


def test_all_of_a_bundle_lies_in_the_models_layer_also_at_the_top(tmp_path: Path) -> None:
    for place in ("model", ""):
        files = {**bundle_files(place), "requirements.txt": "", "features.py": "x = 1\n"}
        found = recipes(plan_of(tmp_path / f"at-{place}", files=files))
        assert files_in(found["model"]).keys() == {f"app/{name}" for name in bundle_files(place)}
        assert {"app/features.py", "app/shipwheel.json"} <= files_in(found["code"]).keys()


def test_a_change_of_code_or_settings_leaves_the_model_and_a_new_model_its_code(tmp_path: Path) -> None:
    before = recipes(plan_of(tmp_path))
    for changed in (plan_of(tmp_path, "[serve]\nworkers = 2\n"), plan_of(tmp_path, files={**FILES, "features.py": "x = 2\n"})):
        after = recipes(changed)
        assert (after["model"].key, after["code"].key == before["code"].key) == (before["model"].key, False)


def test_the_image_says_that_it_serves(tmp_path: Path) -> None:
    runtime_config = plan_of(tmp_path / "served").runtime
    assert runtime_config.labels == SERVES == {shipwheel.verify.LABEL: "1"}
    assert (runtime_config.cmd, runtime_config.ports) == (("python", "-m", "shipwheel_serve"), (8080,))
    script = plan_of(tmp_path / "script", files={"main.py": "print(1)\n"})
    assert script.runtime.labels == {}
    assert "app/shipwheel.json" not in files_in(recipes(script, ())["code"])
